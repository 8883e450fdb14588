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
SLOWEST, LATE_READ, ROUNDS = 10, 200, 5
SESSIONS = 12
PARTS = {"figures": "latency"}


async def show(visit: Visit) -> Response:
    mark = await visit.mark()
    since = span if (span := visit.query("since")) in SPANS else DEFAULT_SPAN
    session = visit.query("session")
    series = await visit.ask("latency.series", session=session, since=since)
    stats = await visit.ask("latency.stats", session=session, since=since)
    slowest = await slowest_of(visit, session=session, since=since)
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
        chart=time_chart(series, visit.formats.zone),
        step_seconds=series.step_seconds,
        spread=spread_of(series),
        measure_names=MEASURES,
        slowest=[message_line(message) for message in slowest],
        sessions_max=SESSIONS,
        sessions=[] if sessions is None else sessions.results,
        chat_path=chat_path,
    )


async def slowest_of(visit: Visit, **scope: str | None) -> list[Message]:
    """The SLOWEST of the late messages. They are listed by time: so each page is asked for what beats all known so far.

    Of late ones in any order a page leaves a twentieth to look for, so few rounds reach the end; after ROUNDS it is
    the slowest of those that were seen.
    """
    slowest: list[Message] = []
    threshold_ms: int | None = None
    for _ in range(ROUNDS):
        page = await visit.ask("message.high_latency", threshold_ms=threshold_ms, limit=LATE_READ, **scope)
        seen = {message.id: message for message in [*slowest, *page.results]}
        slowest = sorted(seen.values(), key=_total_ms, reverse=True)[:SLOWEST]
        if page.next is None:
            break
        threshold_ms = _total_ms(slowest[-1]) + 1
    return slowest


def _total_ms(message: Message) -> int:
    return message.total_latency_ms or 0


PAGES = [Page("/latency", show)]
