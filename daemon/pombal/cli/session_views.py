"""How sessions look: tables, facts, and what an operator should do next."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from pombal.cli.columns import Columns
from pombal.cli.latency import render_latency
from pombal.cli.output import ago, duration, facts, moment, percent, state, yes_no
from pombal.model.session_state import ADVICE, Reason, SessionStatus


def render_sessions(sessions: list[dict[str, Any]]) -> RenderableType:
    headings = [
        "session",
        "status",
        "number?",
        "sent>?",
        "received>?",
        "failed>?",
        "last activity>?",
        "owner?",
        "link?",
    ]
    return Columns(
        headings,
        (
            [
                session["name"],
                state(session["status"], session["status_reason"]),
                session["phone_number"],
                str(session["total_messages_sent"]),
                str(session["total_messages_received"]),
                str(session["total_messages_failed"]),
                ago(session["last_activity_at"]),
                session["owner"],
                session["link"],
            ]
            for session in sessions
        ),
    )


def render_state(session: dict[str, Any]) -> RenderableType:
    """One line: the session, its state, and what to do about it, unless it was stopped on purpose."""
    line = Text(f"{session['name']} is ").append(state(session["status"], session["status_reason"]))
    if session["status_reason"] == Reason.STOPPED or not (advice := advice_for(session)):
        return line
    return line.append(f": {advice}")


# The commands that lead out of a state, in their order; {name} is the session's.
_START, _SCAN = "pombal session start {name}", "pombal session qr {name}"
COMMANDS: dict[Reason, tuple[str, ...]] = {
    Reason.STOPPED: (_START,),
    Reason.PAIRING_TIMEOUT: (_START, _SCAN),
    Reason.LOGGED_OUT: (_START, _SCAN),
    Reason.REPLACED: (_START,),
    Reason.BANNED: (_START,),
    Reason.BAD_CREDENTIALS: (_START, _SCAN),
    Reason.PASSKEY_REQUIRED: (_START, _SCAN),
    Reason.CLIENT_OUTDATED: (_START,),
    Reason.CRASH_LOOP: ("pombal ps", "journalctl -u pombal", "pombal session restart {name}"),
}


def advice_for(session: dict[str, Any]) -> str | None:
    """What an operator does about a session's state; None where nothing is to be done."""
    name, status = session["name"], session["status"]
    if status == SessionStatus.QRCODE:
        return f"scan the QR code with `pombal session qr {name}`"
    if status == SessionStatus.CONNECTING and session["phone_number"] is None:
        return f"it connects; then link a phone with `pombal session qr {name}`"
    return ADVICE.get(session["status_reason"])


def commands_for(session: dict[str, Any]) -> str | None:
    """What to type for it."""
    commands = COMMANDS.get(session["status_reason"], ())
    return "; ".join(command.format(name=session["name"]) for command in commands) or None


def render_session(session: dict[str, Any]) -> RenderableType:
    connected = session["is_connected"]
    return facts(
        [
            ("session", session["name"]),
            ("id", session["id"]),
            ("owner", session["owner"]),
            ("link", session["link"]),
            ("status", state(session["status"], session["status_reason"])),
            ("what to do", advice_for(session)),
            ("commands", commands_for(session)),
            ("until", moment(session["status_until"])),
            ("wanted running", yes_no(session["is_active"])),
            ("link alive", yes_no(session["link_alive"])),
            ("last frame", _with_age(session["last_frame_at"])),
            ("phone number", session["phone_number"]),
            ("device name", session["device_name"]),
            ("connected", _with_age(session["connected_at"]) if connected else None),
            ("disconnected", None if connected else _with_age(session["disconnected_at"])),
            ("last activity", _with_age(session["last_activity_at"])),
            ("messages", _counts(session)),
            ("errors", str(session["error_count"])),
            ("restarts", str(session["restart_count"])),
            ("last error", session["last_error"]),
            ("created", moment(session["created_at"])),
            ("updated", moment(session["updated_at"])),
        ]
    )


def _with_age(at: str | None) -> str | None:
    return None if at is None else f"{moment(at)} ({ago(at)} ago)"


def _counts(session: dict[str, Any]) -> str:
    sent, received, failed = (session[f"total_messages_{what}"] for what in ("sent", "received", "failed"))
    return f"{sent} sent, {received} received, {failed} failed"


def render_pair_code(result: dict[str, Any]) -> RenderableType:
    return facts(
        [
            ("code", result["code"]),
            ("valid until", moment(result["expires_at"])),
            ("on the phone", "Settings, Linked devices, Link a device, Link with phone number instead"),
        ]
    )


def render_deleted(result: dict[str, Any]) -> RenderableType:
    return f"deleted; {result['messages_deleted']} messages went with it"


def render_metrics(result: dict[str, Any]) -> RenderableType:
    return Group(_metrics(result), "", render_latency(result["latency"]))


def _metrics(result: dict[str, Any]) -> RenderableType:
    return facts(
        [
            ("session", result["session"]),
            ("status", state(result["status"])),
            ("ready for", duration(result["uptime_seconds"])),
            ("messages", _counts(result)),
            ("error rate", percent(result["error_rate"])),
            ("errors", str(result["error_count"])),
            ("restarts", str(result["restart_count"])),
            ("queued", str(result["outbox_depth"])),
        ]
    )
