"""Rows of the Django app as changes for the writer: pure, and the same again on every run."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from ulid_transform import bytes_to_ulid

from pombal.model.changes import ImportMessage, ImportSession
from pombal.model.clock import Stamp
from pombal.model.errors import PombalError
from pombal.model.ids import check_message_id, check_session_name
from pombal.model.message import Direction, MessageRow, MessageStatus, MessageType, Origin
from pombal.model.session import LinkKind
from pombal.model.text import TEXT_MAX_CHARACTERS
from pombal.store.django.fields import (
    NAME_MAX_CHARACTERS,
    Remark,
    RowRefused,
    chat_of,
    count_of,
    key_of,
    text_of,
    time_of,
)

SESSION_MODEL = "whatsapp.whatsappsession"
MESSAGE_MODEL = "whatsapp.whatsappmessage"
# What is read of each; the app may have more.
KNOWN_FIELDS = {
    SESSION_MODEL: frozenset(
        {"usuario", "status", "device_name", "phone_number", "connected_at", "total_messages_sent",
         "total_messages_received", "error_count"}
    ),
    MESSAGE_MODEL: frozenset(
        {"session", "message_id", "direction", "message_type", "chat_id", "contact_number", "contact_name",
         "text_content", "status", "queued_at", "sent_at", "delivered_at", "read_at"}
    ),
}  # fmt: skip

# whatsapp-web.js has a message's chat in its id: true_5511999999999@c.us_3EB0C767D097B7C7C030
_BROWSER_ID = re.compile(r"(?:true|false)_[^_\s]+@[^_\s]+_([^_\s]+)(?:_\S+)?")
_OUTBOUND = {
    "sent": MessageStatus.SENT,
    "delivered": MessageStatus.DELIVERED,
    "read": MessageStatus.READ,
    "failed": MessageStatus.FAILED,
    "error": MessageStatus.FAILED,
    # It was on its way when the dump was made. Whether it got there is not in the dump.
    "queued": MessageStatus.UNCERTAIN,
    "pending": MessageStatus.UNCERTAIN,
    "sending": MessageStatus.UNCERTAIN,
    "uncertain": MessageStatus.UNCERTAIN,
}
_INBOUND = dict.fromkeys((*_OUTBOUND, "received"), MessageStatus.DELIVERED) | {"read": MessageStatus.READ}
_WHY = {
    MessageStatus.UNCERTAIN: ("unanswered", "it was still waiting when the dump was made"),
    MessageStatus.FAILED: ("failed", "it had failed before it was imported"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Origins:
    """What the dump does not say: which app it is of, in which zone its local times are, and how sessions connect."""

    source: str
    zone: tzinfo
    link: LinkKind


def session_id(source: str, key: str) -> str:
    """The ULID of an imported session, the same on every run: its time is 0, its randomness the key's hash."""
    digest = hashlib.sha256(f"{source}\0{key}".encode()).digest()
    return bytes_to_ulid(bytes(6) + digest[:10])


def session_change(pk: Any, fields: dict[str, Any], origins: Origins, at: Stamp) -> ImportSession:
    """Raises RowRefused."""
    key = key_of(pk, "pk")
    if key is None:
        raise RowRefused("it has no pk: export without --natural-primary")
    owner = key_of(fields.get("usuario"), "usuario")
    if owner is None:
        raise RowRefused("it has no usuario")
    identifier = session_id(origins.source, key)
    return ImportSession(
        at=at,
        id=identifier,
        names=(*filter(_is_name, (owner.lower(), _slug(f"{owner}-{key}"))), identifier.lower()),
        owner=owner,
        link=origins.link,
        device_name=text_of(fields, "device_name", NAME_MAX_CHARACTERS),
        phone_number=_digits(text_of(fields, "phone_number", NAME_MAX_CHARACTERS)),
        connected_at_ms=time_of(fields, "connected_at", origins.zone),
        total_messages_sent=count_of(fields, "total_messages_sent"),
        total_messages_received=count_of(fields, "total_messages_received"),
        error_count=count_of(fields, "error_count"),
    )


def message_change(
    pk: Any, fields: dict[str, Any], session_key: int, origins: Origins, at: Stamp, remark: Remark
) -> ImportMessage:
    """Raises RowRefused. remark hears what is taken in otherwise than it stands."""
    direction = _direction(fields)
    is_inbound = direction == Direction.INBOUND
    message_id, link_id = _ids(pk, fields, origins.source, remark)
    chat_id, participant, number = chat_of(fields, remark)
    stamps = {name: time_of(fields, name, origins.zone) for name in ("queued_at", "sent_at", "delivered_at", "read_at")}
    status = _status(direction, fields, stamps, remark)
    error_kind, error_detail = _WHY.get(status, (None, None))
    row = MessageRow(
        id=0,  # the writer hands ids out
        session_key=session_key,
        message_id=message_id,
        link_id=link_id,
        direction=direction,
        origin=Origin.HISTORY,
        message_type=_message_type(fields, remark),
        chat_id=chat_id,
        participant=participant if is_inbound else "",
        status=status,
        happened_at=_happened_at(direction, stamps),
        contact_number=number,
        contact_name=text_of(fields, "contact_name", NAME_MAX_CHARACTERS),
        text_content=text_of(fields, "text_content", TEXT_MAX_CHARACTERS),
        error_kind=error_kind,
        error_detail=error_detail,
        # An inbound message was never in a queue: this is when the app had it.
        queued_at=None if is_inbound else stamps["queued_at"],
        received_at=stamps["queued_at"] if is_inbound else None,
        sent_at=stamps["sent_at"],
        delivered_at=stamps["delivered_at"],
        read_at=stamps["read_at"],
    )
    return ImportMessage(at=at, session_key=session_key, message=row)


def _is_name(name: str) -> bool:
    return _passes(check_session_name, name)


def _passes(check: Callable[[str], str], text: str) -> bool:
    try:
        check(text)
    except PombalError:
        return False
    return True


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._")[:64]


def _digits(text: str | None) -> str | None:
    return None if text is None else re.sub(r"\D", "", text.partition("@")[0].partition(":")[0]) or None


def _direction(fields: dict[str, Any]) -> Direction:
    given = text_of(fields, "direction", 40)
    try:
        return Direction((given or "").lower())
    except ValueError:
        raise RowRefused("direction is neither inbound nor outbound", repr(given)) from None


def _message_type(fields: dict[str, Any], remark: Remark) -> MessageType:
    given = text_of(fields, "message_type", 40)
    try:
        return MessageType((given or MessageType.TEXT).lower())
    except ValueError:
        remark("message_type is none that Pombal has: recorded as unknown")
        return MessageType.UNKNOWN


def _status(
    direction: Direction, fields: dict[str, Any], stamps: dict[str, int | None], remark: Remark
) -> MessageStatus:
    given = text_of(fields, "status", 40)
    known = _INBOUND if direction == Direction.INBOUND else _OUTBOUND
    if given is None:
        reached = [name.removesuffix("_at") for name, at_ms in stamps.items() if at_ms is not None]
        return known[reached[-1] if reached else "queued"]
    if given.lower() not in known:
        raise RowRefused("status is none that Pombal knows", repr(given))
    status = known[given.lower()]
    if status == MessageStatus.UNCERTAIN:
        remark("it was still waiting: recorded as uncertain, and never sent by itself")
    return status


def _ids(pk: Any, fields: dict[str, Any], source: str, remark: Remark) -> tuple[str, str]:
    """(message_id, link_id): the app's own id where it can be ours, and WhatsApp's id within it."""
    given = text_of(fields, "message_id", 512)
    within = _BROWSER_ID.fullmatch(given) if given else None
    link_id = within[1] if within else given
    if given is not None and link_id is not None and _passes(check_message_id, given):
        return given, link_id
    key = key_of(pk, "pk")
    made = f"{source}-{key}"
    if key is None or not _passes(check_message_id, made):
        raise RowRefused("it has neither a usable message_id nor a pk", repr(given)[:80])
    remark("message_id is missing or none that Pombal allows: one was made of the pk")
    return made, link_id or made


def _happened_at(direction: Direction, stamps: dict[str, int | None]) -> int:
    first = ("queued_at", "sent_at") if direction == Direction.OUTBOUND else ("sent_at", "queued_at")
    for name in (*first, "delivered_at", "read_at"):
        if (at_ms := stamps[name]) is not None:
            return at_ms
    raise RowRefused("it has no time at all")
