"""What is shown of an event, looked up long after it happened."""

import json
from typing import Any

import pytest

from pombal.model.events import Event, EventRow, EventType, cursor_event, gap_event, show_event, without_code
from pombal.model.message import Direction, MessageRow, MessageStatus, MessageType, Origin
from pombal.model.session import LinkKind, SessionRow
from pombal.model.session_state import Reason, SessionStatus
from pombal.model.times import iso

T0 = 1_700_000_000_000
SESSION = SessionRow(
    key=1, id="01HF", name="suporte", owner="7", link=LinkKind.SIMULATOR, created_at=T0, updated_at=T0, settings={},
    status=SessionStatus.READY, status_reason=None, connected_at=T0, total_messages_sent=3,
)  # fmt: skip


def message(**fields: Any) -> MessageRow:
    plain: dict[str, Any] = {
        "id": 9, "session_key": 1, "message_id": "m", "link_id": "L", "direction": Direction.OUTBOUND,
        "origin": Origin.API, "message_type": MessageType.TEXT, "chat_id": "c", "status": MessageStatus.READ,
        "happened_at": T0, "queued_at": T0, "dispatched_at": T0 + 1, "sent_at": T0 + 2, "delivered_at": T0 + 3,
        "read_at": T0 + 4, "text_content": "olá", "total_latency_ms": 3, "is_latency_acceptable": True,
    }  # fmt: skip
    return MessageRow(**(plain | fields))


def shown(kind: EventType, row: MessageRow | None = None, now_ms: int = T0, **data: Any) -> dict[str, Any]:
    event = EventRow(5, kind, 1, T0 + 10, 9 if row or kind.startswith("message.") else None, data or None)
    return show_event(event, SESSION, row, now_ms).object()


def test_every_event_has_the_same_head() -> None:
    found = shown(EventType.MESSAGE_OVERDUE, message(), waited_ms=30_000)
    assert found == {
        "seq": 5, "type": "message.overdue", "session": "suporte", "owner": "7", "at": iso(T0 + 10),
        "data": {"id": 9, "message_id": "m", "chat_id": "c", "waited_ms": 30_000},
    }  # fmt: skip


def test_a_queued_message_is_shown_as_it_was_queued() -> None:
    data = shown(EventType.MESSAGE_QUEUED, message())["data"]
    assert (data["status"], data["text_content"], data["session"]) == ("queued", "olá", "suporte")
    assert (data["queued_at"], data["dispatched_at"], data["sent_at"]) == (iso(T0), None, None)
    assert (data["total_latency_ms"], data["is_latency_acceptable"]) == (None, None)


def test_a_received_message_is_shown_as_it_was_received() -> None:
    row = message(direction=Direction.INBOUND, queued_at=None, dispatched_at=None, sent_at=T0, received_at=T0 + 2)
    data = shown(EventType.MESSAGE_RECEIVED, row)["data"]
    assert (data["status"], data["read_at"], data["total_latency_ms"]) == ("delivered", None, 3)
    assert data["stages"]["record_ms"] == 1


@pytest.mark.parametrize("origin", [Origin.DEVICE, Origin.HISTORY])
def test_what_the_phone_sent_is_shown_as_sent(origin: Origin) -> None:
    row = message(origin=origin, queued_at=None, dispatched_at=None, total_latency_ms=None)
    data = shown(EventType.MESSAGE_RECEIVED, row)["data"]
    assert (data["status"], data["delivered_at"], data["read_at"]) == ("sent", None, None)


def test_a_status_has_the_stamps_and_latencies_known_then() -> None:
    data = shown(EventType.MESSAGE_STATUS, message(), status="sent", previous_status="queued")["data"]
    assert (data["status"], data["previous_status"], data["error"]) == ("sent", "queued", None)
    assert (data["sent_at"], data["delivered_at"], data["read_at"]) == (iso(T0 + 2), None, None)
    assert (data["latency_to_sent_ms"], data["latency_to_delivered_ms"], data["total_latency_ms"]) == (2, None, 2)
    assert "text_content" not in data


def test_a_failure_that_a_receipt_overrode_is_still_told_as_it_was() -> None:
    error = {"kind": "refused", "detail": "no"}
    data = shown(EventType.MESSAGE_STATUS, message(), status="failed", previous_status="queued", error=error)["data"]
    assert (data["status"], data["error"], data["sent_at"]) == ("failed", error, None)


@pytest.mark.parametrize("kind", [kind for kind in EventType if kind.startswith("message.")])
def test_a_message_that_was_removed_leaves_its_event(kind: EventType) -> None:
    assert shown(kind, None, status="sent", previous_status="queued")["data"] == {"erased": True}


@pytest.mark.parametrize("kind", [EventType.SESSION_QR, EventType.SESSION_PAIR_CODE])
def test_codes_are_shown_until_they_expire_and_never_to_readers(kind: EventType) -> None:
    kept: dict[str, Any] = {"code": "2@abc", "expires_at": T0 + 20_000}
    assert shown(kind, now_ms=T0 + 19_999, **kept)["data"] == {"code": "2@abc", "expires_at": iso(T0 + 20_000)}
    assert shown(kind, now_ms=T0 + 20_000, **kept)["data"]["code"] is None
    event = show_event(EventRow(5, kind, 1, T0, None, kept), SESSION, None, T0)
    assert b"2@abc" in event.json
    hidden = without_code(event)
    assert b"2@abc" not in hidden.json
    assert (hidden.seq, hidden.type, hidden.session, hidden.owner) == (event.seq, event.type, "suporte", "7")


def test_other_events_are_the_same_for_readers() -> None:
    event = show_event(EventRow(5, EventType.SESSION_CREATED, 1, T0), SESSION, None, T0)
    assert without_code(event) is event


def test_a_change_of_status_is_shown_as_it_was_then() -> None:
    then = {"status": "error", "status_reason": "restricted", "status_until": T0 + 99, "is_active": True,
            "connected_at": T0 - 9, "disconnected_at": T0}  # fmt: skip
    data = shown(EventType.SESSION_STATUS, previous_status="ready", then=then, link_alive=True)["data"]
    assert (data["status"], data["status_reason"], data["previous_status"]) == ("error", "restricted", "ready")
    assert (data["status_until"], data["is_connected"], data["link_alive"]) == (iso(T0 + 99), False, True)
    assert data["uptime_seconds"] == 0
    assert "then" not in data


def test_a_session_is_ready_since_it_connected() -> None:
    then = {"status": "ready", "status_reason": None, "connected_at": T0 + 4}
    data = shown(EventType.SESSION_STATUS, previous_status="connecting", then=then)["data"]
    assert (data["is_connected"], data["uptime_seconds"], data["status_reason"]) == (True, 0.006, None)


def test_the_enums_of_the_live_ring_and_the_texts_of_the_log_are_shown_alike() -> None:
    live: dict[str, Any] = {"previous_status": SessionStatus.READY, "then": {"status": SessionStatus.ERROR,
                                                             "status_reason": Reason.BANNED}}  # fmt: skip
    stored = json.loads(json.dumps(live))
    assert shown(EventType.SESSION_STATUS, **live) == shown(EventType.SESSION_STATUS, **stored)


def test_gap_and_cursor() -> None:
    assert gap_event(3, 8).object() == {"seq": 8, "type": "gap", "data": {"from": 3, "to": 8}}
    assert cursor_event(8).object() == {"seq": 8, "type": "cursor"}
    assert isinstance(gap_event(1, 1), Event)


def test_one_line_of_utf_8_whatever_the_text() -> None:
    row = message(text_content="a\nb\u2028\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"))
    event = show_event(EventRow(5, EventType.MESSAGE_QUEUED, 1, T0, 9), SESSION, row, T0)
    assert b"\n" not in event.json
    assert event.object()["data"]["text_content"] == "a\nb\u2028😀"
