"""Result objects as the daemon makes them, built through the models so that their shapes are the true ones."""

from typing import Any

from pombal.model.daemon_results import ActorFacts, DaemonStatus, RecorderFacts, StoreFacts
from pombal.model.latency_results import LatencyPercentiles, LatencyStats, Percentiles, SessionMetrics
from pombal.model.message import Direction, MessageRow, MessageStatus, MessageType, Origin, show_message
from pombal.model.session import LinkKind, LiveFacts, SessionRow, show_session
from pombal.model.session_state import Reason, SessionStatus

NOW_MS = 1_800_000_000_000  # 2027-01-15T08:00:00.000Z
NOW = "2027-01-15T08:00:00.000Z"


def session(name: str = "suporte", status: str = "ready", reason: str | None = None, **fields: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "key": 1,
        "id": "01JSESSION" + name.upper(),
        "name": name,
        "owner": "ana",
        "link": LinkKind.SIMULATOR,
        "created_at": NOW_MS,
        "updated_at": NOW_MS,
        "settings": {},
        "status": SessionStatus(status),
        "status_reason": Reason(reason) if reason else None,
        "is_active": True,
        "phone_number": "5511999990000",
        "connected_at": NOW_MS,
    }
    row = SessionRow(**facts | fields)
    return show_session(row, LiveFacts(status == "ready", NOW_MS), NOW_MS + 60_000).model_dump(mode="json")


def message(status: str = "delivered", **fields: Any) -> dict[str, Any]:
    """An outbound text; delivered after 83 ms."""
    stamps = {"queued_at": NOW_MS, "dispatched_at": NOW_MS + 2, "sent_at": NOW_MS + 20, "delivered_at": NOW_MS + 83}
    known = {"queued": 1, "failed": 2, "uncertain": 2, "sent": 3, "delivered": 4, "read": 4}[status]
    row = MessageRow(
        **{
            "id": 41,
            "session_key": 1,
            "message_id": "ticket-1",
            "link_id": "3EB0AA",
            "direction": Direction.OUTBOUND,
            "origin": Origin.API,
            "message_type": MessageType.TEXT,
            "chat_id": "5511988887777@s.whatsapp.net",
            "contact_number": "5511988887777",
            "status": MessageStatus(status),
            "happened_at": NOW_MS,
            "text_content": "Olá",
            "total_latency_ms": 83 if known >= 4 else None,
            "is_latency_acceptable": True if known >= 4 else None,
            **dict(list(stamps.items())[:known]),
            **fields,
        }
    )
    return show_message(row, "suporte").model_dump(mode="json")


def page(*results: dict[str, Any], next_cursor: str | None = None) -> dict[str, Any]:
    return {"results": list(results), "next": next_cursor, "last_seq": 12}


def event(seq: int, kind: str, data: dict[str, Any], session_name: str = "suporte") -> dict[str, Any]:
    return {"seq": seq, "type": kind, "session": session_name, "owner": "ana", "at": NOW, "data": data}


LATENCIES = ("latency_to_sent_ms", "latency_to_delivered_ms", "latency_to_read_ms", "total_latency_ms")


def status_event(seq: int, status: str, *, message_id: int = 41, error: dict[str, Any] | None = None) -> dict[str, Any]:
    shown = message(status)
    data = {name: shown[name] for name in ("message_id", "chat_id", "status", "stages", *LATENCIES)}
    return event(seq, "message.status", data | {"id": message_id, "previous_status": "queued", "error": error})


def session_event(seq: int, before: str, shown: dict[str, Any]) -> dict[str, Any]:
    return event(seq, "session.status", shown | {"previous_status": before})


def qr_event(seq: int, code: str | None) -> dict[str, Any]:
    return event(seq, "session.qr", {"code": code, "expires_at": NOW})


def daemon_status(**sessions: int) -> dict[str, Any]:
    return DaemonStatus(
        version="0.1.0",
        pid=4711,
        started_at=NOW_MS,
        uptime_seconds=3700.5,
        sessions={SessionStatus(name): number for name, number in (sessions or {"ready": 2, "error": 1}).items()},
        outbox_depth=3,
        recorder=RecorderFacts(queue_depth=0, commit_seconds_p99=0.0042),
        store=StoreFacts(
            path="/var/lib/pombal/pombal.db", size_bytes=1_572_864, disk_free_bytes=10**10, schema_version=3
        ),
        log_id="01JLOG",
        last_event_seq=99,
    ).model_dump(mode="json")


def actor(name: str, kind: str = "session", **fields: Any) -> dict[str, Any]:
    facts = {"state": "running", "mailbox_depth": 0, "mailbox_capacity": 64, "restarts": 0, "last_crash": None}
    plain = {"name": name, "kind": kind, "uptime_seconds": 61.0, "memory_bytes": None}
    return ActorFacts(**(plain | facts | fields)).model_dump(mode="json")


def latency() -> dict[str, Any]:
    return LatencyStats(
        since=NOW_MS,
        until=None,
        total_messages=1200,
        measured_messages=1190,
        average_latency_to_sent_ms=21.5,
        average_latency_to_delivered_ms=84.0,
        average_latency_to_read_ms=1093.2,
        average_inbound_latency_ms=None,
        acceptable_rate=0.9983,
        high_latency_count=2,
        acceptable_ms=5000,
        percentiles=LatencyPercentiles(to_sent=Percentiles(p50=20, p95=31, p99=45, max=5210)),
    ).model_dump(mode="json")


def metrics(name: str = "suporte", **fields: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {"error_rate": 0.01, "outbox_depth": 7, "error_count": 1, "restart_count": 2}
    return SessionMetrics(
        **{
            "session": name,
            "status": SessionStatus.READY,
            "uptime_seconds": 60.0,
            "total_messages_sent": 10,
            "total_messages_received": 20,
            "total_messages_failed": 1,
            "latency": latency(),
            **facts,
            **fields,
        }
    ).model_dump(mode="json")
