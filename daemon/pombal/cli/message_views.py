"""How messages look: tables, one message whole, and the outcome of a send."""

from typing import Any

from rich.console import RenderableType
from rich.text import Text

from pombal.cli.columns import Columns
from pombal.cli.output import facts, milliseconds, moment, one_line, size, state, yes_no
from pombal.model.message import Direction

STAGES = (
    ("queue_ms", "in the queue"),
    ("link_ms", "link"),
    ("delivery_ms", "delivery"),
    ("read_ms", "until read"),
    ("record_ms", "recording"),
)
STAMPS = ("queued_at", "dispatched_at", "sent_at", "received_at", "delivered_at", "read_at", "failed_at")


def render_messages(messages: list[dict[str, Any]]) -> RenderableType:
    return Columns(
        ["id>", "time", "session?", "", "contact", "status", "took>?", "message id?", "text~"],
        (_row(message) for message in messages),
    )


def _row(message: dict[str, Any]) -> list[str | Text | None]:
    inbound = message["direction"] == Direction.INBOUND
    return [
        str(message["id"]),
        moment(message["sent_at"] if inbound else message["queued_at"] or message["sent_at"]),
        message["session"],
        "←" if inbound else "→",
        contact_of(message),
        state(message["status"], (message["error"] or {}).get("kind")),
        took(message),
        message["message_id"],
        summary(message),
    ]


def contact_of(message: dict[str, Any]) -> str:
    """Number and name where they are known, else the chat's address."""
    known = [message["contact_number"], message["contact_name"]]
    return " ".join(part for part in known if part) or str(message["chat_id"])


def took(message: dict[str, Any]) -> Text | None:
    """Total latency; red when it was not acceptable."""
    shown = milliseconds(message["total_latency_ms"])
    if shown is None:
        return None
    return Text(shown, style="red" if message["is_latency_acceptable"] is False else "")


def summary(message: dict[str, Any]) -> str:
    """What it says in a line: its text, behind its type where that is not text."""
    text = message["text_content"] or ""
    if message["message_type"] == "text":
        return str(text)
    name = (message["media"] or {}).get("file_name")
    return " ".join(part for part in (f"[{message['message_type']}]", name, text) if part)


def render_message(message: dict[str, Any]) -> RenderableType:
    error = message["error"]
    return facts(
        [
            ("id", str(message["id"])),
            ("session", message["session"]),
            ("message id", message["message_id"]),
            ("whatsapp's id", message["link_id"]),
            ("direction", f"{message['direction']} ({message['origin']})"),
            ("contact", contact_of(message)),
            ("chat", message["chat_id"]),
            ("participant", message["participant"]),
            ("type", message["message_type"]),
            ("text", message["text_content"]),
            ("media", _media(message["media"])),
            *((part, _plain(message[part])) for part in ("location", "contact", "reaction")),
            ("quotes", message["quoted_message_id"]),
            ("status", state(message["status"])),
            ("error", None if error is None else Text(_error(error), style="red")),
            ("while offline", yes_no(True) if message["offline"] else None),
            *((stamp.removesuffix("_at"), _exact(message[stamp])) for stamp in STAMPS),
            ("took", took(message)),
            ("acceptable", yes_no(message["is_latency_acceptable"])),
            ("stages", _stages(message["stages"])),
        ]
    )


def _exact(iso: str | None) -> str | None:
    return None if iso is None else f"{iso[:10]} {iso[11:]}"


def _media(media: dict[str, Any] | None) -> str | None:
    if media is None:
        return None
    parts = [media["file_name"], media["mime_type"], size(media["size_bytes"]), f"sha256 {media['sha256']}"]
    return ", ".join(part for part in parts if part)


def _plain(part: dict[str, Any] | None) -> str | None:
    return None if part is None else ", ".join(f"{name} {value}" for name, value in part.items() if value is not None)


def _error(error: dict[str, Any]) -> str:
    return one_line(": ".join(part for part in (error["kind"], error["detail"]) if part))


def _stages(stages: dict[str, int | None]) -> str | None:
    known = [f"{title} {milliseconds(stages[name])}" for name, title in STAGES if stages.get(name) is not None]
    return ", ".join(known) or None


def render_outcome(message: dict[str, Any]) -> Text:
    """One line after a send, cancel or resend: which message it is, and how far it has come."""
    line = Text(one_line(f"{message['session']} {message['message_id']} ")).append(state(message["status"]))
    if message["error"] is not None:
        return line.append(f": {_error(message['error'])}")
    return line.append(reached_after(message))


def reached_after(message: dict[str, Any]) -> str:
    """' after 83 ms': how long it took to the status it has; empty where that is not known.

    message: a Message, or the data of message.status.
    """
    took = milliseconds(message.get(f"latency_to_{message['status']}_ms"))
    return f" after {took}" if took else ""


def render_marked(result: dict[str, Any]) -> str:
    return f"{result['marked']} marked as read"


def failure_of(message: dict[str, Any]) -> str:
    """Why a message failed or is uncertain, in words."""
    return _error(message["error"]) if message["error"] else "without a reason given"
