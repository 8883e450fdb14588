"""A message: the row that is kept, and the object that is shown."""

from dataclasses import dataclass, fields
from enum import StrEnum
from operator import attrgetter
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json

from pombal.model.times import Instant, iso


class MessageType(StrEnum):
    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    DOCUMENT = "document"
    STICKER = "sticker"
    LOCATION = "location"
    CONTACT = "contact"
    REACTION = "reaction"
    UNKNOWN = "unknown"


MEDIA_TYPES = frozenset(
    {MessageType.IMAGE, MessageType.AUDIO, MessageType.VIDEO, MessageType.DOCUMENT, MessageType.STICKER}
)


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


class Origin(StrEnum):
    """How it came to us: live through this gateway, written on the phone itself, or from WhatsApp's history."""

    API = "api"
    DEVICE = "device"
    HISTORY = "history"


class MessageStatus(StrEnum):
    """In rising order of what is known (see message_status.RANK)."""

    QUEUED = "queued"
    UNCERTAIN = "uncertain"
    FAILED = "failed"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"


@dataclass(slots=True)
class MessageRow:
    """One row of the store's table ``messages``; times in epoch milliseconds, null while unknown.

    ``content`` holds what is neither text nor the same for every type: media, location, contact, reaction.
    ``happened_at`` is what `since` and `until` compare: queued_at for outbound, WhatsApp's sent_at for inbound.
    ``is_resolved``: chat_id is WhatsApp's own id of the recipient, and not made from the number alone.
    """

    id: int
    session_key: int
    message_id: str
    link_id: str
    direction: Direction
    origin: Origin
    message_type: MessageType
    chat_id: str
    status: MessageStatus
    happened_at: int
    participant: str = ""
    contact_number: str | None = None
    contact_lid: str | None = None
    contact_name: str | None = None
    text_content: str | None = None
    content: dict[str, Any] | None = None
    quoted_message_id: str | None = None
    error_kind: str | None = None
    error_detail: str | None = None
    offline: bool = False
    overdue: bool = False
    queued_at: int | None = None
    dispatched_at: int | None = None
    sent_at: int | None = None
    delivered_at: int | None = None
    read_at: int | None = None
    failed_at: int | None = None
    received_at: int | None = None
    total_latency_ms: int | None = None
    is_latency_acceptable: bool | None = None
    content_hash: str | None = None
    is_resolved: bool = False

    @property
    def is_measured(self) -> bool:
        """Whether its latencies count: not what the phone or WhatsApp's history brought."""
        return self.origin == Origin.API

    def but(self, **changed: Any) -> "MessageRow":
        """A copy with some fields changed: each step of a send takes one, and ``replace`` takes five times as long."""
        copy = MessageRow(*_VALUES(self))
        for name, value in changed.items():
            setattr(copy, name, value)
        return copy


_VALUES = attrgetter(*(field.name for field in fields(MessageRow)))


class Media(BaseModel):
    """A file of a message; its bytes lie in the media store under their sha256."""

    model_config = ConfigDict(frozen=True)

    mime_type: str
    size_bytes: int
    sha256: str
    file_name: str | None = None


class MessageError(BaseModel):
    model_config = ConfigDict(frozen=True)

    kind: str
    detail: str | None = None


Stages = dict[str, int | None]
"""Where the time went, in ms. Outbound: queue_ms, link_ms, delivery_ms, read_ms; inbound: link_ms, record_ms."""


class Message(BaseModel):
    """A message as everyone outside sees it: control socket, HTTP and events."""

    model_config = ConfigDict(frozen=True)

    id: int
    session: str
    message_id: str
    link_id: str
    origin: Origin
    direction: Direction
    message_type: MessageType
    chat_id: str
    participant: str | None
    contact_number: str | None
    contact_lid: str | None
    contact_name: str | None
    text_content: str | None
    media: Media | None
    location: dict[str, Any] | None
    contact: dict[str, Any] | None
    reaction: dict[str, Any] | None
    quoted_message_id: str | None
    status: MessageStatus
    error: MessageError | None
    offline: bool
    queued_at: Instant | None
    dispatched_at: Instant | None
    sent_at: Instant | None
    delivered_at: Instant | None
    read_at: Instant | None
    failed_at: Instant | None
    received_at: Instant | None
    latency_to_sent_ms: int | None
    latency_to_delivered_ms: int | None
    latency_to_read_ms: int | None
    total_latency_ms: int | None
    is_latency_acceptable: bool | None
    stages: Stages


def between_ms(earlier: int | None, later: int | None) -> int | None:
    return None if earlier is None or later is None else later - earlier


def stages_of(row: MessageRow) -> Stages:
    """The stages of a row's direction; each null while one of its two stamps is unknown, or latencies do not count."""
    if row.direction == Direction.INBOUND:
        if not row.is_measured or row.total_latency_ms is None:  # history, or what could not be read
            return {"link_ms": None, "record_ms": None}
        in_flight_ms = between_ms(row.sent_at, row.received_at)
        return {
            "link_ms": None if in_flight_ms is None else max(0, in_flight_ms),
            "record_ms": between_ms(row.received_at, row.delivered_at),
        }
    if not row.is_measured:
        return {"queue_ms": None, "link_ms": None, "delivery_ms": None, "read_ms": None}
    return {
        "queue_ms": between_ms(row.queued_at, row.dispatched_at),
        "link_ms": between_ms(row.dispatched_at, row.sent_at),
        "delivery_ms": between_ms(row.sent_at, row.delivered_at),
        "read_ms": between_ms(row.delivered_at, row.read_at),
    }


def outbound_latencies(row: MessageRow) -> tuple[int | None, int | None, int | None]:
    """(to sent, to delivered, to read) in ms; all null but for outbound messages of our own."""
    if row.direction == Direction.INBOUND or not row.is_measured:
        return None, None, None
    queued_at = row.queued_at
    return (
        between_ms(queued_at, row.sent_at), between_ms(queued_at, row.delivered_at), between_ms(queued_at, row.read_at)
    )  # fmt: skip


def message_object(row: MessageRow, session: str) -> dict[str, Any]:
    """The fields of Message for a row. Built by hand: every event of every message passes here."""
    content = row.content or {}
    to_sent, to_delivered, to_read = outbound_latencies(row)
    return {
        "id": row.id,
        "session": session,
        "message_id": row.message_id,
        "link_id": row.link_id,
        "origin": row.origin,
        "direction": row.direction,
        "message_type": row.message_type,
        "chat_id": row.chat_id,
        "participant": row.participant or None,
        "contact_number": row.contact_number,
        "contact_lid": row.contact_lid,
        "contact_name": row.contact_name,
        "text_content": row.text_content,
        "media": content.get("media"),
        "location": content.get("location"),
        "contact": content.get("contact"),
        "reaction": content.get("reaction"),
        "quoted_message_id": row.quoted_message_id,
        "status": row.status,
        "error": {"kind": row.error_kind, "detail": row.error_detail} if row.error_kind else None,
        "offline": row.offline,
        "queued_at": row.queued_at,
        "dispatched_at": row.dispatched_at,
        "sent_at": row.sent_at,
        "delivered_at": row.delivered_at,
        "read_at": row.read_at,
        "failed_at": row.failed_at,
        "received_at": row.received_at,
        "latency_to_sent_ms": to_sent,
        "latency_to_delivered_ms": to_delivered,
        "latency_to_read_ms": to_read,
        "total_latency_ms": row.total_latency_ms,
        "is_latency_acceptable": row.is_latency_acceptable,
        "stages": stages_of(row),
    }


def show_message(row: MessageRow, session: str) -> Message:
    """The row as others see it; session is the name it goes by."""
    return Message.model_validate(message_object(row, session))


_WORDS = ("origin", "direction", "message_type", "status")
STAMPS = ("queued_at", "dispatched_at", "sent_at", "delivered_at", "read_at", "failed_at", "received_at")


def message_json(row: MessageRow, session: str) -> bytes:
    """``show_message`` as JSON, without validating: every send is answered with it, and events show messages so."""
    shown = message_object(row, session)
    for name in _WORDS:  # a member of an enum goes to JSON by way of Python, a plain text does not
        shown[name] = str(shown[name])
    for name in STAMPS:
        if shown[name] is not None:
            shown[name] = iso(shown[name])
    return to_json(shown)
