"""One object of each kind, as the schema shows them; a test holds them to the models."""

from typing import Any

SESSION: dict[str, Any] = {
    "id": "01M4QK3T9ZC8V6W2J5N7R1XBDE", "name": "suporte", "owner": "42", "link": "web", "status": "ready",
    "status_reason": None, "status_until": None, "is_active": True, "is_connected": True, "link_alive": True,
    "last_frame_at": "2026-09-21T14:13:19.960Z", "device_name": "Suporte", "phone_number": "5511988887777",
    "connected_at": "2026-09-21T13:13:20.000Z", "disconnected_at": None, "last_activity_at": "2026-09-21T14:13:19.960Z",
    "uptime_seconds": 3600.0, "total_messages_sent": 812, "total_messages_received": 1034, "total_messages_failed": 2,
    "error_count": 0, "restart_count": 0, "last_error": None, "created_at": "2026-09-20T14:13:20.000Z",
    "updated_at": "2026-09-21T14:13:20.000Z",
}  # fmt: skip
MESSAGE: dict[str, Any] = {
    "id": 1847, "session": "suporte", "message_id": "ticket-4711-3", "link_id": "3EB0A1B2C3D4E5F60718",
    "origin": "api", "direction": "outbound", "message_type": "text", "chat_id": "5511999999999@s.whatsapp.net",
    "participant": None, "contact_number": "5511999999999", "contact_lid": None, "contact_name": None,
    "text_content": "Olá! Como posso ajudar?", "media": None, "location": None, "contact": None, "reaction": None,
    "quoted_message_id": None, "status": "delivered", "error": None, "offline": False,
    "queued_at": "2026-09-21T14:13:20.000Z", "dispatched_at": "2026-09-21T14:13:20.002Z",
    "sent_at": "2026-09-21T14:13:20.121Z", "delivered_at": "2026-09-21T14:13:20.640Z", "read_at": None,
    "failed_at": None, "received_at": None, "latency_to_sent_ms": 121, "latency_to_delivered_ms": 640,
    "latency_to_read_ms": None, "total_latency_ms": 640, "is_latency_acceptable": True,
    "stages": {"queue_ms": 2, "link_ms": 119, "delivery_ms": 519, "read_ms": None},
}  # fmt: skip
_PERCENTILES = {"p50": 121.0, "p95": 410.0, "p99": 893.0, "max": 1204.0}
_NOTHING = {"p50": None, "p95": None, "p99": None, "max": None}
STATS: dict[str, Any] = {
    "since": "2026-09-21T13:00:00.000Z", "until": "2026-09-21T14:14:00.000Z", "total_messages": 1846,
    "measured_messages": 1840, "average_latency_to_sent_ms": 148.2, "average_latency_to_delivered_ms": 702.9,
    "average_latency_to_read_ms": None, "average_inbound_latency_ms": 611.4, "acceptable_rate": 0.9984,
    "high_latency_count": 3, "acceptable_ms": 5000,
    "percentiles": {"to_sent": _PERCENTILES, "to_delivered": _PERCENTILES, "to_read": _NOTHING,
                    "inbound": _PERCENTILES},
}  # fmt: skip
EVENT: dict[str, Any] = {
    "seq": 90412, "type": "message.queued", "session": "suporte", "owner": "42", "at": "2026-09-21T14:13:20.000Z",
    "data": MESSAGE | {"status": "queued"},
}  # fmt: skip
AUDITED: dict[str, Any] = {
    "id": 311, "at": "2026-09-21T14:13:20.000Z", "method": "session.stop", "outcome": "ok",
    "caller": {"name": "1's token", "role": "admin", "owner": "1", "uid": None, "pid": None, "user": None,
               "token_id": "01M4QK3T9ZC8V6W2J5N7R1XBDE"},
    "target": {"name": "suporte"},
}  # fmt: skip
_NEXT = "https://pombal.example.com/api/v1/whatsapp/"

EXAMPLES: dict[str, dict[str, Any]] = {
    "Session": SESSION,
    "Message": MESSAGE,
    "SessionPage": {"results": [SESSION], "next": None, "last_seq": 90412},
    "MessagePage": {"results": [MESSAGE], "next": f"{_NEXT}messages/?limit=1&cursor=1847", "last_seq": 90412},
    "SessionDeleted": {"deleted": True, "messages_deleted": 0},
    "SessionMetrics": {
        "session": "suporte", "status": "ready", "uptime_seconds": 3600.0, "total_messages_sent": 812,
        "total_messages_received": 1034, "total_messages_failed": 2, "error_count": 0, "restart_count": 0,
        "error_rate": 0.0025, "outbox_depth": 0, "latency": STATS,
    },
    "LinkCode": {"code": "2@wN8k3vQ0…,mR5c…,1", "expires_at": "2026-09-21T14:13:40.000Z"},
    "LatencyStats": STATS,
    "Marked": {"marked": 3},
    "ContactsChecked": {
        "results": [
            {"number": "5511999999999", "exists": True, "canonical_id": "551199999999@s.whatsapp.net",
             "lid": "193847562910384@lid"},
            {"number": "5511900000000", "exists": False, "canonical_id": None, "lid": None},
        ],
    },
    "Erasure": {
        "erasure": "01M4QK3T9ZC8V6W2J5N7R1XBDE", "number": "5511*******99", "state": "done", "step": None,
        "wanted_at": "2026-09-21T14:13:20.000Z", "done_at": "2026-09-21T14:13:24.310Z",
        "removed": {"messages": 112, "media_files": 9, "events": 340, "contacts": 1, "web": 24},
        "not_reached": [],
    },
    "AuditPage": {"results": [AUDITED], "next": f"{_NEXT.replace('whatsapp', 'audit')}?limit=1&cursor=311"},
    "EventPage": {
        "next": None, "results": [EVENT], "last_seq": 90412, "log_id": "01M4QHJ7T1S0N6E2C4B8A9ZXYV",
    },
    "Event": EVENT,
    "HealthBrief": {"status": "ok", "failing": []},
    "Health": {
        "status": "ok", "failing": [], "simulator": False, "version": "0.1.0", "uptime_seconds": 7200.0,
        "checks": {"writer": {"ok": True, "detail": None}, "store": {"ok": True, "detail": None}},
    },
}  # fmt: skip
