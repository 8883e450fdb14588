"""The words: the same keys in every language, and every key is used."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from pombal.actors.tree import ActorState
from pombal.dashboard import words as module
from pombal.dashboard.pages.latency import SPANS
from pombal.dashboard.pages.messages import SPANS as MESSAGE_SPANS
from pombal.dashboard.pages.session_actions import ASKED_FIRST, AT_ONCE
from pombal.dashboard.views.latency import MEASURES
from pombal.dashboard.views.machine import BRANCHES
from pombal.dashboard.views.stages import STAGES
from pombal.dashboard.visit import THEMES
from pombal.dashboard.words import LANGUAGES, choose, words_of
from pombal.model.caller import Role
from pombal.model.errors import Kind
from pombal.model.message import Direction, MessageStatus, MessageType, Origin
from pombal.model.session import LinkKind
from pombal.model.session_state import Reason, SessionStatus
from pombal.service.catalog import METHODS

ROOM = Path(module.__file__).parent
SOURCES = "".join(file.read_text() for file in [*ROOM.rglob("*.html"), *ROOM.rglob("*.py")])
CHECKS = ("loop", "writer", "store", "links")
# Keys that are put together from a family and one of these.
FAMILIES: dict[str, Iterable[object]] = {
    "status": SessionStatus, "reason": Reason, "advice": [*Reason, "qrcode"], "link": LinkKind, "type": MessageType,
    "direction": Direction, "message_status": MessageStatus, "error": Kind, "error_text": Kind,
    "actor_state": ActorState, "branch": BRANCHES,
    "actor": ["control", "erasing", "housekeeping", "http", "recorder", "retention", "web"],
    "theme": THEMES, "role": [Role.ADMIN, Role.USER], "span": [*SPANS, *MESSAGE_SPANS], "measure": MEASURES,
    "stage": STAGES, "month": range(1, 13), "nav": ["sessions", "messages", "latency", "machine"],
    "origin": [Origin.DEVICE, Origin.HISTORY], "check": CHECKS, "check_fails": CHECKS,
    "action": [*AT_ONCE, *ASKED_FIRST], "confirm": ["logout", "delete", "logout_text", "delete_text"],
    "sign_in": ["bad_token", "bad_link", "bad_ended"],
}  # fmt: skip
# What a form can be refused for: a field that is wrong, a method that says no, a message that did not go.
WRONG = {key for key in words_of("en").texts if key.startswith("wrong.")}
REFUSED = {key for key in words_of("en").texts if key.startswith("refused.")}
MESSAGE_ERRORS = {key for key in words_of("en").texts if key.startswith("message_error.")}
DYNAMIC = {f"{family}.{value}" for family, values in FAMILIES.items() for value in values}
LITERAL = {
    key
    for key in re.findall(r'\b(?:t|words)\(\(?"([a-z_]+\.[a-z0-9_]+)"', SOURCES)
    + re.findall(r'"((?:stage|time|link_page)\.[a-z_]+)"', SOURCES)
    if not key.endswith("_")
}
DONE = {f"done.{key}" for key in re.findall(r'visit\.go\([^\n]*, "([a-z_]+)"\)', SOURCES)} | {
    *(f"done.session_{action}" for action in AT_ONCE), "done.message_cancel", "done.message_resend",
}  # fmt: skip
FIELDS = {f"message.{name}" for name in re.findall(r'"([a-z_]+_(?:at|ms))"', SOURCES)}
LINKING = {f"link_page.{status}" for status in ("connecting", "qrcode", "authenticated")}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_keys(language: str) -> None:
    assert set(words_of(language).texts) == set(words_of("en").texts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_puts_the_same_values_in(language: str) -> None:
    texts, english = words_of(language).texts, words_of("en").texts
    wanted = {key: set(re.findall(r"\{(\w+)\}", text)) for key, text in english.items()}
    optional = {"time.short_day": {"day", "month", "number"}}
    for key, text in texts.items():
        values = set(re.findall(r"\{(\w+)\}", text))
        assert values == wanted[key] or values <= optional.get(key, set()), key


def test_every_key_is_used_and_every_key_that_is_used_is_there() -> None:
    keys = {key for key in words_of("en").texts if not key.endswith("_one")}
    used = (
        LITERAL | DYNAMIC | DONE | LINKING | WRONG | REFUSED | MESSAGE_ERRORS | {key for key in FIELDS if key in keys}
    )
    assert keys >= LITERAL | DYNAMIC | DONE | LINKING
    assert keys <= used


def test_refusals_have_words_for_methods_and_kinds_that_there_are() -> None:
    about = {method.partition(".")[0] for method in METHODS}
    possible = {f"refused.{name.replace('.', '_')}_{kind}" for name in [*METHODS, *about] for kind in Kind}
    assert possible >= REFUSED


def test_one_is_said_otherwise_than_many() -> None:
    english = words_of("en")
    assert english("chats.unread", count=1, number="1") == "One unread message"
    assert english("chats.unread", count=2, number="2") == "2 unread messages"


@pytest.mark.parametrize(
    ("asked", "accepted", "chosen"),
    [
        ("pt-BR", "en", "pt-BR"),
        (None, "pt-BR,pt;q=0.9,en;q=0.5", "pt-BR"),
        (None, "pt-PT", "pt-BR"),
        (None, "de,en-GB;q=0.8,pt;q=0.9", "pt-BR"),
        (None, "de", "en"),
        (None, None, "en"),
        ("klingon", "", "en"),
        (None, "pt;q=0, en;q=x, ;;;", "en"),
    ],
)
def test_the_language_is_the_one_that_was_chosen_else_the_browsers(
    asked: str | None, accepted: str | None, chosen: str
) -> None:
    assert choose(asked, accepted) == chosen
