"""latency.stats"""

import sqlite3

from pombal.model import params as p
from pombal.model import results as r
from pombal.model.caller import Caller
from pombal.model.latency import Measure
from pombal.model.message import Direction
from pombal.model.times import parse_time
from pombal.service.deps import Deps
from pombal.service.scope import visible_sessions
from pombal.store.latency_stats import LatencyStats, Sums, latency_stats


class LatencyMethods:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def stats(self, params: p.LatencyParams, caller: Caller) -> r.LatencyStats:
        now_ms = self._deps.clock().wall_ms
        since_ms = None if params.since is None else parse_time(params.since, now_ms)
        until_ms = now_ms + 1 if params.until is None else parse_time(params.until, now_ms)
        directions = tuple(Direction) if params.direction is None else (params.direction,)

        def query(connection: sqlite3.Connection) -> LatencyStats:
            keys = visible_sessions(connection, params.session, caller)
            return latency_stats(connection, keys, directions, since_ms, until_ms, now_ms)

        found = await self._deps.reader.run(query)
        return _shown(found, self._deps.live.current.latency.acceptable_ms)


def _shown(found: LatencyStats, acceptable_ms: int) -> r.LatencyStats:
    nothing = Sums()
    outbound = found.sums.get(Measure.OUTBOUND, nothing)
    inbound = found.sums.get(Measure.INBOUND, nothing)
    measured, late = outbound.measured + inbound.measured, outbound.late + inbound.late
    histograms = (Measure.TO_SENT, Measure.TO_DELIVERED, Measure.TO_READ, Measure.INBOUND)
    return r.LatencyStats(
        since=found.since_ms,
        until=found.until_ms,
        total_messages=outbound.messages + inbound.messages,
        measured_messages=measured,
        average_latency_to_sent_ms=found.sums.get(Measure.TO_SENT, nothing).average_ms,
        average_latency_to_delivered_ms=found.sums.get(Measure.TO_DELIVERED, nothing).average_ms,
        average_latency_to_read_ms=found.sums.get(Measure.TO_READ, nothing).average_ms,
        average_inbound_latency_ms=inbound.average_ms,
        acceptable_rate=(measured - late) / measured if measured else None,
        high_latency_count=late,
        acceptable_ms=acceptable_ms,
        percentiles=r.LatencyPercentiles(
            **{
                measure.value: r.Percentiles(**found.percentiles[measure])
                for measure in histograms
                if measure in found.percentiles
            }
        ),
    )
