"""session.figures: what a table of sessions shows beside the sessions themselves."""

import sqlite3

from pombal.model import latency_results
from pombal.model import params as p
from pombal.model.caller import Caller
from pombal.model.latency import Measure
from pombal.model.session import SessionRow
from pombal.model.times import parse_time
from pombal.service.deps import Deps
from pombal.service.latency_methods import shown_percentiles
from pombal.service.scope import visible_sessions
from pombal.store.latency_series import Figures, figures_of_sessions, most_troubled
from pombal.store.latency_stats import widen
from pombal.store.session_queries import sessions_by_keys


class FigureMethods:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def sessions(self, params: p.SessionFiguresParams, caller: Caller) -> latency_results.SessionFiguresList:
        now_ms = self._deps.clock().wall_ms
        since_ms = parse_time(params.since, now_ms)
        until_ms = now_ms + 1 if params.until is None else parse_time(params.until, now_ms)

        def query(connection: sqlite3.Connection) -> list[tuple[SessionRow, Figures]]:
            keys = _keys(connection, params, caller, (since_ms, until_ms, now_ms))
            rows = sessions_by_keys(connection, set(keys))
            figures = figures_of_sessions(connection, keys, since_ms, until_ms, now_ms)
            return [(rows[key], figures[key]) for key in keys]

        found = await self._deps.reader.run(query)
        since, until = widen(since_ms, until_ms, now_ms)
        results = [self._shown(row, figures) for row, figures in found]
        return latency_results.SessionFiguresList(since=since, until=until, results=results)

    def _shown(self, row: SessionRow, figures: Figures) -> latency_results.SessionFigures:
        seat = self._deps.registry.by_key(row.key)
        out, inbound = figures.sums[Measure.OUTBOUND], figures.sums[Measure.INBOUND]
        measured, late = out.measured + inbound.measured, out.late + inbound.late
        return latency_results.SessionFigures(
            session=row.name,
            session_id=row.id,
            outbox_depth=0 if seat is None else seat.outbox.depth,
            outbound_messages=out.messages,
            inbound_messages=inbound.messages,
            measured_messages=measured,
            high_latency_count=late,
            acceptable_rate=(measured - late) / measured if measured else None,
            percentiles=shown_percentiles(figures.percentiles),
        )


def _keys(
    connection: sqlite3.Connection, params: p.SessionFiguresParams, caller: Caller, times: tuple[int, int, int]
) -> list[int]:
    """The sessions that were asked for, else the most troubled of those that caller may see."""
    if params.sessions is not None:
        named = [visible_sessions(connection, name, caller) or () for name in params.sessions]
        return list(dict.fromkeys(key for keys in named for key in keys))
    return most_troubled(connection, visible_sessions(connection, None, caller), *times, params.limit)
