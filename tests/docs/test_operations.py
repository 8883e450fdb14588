"""docs/operations.md knows every state that a session can be in, every check of health, and what each means."""

import re
from itertools import product

import pytest

from pombal.model.health import VITAL_CHECKS, Health
from pombal.model.session_state import (
    EVERY,
    QRCODE,
    READY,
    RESTRICTED,
    STOPPED,
    SessionState,
    accepts_sends,
    starts_with_daemon,
)
from tests.docs.pages import PACKAGE, ROOT

TEXT = (ROOT / "docs/operations.md").read_text()
STATES = TEXT.partition("### a session is not ready")[2].partition("\n### ")[0]
ROWS = re.findall(r"^\| (`.+?) \| (.+?) \| (.+?) \| (.+?) \|$", STATES, flags=re.MULTILINE)
PLACES = sorted((status.value, reason.value if reason else "") for status, reason in EVERY - {READY})
# The names of the checks are given where Facts builds them, and nowhere else.
CHECKS = re.findall(r'"(\w+)": (?:WELL|self\.)', (PACKAGE / "app/facts.py").read_text())


def rows_of(status: str, reason: str) -> list[tuple[str, str, str, str]]:
    name = f"`{status}/{reason}`" if reason else f"`{status}`"
    return [row for row in ROWS if name in row[0]]


@pytest.mark.parametrize(("status", "reason"), PLACES)
def test_every_state_has_a_row_that_says_what_to_do(status: str, reason: str) -> None:
    rows = rows_of(status, reason)
    assert rows
    assert all(len(row[3]) > 3 for row in rows)


@pytest.mark.parametrize(("place", "paired"), [*product(sorted(EVERY - {READY}, key=str), (True, False))])
def test_rows_agree_with_the_program_on_new_sends(place: tuple[str, str], paired: bool) -> None:
    status, reason = place
    state = SessionState(status, reason, identity="5511999999999" if paired else None)  # type: ignore[arg-type]
    rows = rows_of(status, reason or "")
    if place == QRCODE:
        rows = [row for row in rows if ("paired before" in row[0]) == paired]
    assert {row[2].startswith("taken") for row in rows} == {accepts_sends(state)}


@pytest.mark.parametrize("place", sorted(EVERY - {READY, QRCODE, STOPPED}, key=str))
def test_rows_agree_with_the_program_on_what_comes_back_by_itself(place: tuple[str, str]) -> None:
    status, reason = place
    comes_back = starts_with_daemon(SessionState(status, reason))  # type: ignore[arg-type]
    assert {row[1].startswith("yes") for row in rows_of(status, reason or "")} == {comes_back}


def test_a_restriction_ends_when_it_is_said_to() -> None:
    assert rows_of(*RESTRICTED)[0][1] == "yes, at `until`"  # type: ignore[arg-type]


def test_every_check_of_health_has_a_row() -> None:
    table = TEXT.partition("### health says 503")[2].partition("\n### ")[0]
    nothing_yet = Health(checks={}, is_started=False, is_draining=True, simulator=False, version="", uptime_s=0)
    assert set(CHECKS) >= VITAL_CHECKS
    assert set(re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE)) == {*CHECKS, *nothing_yet.failing}


def test_every_error_that_a_message_may_fail_with_has_a_row() -> None:
    table = TEXT.partition("### messages fail")[2].partition("\n### ")[0]
    told = {
        kind for row in re.findall(r"^\| (`.+?) \|", table, flags=re.MULTILINE) for kind in re.findall(r"`(\w+)`", row)
    }
    sources = "".join(
        file.read_text() for room in ("session", "store", "app", "link") for file in (PACKAGE / room).rglob("*.py")
    )
    made = set(re.findall(r'error_kind="(\w+)"|SendRefused\("(\w+)"|Failed\(link_id, "(\w+)"', sources))
    assert {kind for kinds in made for kind in kinds if kind} - {"unanswered", "restored"} <= told
