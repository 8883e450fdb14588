"""The values of a dump's rows, checked one by one: what is no use is refused with a reason that many rows may share."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from pombal.model.errors import PombalError
from pombal.model.params_base import INT64_MAX
from pombal.model.phone import GROUP_SERVER, USER_SERVER, number_of, parse_recipient
from pombal.model.text import storable
from pombal.model.times import LATEST_MS

CHAT_MAX_CHARACTERS = 128
NAME_MAX_CHARACTERS = 256
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BROWSER_SERVER = "c.us"  # WhatsApp Web's own pages call s.whatsapp.net so


class RowRefused(Exception):
    """A row that cannot be taken in: why, in words that other rows may share, and what it was in this one."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


Remark = Callable[[str], None]
"""Hears what was changed about a row that is taken in all the same."""


def text_of(fields: dict[str, Any], name: str, max_characters: int) -> str | None:
    """A text, made storable and cut; None where it is absent or empty. A number counts as its digits."""
    value = fields.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise RowRefused(f"{name} is no text", type(value).__name__)
    return storable(str(value)[:max_characters])


def key_of(value: Any, what: str) -> str | None:
    """A primary key, or a natural key (a list) with its parts behind one another; None where there is none."""
    parts = value if isinstance(value, list) else [value]
    if any(isinstance(part, bool) or not isinstance(part, str | int) for part in parts if part is not None):
        raise RowRefused(f"{what} is neither a key nor a natural key", type(value).__name__)
    key = "/".join(storable(str(part)) for part in parts if part is not None and part != "")
    if len(key) > CHAT_MAX_CHARACTERS:
        raise RowRefused(f"{what} is longer than {CHAT_MAX_CHARACTERS} characters")
    return key or None


def count_of(fields: dict[str, Any], name: str) -> int:
    value = fields.get(name)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= INT64_MAX:
        raise RowRefused(f"{name} is no count", repr(value)[:40])
    return value


def time_of(fields: dict[str, Any], name: str, zone: tzinfo) -> int | None:
    """An instant in epoch ms. Without an offset (Django with USE_TZ = False) it is local time in zone."""
    value = fields.get(name)
    if value is None or value == "":
        return None
    try:
        moment = datetime.fromisoformat(value)
        at_ms = (_zoned(moment, zone) - _EPOCH) // timedelta(milliseconds=1)
    except (TypeError, ValueError, OverflowError):
        raise RowRefused(f"{name} is no time", repr(value)[:40]) from None
    if not 0 <= at_ms <= LATEST_MS:
        raise RowRefused(f"{name} lies outside of 1970 to 9999", repr(value)[:40])
    return at_ms


def _zoned(moment: datetime, zone: tzinfo) -> datetime:
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment


def chat_of(fields: dict[str, Any], remark: Remark) -> tuple[str, str, str | None]:
    """(chat, participant, contact's number) of a message: WhatsApp's addresses as it writes them, numbers as we do."""
    given = text_of(fields, "chat_id", CHAT_MAX_CHARACTERS)
    number = _number(text_of(fields, "contact_number", CHAT_MAX_CHARACTERS), remark)
    chat = _address(given) if given else None
    if chat is None and number is not None:
        chat = f"{number}@{USER_SERVER}"
    if chat is None:
        raise RowRefused("neither chat_id nor contact_number says with whom", given or "")
    if chat.endswith(f"@{GROUP_SERVER}"):
        return chat, f"{number}@{USER_SERVER}" if number else "", number
    return chat, "", number or number_of(chat)


def _address(given: str) -> str | None:
    """An address as WhatsApp spells it, None where it is none; a bare number becomes the address we would send to."""
    user, at, server = given.strip().partition("@")
    if not at:
        try:
            return parse_recipient(user).chat_id
        except PombalError:
            return None
    if not user or not server or any(char.isspace() for char in given.strip()):
        return None
    # A device's part (5511999999999:12@…) names a phone or browser and not a chat.
    return f"{user.partition(':')[0]}@{USER_SERVER if server == _BROWSER_SERVER else server}"


def _number(given: str | None, remark: Remark) -> str | None:
    if given is None:
        return None
    try:
        return parse_recipient(given.partition("@")[0]).contact_number
    except PombalError:
        remark("contact_number is no phone number: left out")
        return None
