"""The table of sessions: a session and its figures of the last hour as one line."""

from collections.abc import Iterable
from dataclasses import dataclass

from pombal.dashboard.views.status import actions_of, tone_of, waits_for_phone
from pombal.model.daemon_results import DaemonStatus
from pombal.model.latency_results import SessionFigures
from pombal.model.session import Session
from pombal.model.session_state import SessionStatus

MINUTES = 60
_ORDER = (
    SessionStatus.READY, SessionStatus.CONNECTING, SessionStatus.AUTHENTICATED, SessionStatus.QRCODE,
    SessionStatus.DISCONNECTED, SessionStatus.ERROR,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SessionLine:
    """Rates are messages a minute; latencies in ms, null where nothing was measured in that hour."""

    session: Session
    tone: str
    sent_rate: float
    received_rate: float
    p95_ms: float | None
    inbound_p95_ms: float | None
    is_slow: bool
    is_inbound_slow: bool
    queued: int
    actions: list[str]
    needs_phone: bool


def line_of(session: Session, figures: SessionFigures | None, acceptable_ms: int) -> SessionLine:
    p95 = None if figures is None else figures.percentiles.to_delivered.p95
    inbound = None if figures is None else figures.percentiles.inbound.p95
    return SessionLine(
        session=session,
        tone=tone_of(session.status, session.status_reason),
        sent_rate=0 if figures is None else figures.outbound_messages / MINUTES,
        received_rate=0 if figures is None else figures.inbound_messages / MINUTES,
        p95_ms=p95,
        inbound_p95_ms=inbound,
        is_slow=(p95 or 0) >= acceptable_ms,
        is_inbound_slow=(inbound or 0) >= acceptable_ms,
        queued=0 if figures is None else figures.outbox_depth,
        actions=actions_of(session),
        needs_phone=waits_for_phone(session),
    )


def lines_of(sessions: Iterable[Session], figures: Iterable[SessionFigures], acceptable_ms: int) -> list[SessionLine]:
    by_id = {each.session_id: each for each in figures}
    return [line_of(session, by_id.get(session.id), acceptable_ms) for session in sessions]


@dataclass(frozen=True, slots=True)
class Tile:
    """How many sessions are in a status; a link to the list of them."""

    status: SessionStatus
    count: int
    tone: str


def tiles_of(status: DaemonStatus) -> list[Tile]:
    """One a status, in the order of a session's life."""
    return [Tile(each, status.sessions.get(each, 0), tone_of(each, None)) for each in _ORDER]
