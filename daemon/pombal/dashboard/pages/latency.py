"""Latency: how it is spread, how it went over time, by session, and the slowest messages with the stage to blame."""

from starlette.responses import Response

from pombal.dashboard.app import Page
from pombal.dashboard.pages.chats import chat_path
from pombal.dashboard.views.conversations import message_line
from pombal.dashboard.views.latency import MEASURES, rows_of, spread_of, time_chart
from pombal.dashboard.visit import Visit
from pombal.model.message import Message

SPANS = ("1h", "6h", "24h", "7d", "30d")
DEFAULT_SPAN = "24h"
SLOWEST, LATE_READ = 10, 200
SESSIONS = 12
PARTS = {"figures": "latency"}


async def show(visit: Visit) -> Response:
    mark = await visit.mark()
    since = span if (span := visit.query("since")) in SPANS else DEFAULT_SPAN
    session = visit.query("session")
    series = await visit.ask("latency.series", session=session, since=since)
    stats = await visit.ask("latency.stats", session=session, since=since)
    slow = await visit.ask("message.high_latency", session=session, since=since, limit=LATE_READ)
    sessions = None if session else await visit.ask("session.figures", since=since, limit=SESSIONS)
    return visit.page(
        "latency",
        PARTS,
        mark=mark,
        since=since,
        spans=SPANS,
        session_name=session,
        stats=stats,
        measures=rows_of(stats),
        chart=time_chart(series),
        step_seconds=series.step_seconds,
        spread=spread_of(series),
        measure_names=MEASURES,
        slowest=[message_line(message) for message in _slowest(slow.results)],
        sessions=[] if sessions is None else sessions.results,
        chat_path=chat_path,
    )


def _slowest(late: list[Message]) -> list[Message]:
    """Of the newest late ones, the latest."""
    return sorted(late, key=lambda message: -(message.total_latency_ms or 0))[:SLOWEST]


PAGES = [Page("/latency", show)]
