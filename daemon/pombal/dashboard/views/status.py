"""A session's state as a person reads it: how worrying it is, and what can be done."""

from pombal.model.session import LinkKind, Session
from pombal.model.session_state import CRASH_LOOP, STOPPED, WAITS_FOR_START, Reason, SessionStatus

_TONES = {
    SessionStatus.READY: "ok",
    SessionStatus.CONNECTING: "busy",
    SessionStatus.AUTHENTICATED: "busy",
    SessionStatus.QRCODE: "wait",
    SessionStatus.ERROR: "bad",
    SessionStatus.DISCONNECTED: "idle",
}
_DISCONNECTED_TONES = {Reason.NETWORK: "busy", Reason.LINK_LOST: "busy", Reason.PAIRING_TIMEOUT: "wait"}


def tone_of(status: SessionStatus, reason: Reason | None) -> str:
    """ok, busy (mends itself), wait (for a person with a phone), bad, or idle."""
    if status == SessionStatus.DISCONNECTED and reason is not None:
        return _DISCONNECTED_TONES.get(reason, "idle")
    return _TONES[status]


def waits_for_phone(session: Session) -> bool:
    """Whether a scan is what it needs next."""
    return session.status == SessionStatus.QRCODE


def actions_of(session: Session) -> list[str]:
    """What it makes sense to do now, the likeliest first: start, stop, restart, logout."""
    place = session.status, session.status_reason
    if place == STOPPED or not session.is_active:
        return ["start"]
    if place in WAITS_FOR_START or place == CRASH_LOOP:
        return ["start", "stop"]
    linked = [] if session.status == SessionStatus.QRCODE else ["logout"]
    return ["stop", "restart", *linked]


def can_play_phone(session: Session) -> bool:
    """Whether there is no phone to scan with, but a simulated one."""
    return session.link == LinkKind.SIMULATOR and waits_for_phone(session)
