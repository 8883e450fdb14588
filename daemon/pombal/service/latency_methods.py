"""latency.stats"""

import sqlite3
from collections.abc import Callable

from pombal.model import latency_results
from pombal.model import params as p
from pombal.model.caller import Caller
from pombal.model.latency import Measure
from pombal.model.message import Direction
from pombal.model.times import parse_time
from pombal.service.deps import Deps
from pombal.service.scope import visible_rollups
from pombal.store.latency_series import EDGES_MS, Figures, Series, latency_series
from pombal.store.latency_stats import LatencyStats, Sums, latency_stats
from pombal.store.rollup_parts import SpreadMemory

HISTOGRAMS = (Measure.TO_SENT, Measure.TO_DELIVERED, Measure.TO_READ, Measure.INBOUND)


class LatencyMethods:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._memory = SpreadMemory()

    async def stats(self, params: p.LatencyParams, caller: Caller) -> latency_results.LatencyStats:
        now_ms = self._deps.clock().wall_ms
        since_ms = None if params.since is None else parse_time(params.since, now_ms)
        until_ms = now_ms + 1 if params.until is None else parse_time(params.until, now_ms)
        directions = tuple(Direction) if params.direction is None else (params.direction,)

        def query(connection: sqlite3.Connection) -> LatencyStats:
            keys = visible_rollups(connection, params.session, caller)
            return latency_stats(connection, keys, directions, since_ms, until_ms, now_ms, self._memory)

        found = await self._deps.reader.run(query)
        return _shown(found, self._deps.live.current.latency.acceptable_ms)

    async def series(self, params: p.LatencySeriesParams, caller: Caller) -> latency_results.LatencySeries:
        now_ms = self._deps.clock().wall_ms
        since_ms = parse_time(params.since, now_ms)
        until_ms = now_ms + 1 if params.until is None else parse_time(params.until, now_ms)

        def query(connection: sqlite3.Connection) -> Series:
            keys = visible_rollups(connection, params.session, caller)
            return latency_series(connection, keys, since_ms, max(since_ms, until_ms), now_ms)

        found = await self._deps.reader.run(query)
        bars = {measure.value: _bars(found.whole.distribution(measure)) for measure in HISTOGRAMS}
        return latency_results.LatencySeries(
            since=found.since_ms,
            until=found.until_ms,
            step_seconds=found.step_s,
            acceptable_ms=self._deps.live.current.latency.acceptable_ms,
            results=[_point(at, figures) for at, figures in sorted(found.steps.items())],
            distribution=latency_results.LatencyDistribution(**bars),
        )


def _point(at: int, figures: Figures) -> latency_results.LatencyPoint:
    out, inbound = figures.sums[Measure.OUTBOUND], figures.sums[Measure.INBOUND]
    return latency_results.LatencyPoint(
        at=at,
        outbound_messages=out.messages,
        inbound_messages=inbound.messages,
        measured_messages=out.measured + inbound.measured,
        high_latency_count=out.late + inbound.late,
        percentiles=shown_percentiles(figures.percentiles),
    )


def _bars(counts: list[int]) -> list[latency_results.LatencyBar]:
    return [
        latency_results.LatencyBar(up_to_ms=edge, count=count)
        for edge, count in zip((*EDGES_MS, None), counts, strict=True)
    ]


def shown_percentiles(percentiles: Callable[[Measure], dict[str, float | None]]) -> latency_results.LatencyPercentiles:
    return latency_results.LatencyPercentiles(
        **{each.value: latency_results.Percentiles(**percentiles(each)) for each in HISTOGRAMS}
    )


def _shown(found: LatencyStats, acceptable_ms: int) -> latency_results.LatencyStats:
    nothing = Sums()
    outbound = found.sums.get(Measure.OUTBOUND, nothing)
    inbound = found.sums.get(Measure.INBOUND, nothing)
    measured, late = outbound.measured + inbound.measured, outbound.late + inbound.late
    return latency_results.LatencyStats(
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
        percentiles=latency_results.LatencyPercentiles(
            **{
                measure.value: latency_results.Percentiles(**found.percentiles[measure])
                for measure in HISTOGRAMS
                if measure in found.percentiles
            }
        ),
    )
