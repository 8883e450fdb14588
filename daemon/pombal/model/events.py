"""The event log: what is kept of an event, and what is shown of it.

The log keeps references and what changed, never a copy of a text. An event is shown by looking its message or session
up and taking it back to the moment of the event, so a reader of the log and a reader of the live ring see the same.
"""

import json
from dataclasses import replace
from enum import StrEnum
from typing import Any

from pydantic_core import to_json

from pombal.model.frozen import frozen
from pombal.model.message import (
    STAMPS,
    Direction,
    MessageRow,
    MessageStatus,
    message_json,
    outbound_latencies,
    stages_of,
)
from pombal.model.message_status import as_when
from pombal.model.session import LiveFacts, SessionRow, show_session
from pombal.model.times import iso


class EventType(StrEnum):
    SESSION_CREATED = "session.created"
    SESSION_UPDATED = "session.updated"
    SESSION_STATUS = "session.status"
    SESSION_QR = "session.qr"
    SESSION_PAIR_CODE = "session.pair_code"
    SESSION_DELETED = "session.deleted"
    SESSION_GAP = "session.gap"
    MESSAGE_RECEIVED = "message.received"
    MESSAGE_QUEUED = "message.queued"
    MESSAGE_STATUS = "message.status"
    MESSAGE_EDITED = "message.edited"
    MESSAGE_DELETED = "message.deleted"
    MESSAGE_OVERDUE = "message.overdue"
    GAP = "gap"


CODE_EVENTS = frozenset({EventType.SESSION_QR, EventType.SESSION_PAIR_CODE})
ERASED = {"erased": True}
"""What an event says whose message was removed, or whose contact was erased."""
WHOLE_MESSAGE_EVENTS = frozenset({EventType.MESSAGE_QUEUED, EventType.MESSAGE_RECEIVED})


@frozen()
class EventRow:
    """One row of the store's table ``events``: message is the row id it is about, data what changed."""

    seq: int
    type: EventType
    session_key: int
    at_ms: int
    message: int | None = None
    data: dict[str, Any] | None = None


@frozen()
class Event:
    """An event as it is shown; ``json`` is its one encoding, made once for all who hear it."""

    seq: int
    type: str
    session: str | None
    owner: str | None
    session_id: str | None
    json: bytes

    def object(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.json)
        return parsed


def show_event(row: EventRow, session: SessionRow, message: MessageRow | None, now_ms: int) -> Event:
    """The event as everyone sees it; message is the row it refers to, None where that has been removed since."""
    head = {
        "seq": row.seq, "type": row.type.value, "session": session.name, "owner": session.owner, "at": iso(row.at_ms),
    }  # fmt: skip
    encoded = to_json(head)[:-1] + b',"data":' + _data(row, session, message, now_ms) + b"}"
    return Event(row.seq, row.type, session.name, session.owner, session.id, encoded)


def gap_event(first_missing: int, last_missing: int) -> Event:
    """Told in place of what is past retention, or was never under this log_id: the reader must look for itself."""
    shown = {"seq": last_missing, "type": EventType.GAP, "data": {"from": first_missing, "to": last_missing}}
    return Event(last_missing, EventType.GAP, None, None, None, json.dumps(shown, separators=(",", ":")).encode())


def cursor_event(seq: int) -> Event:
    """Told to a filtered reader now and then, so that its cursor does not age."""
    return Event(seq, "cursor", None, None, None, json.dumps({"seq": seq, "type": "cursor"}).encode())


def without_code(event: Event) -> Event:
    """The event for those who may not see how to link a device."""
    if event.type not in CODE_EVENTS:
        return event
    shown = event.object()
    shown["data"]["code"] = None
    encoded = json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()
    return Event(event.seq, event.type, event.session, event.owner, event.session_id, encoded)


def _data(row: EventRow, session: SessionRow, message: MessageRow | None, now_ms: int) -> bytes:
    if message is not None and row.type in WHOLE_MESSAGE_EVENTS:
        return message_json(as_when(message, _first_status(row.type, message)), session.name)
    return to_json(_facts(row, session, message, now_ms))


def _facts(row: EventRow, session: SessionRow, message: MessageRow | None, now_ms: int) -> dict[str, Any]:
    changed = row.data or {}
    if row.message is not None:
        return ERASED if message is None else _message_facts(row, message, changed)
    if changed == ERASED:
        return ERASED
    if row.type in CODE_EVENTS:
        expired = changed.get("expires_at", 0) <= now_ms
        return {"code": None if expired else changed.get("code"), "expires_at": iso(changed.get("expires_at", 0))}
    return _session_facts(row, session, changed)


def _message_facts(row: EventRow, message: MessageRow, changed: dict[str, Any]) -> dict[str, Any]:
    reference = {"id": message.id, "message_id": message.message_id, "chat_id": message.chat_id}
    if row.type != EventType.MESSAGE_STATUS:
        return reference | changed
    return reference | _status_facts(message, changed)


def _first_status(kind: EventType, message: MessageRow) -> MessageStatus:
    """The status a message was recorded with. What the phone itself has written is sent, as far as we know."""
    if kind == EventType.MESSAGE_QUEUED:
        return MessageStatus.QUEUED
    return MessageStatus.DELIVERED if message.direction == Direction.INBOUND else MessageStatus.SENT


def _status_facts(message: MessageRow, changed: dict[str, Any]) -> dict[str, Any]:
    """Status, error, and the stamps and latencies known by then."""
    then = as_when(message, MessageStatus(changed["status"]))
    to_sent, to_delivered, to_read = outbound_latencies(then)
    return {
        "status": then.status.value,
        "previous_status": str(changed["previous_status"]),
        "error": changed.get("error"),
        **{name: None if (at_ms := getattr(then, name)) is None else iso(at_ms) for name in STAMPS},
        "latency_to_sent_ms": to_sent,
        "latency_to_delivered_ms": to_delivered,
        "latency_to_read_ms": to_read,
        "total_latency_ms": then.total_latency_ms,
        "is_latency_acceptable": then.is_latency_acceptable,
        "stages": stages_of(then),
    }


def _session_facts(row: EventRow, session: SessionRow, changed: dict[str, Any]) -> dict[str, Any]:
    """The session with what the log kept of that moment; counters are those of today."""
    then = replace(session, **changed.get("then", {}))
    shown = show_session(then, LiveFacts(link_alive=changed.get("link_alive", False)), row.at_ms)
    beside = {name: value for name, value in changed.items() if name not in ("then", "link_alive")}
    return shown.model_dump(mode="json") | beside
