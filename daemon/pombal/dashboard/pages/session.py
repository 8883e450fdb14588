"""One session: its state in words, its counters, latency, queue, and the history of its states."""

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from pombal.dashboard.app import Page
from pombal.dashboard.views.latency import rows_of
from pombal.dashboard.views.sessions import line_of
from pombal.dashboard.views.status import tone_of
from pombal.dashboard.visit import Visit
from pombal.model.events import EventType
from pombal.model.session_state import Reason, SessionStatus
from pombal.model.times import parse_time

HISTORY = 100
PARTS = {"session": "session"}


async def show(visit: Visit) -> Response:
    mark = await visit.mark()
    name = visit.path("session")
    session = await visit.ask("session.get", name=name)
    figures = await visit.ask("session.figures", sessions=[session.id], since="1h")
    day = await visit.ask("latency.stats", session=session.id, since="24h")
    events = await visit.ask("events.list", sessions=[session.id], types=[EventType.SESSION_STATUS], limit=HISTORY)
    acceptable_ms = visit.site.live.current.latency.acceptable_ms
    return visit.page(
        "session",
        PARTS,
        mark=mark,
        session=session,
        line=line_of(session, next(iter(figures.results), None), acceptable_ms),
        day=day,
        measures=rows_of(day),
        history=_history(events.results, visit.formats.now_ms),
    )


def _history(events: Sequence[dict[str, object]], now_ms: int) -> list[dict[str, object]]:
    """Newest first, each with how long it lasted; the newest lasts still."""
    moments = [_moment(event) for event in events]
    ends = [moment["at"] for moment in moments[1:]] + [now_ms]
    return [moment | {"seconds": (end - moment["at"]) / 1000} for moment, end in zip(moments, ends, strict=True)][::-1]


def _moment(event: dict[str, object]) -> dict[str, Any]:
    """A change of state: when, and what it became."""
    data = event["data"]
    if not isinstance(data, dict):
        raise TypeError("the data of session.status is an object")
    reason = None if data["status_reason"] is None else Reason(data["status_reason"])
    status = SessionStatus(data["status"])
    return {"at": parse_time(str(event["at"]), 0), "status": status, "reason": reason, "tone": tone_of(status, reason)}


PAGES = [Page("/sessions/{session}", show)]
