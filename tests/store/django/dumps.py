"""Dumps as Django writes them."""

import json
from pathlib import Path
from typing import Any

SESSION_FIELDS: dict[str, Any] = {
    "usuario": 7,
    "status": "ready",
    "device_name": "Atendimento",
    "phone_number": "5511999999999",
    "connected_at": "2025-11-20T12:00:00.123Z",
    "total_messages_sent": 0,
    "total_messages_received": 0,
    "error_count": 2,
}
MESSAGE_FIELDS: dict[str, Any] = {
    "session": 1,
    "message_id": "3EB0C767D097B7C7C030",
    "direction": "outbound",
    "message_type": "text",
    "chat_id": "5511988888888@c.us",
    "contact_number": "5511988888888",
    "contact_name": "João",
    "text_content": "Olá! Como posso ajudar?",
    "status": "read",
    "queued_at": "2025-11-20T12:00:00.000Z",
    "sent_at": "2025-11-20T12:00:00.250Z",
    "delivered_at": "2025-11-20T12:00:01.000Z",
    "read_at": "2025-11-20T12:01:00.000Z",
}


def session(pk: Any = 1, **fields: Any) -> dict[str, Any]:
    return {"model": "whatsapp.whatsappsession", "pk": pk, "fields": SESSION_FIELDS | fields}


def message(pk: Any = 1, **fields: Any) -> dict[str, Any]:
    return {"model": "whatsapp.whatsappmessage", "pk": pk, "fields": MESSAGE_FIELDS | fields}


def inbound(pk: Any = 1, **fields: Any) -> dict[str, Any]:
    plain = {"direction": "inbound", "status": "received", "delivered_at": None, "read_at": None}
    return message(pk, **(plain | fields))


def written(path: Path, *rows: Any, indent: int | None = None) -> Path:
    """As `manage.py dumpdata --output` does it: Django breaks the line between rows where there is no indent."""
    if indent is None:
        path.write_text("[" + ",\n".join(map(json.dumps, rows)) + "]")
    else:
        path.write_text(json.dumps(rows, indent=indent) + "\n")
    return path
