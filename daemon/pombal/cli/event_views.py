"""How an event looks: one line with its time, sequence, type, session, and what happened."""

from typing import Any

from rich.text import Text

from pombal.cli.message_views import contact_of, reached_after, summary
from pombal.cli.output import moment, one_line, state
from pombal.model.events import EventType

TEXT_SHOWN_MAX = 200


def render_event(event: dict[str, Any]) -> Text:
    at = event.get("at")
    line = Text(f"{moment_ms(at):24} ", style="dim") if at else Text(" " * 25)
    line.append(f"{event['seq']:>8} ", style="bold")
    line.append(f"{event['type']:17} ", style="")
    line.append(one_line(f"{event.get('session') or '':16} "), style="")
    return line.append(_what_happened(event))


def moment_ms(iso: str) -> str:
    return f"{iso[:10]} {iso[11:]}"


def _what_happened(event: dict[str, Any]) -> Text:
    data = event["data"]
    if data.get("erased"):
        return Text("erased", style="dim")
    match event["type"]:
        case EventType.SESSION_STATUS:
            return _change(data, state(data["status"], data["status_reason"]))
        case EventType.SESSION_QR | EventType.SESSION_PAIR_CODE:
            return Text(f"valid until {moment(data['expires_at'])}" if data["code"] else "expired or not for us")
        case EventType.MESSAGE_RECEIVED:
            return _cut(f"← {contact_of(data)}: {summary(data)}")
        case EventType.MESSAGE_QUEUED:
            return _cut(f"→ {contact_of(data)}: {summary(data)}")
        case EventType.MESSAGE_STATUS:
            return _message_status(data)
        case EventType.SESSION_GAP:
            return Text(one_line(f"messages may have been lost: {data['detail']}"), style="yellow")
        case EventType.MESSAGE_EDITED if data.get("message_type"):
            return Text(one_line(f"{data['message_id']} can be read now: {data['message_type']}"))
        case EventType.GAP:
            return Text(f"events {data['from']} to {data['to']} are not there any more", style="yellow")
    return Text(one_line(_reference(data)))


def _cut(text: str) -> Text:
    """A text of 64 KiB is one event of many; --json has the whole."""
    line = Text(one_line(text[: TEXT_SHOWN_MAX + 1]))
    line.truncate(TEXT_SHOWN_MAX, overflow="ellipsis")
    return line


def _change(data: dict[str, Any], now: Text) -> Text:
    before = data.get("previous_status")
    return state(before).append(" → ", style="none").append(now) if before else now


def _message_status(data: dict[str, Any]) -> Text:
    line = Text(one_line(f"{data['message_id']} ")).append(_change(data, state(data["status"])))
    if data["error"]:
        return line.append(one_line(f": {data['error']['kind']} {data['error']['detail'] or ''}".rstrip()), style="red")
    return line.append(reached_after(data))


def _reference(data: dict[str, Any]) -> str:
    """What names the thing the event is about: a message's id, a session's state."""
    return str(data.get("message_id") or data.get("status") or "")
