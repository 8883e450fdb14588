"""Latency statistics from the rollups: the time they take depends on the range, not on how much was sent in it."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pombal.model.latency import PERCENTILES, Measure, percentiles
from pombal.store.rollup_parts import Asked, RollupPart, SpreadMemory, recent_part, spread_part
from pombal.store.rollups import EVERY_SESSION, SPANS_S

DAY_MS, WEEK_MS = 86_400_000, 604_800_000
MINUTES_KEPT_MS = 7 * DAY_MS


@dataclass(slots=True)
class Sums:
    """One measure over a range."""

    messages: int = 0
    measured: int = 0
    late: int = 0
    sum_ms: int = 0
    max_ms: int = 0

    def add(self, messages: int, measured: int, late: int, sum_ms: int, max_ms: int) -> None:
        self.messages += messages
        self.measured += measured
        self.late += late
        self.sum_ms += sum_ms
        self.max_ms = max(self.max_ms, max_ms)

    @property
    def average_ms(self) -> float | None:
        return round(self.sum_ms / self.measured, 3) if self.measured else None


@dataclass(frozen=True, slots=True)
class LatencyStats:
    """What was measured between two instants (epoch ms; until is excluded), widened to whole minutes or hours."""

    since_ms: int
    until_ms: int
    sums: dict[Measure, Sums]
    percentiles: dict[Measure, dict[str, float | None]]


def widen(since_ms: int, until_ms: int, now_ms: int) -> tuple[int, int]:
    """The range in whole spans: minutes within the last seven days, hours before.

    The minutes begin at a full hour, so that no range has to be put together from minutes that are gone.
    """
    fine_from = _ceil(now_ms - MINUTES_KEPT_MS, 3_600_000)
    return _floor(since_ms, _unit(since_ms, fine_from)), _ceil(until_ms, _unit(until_ms, fine_from))


def _unit(at_ms: int, fine_from_ms: int) -> int:
    return 60_000 if at_ms >= fine_from_ms else 3_600_000


def _floor(at_ms: int, unit_ms: int) -> int:
    return at_ms - at_ms % unit_ms


def _ceil(at_ms: int, unit_ms: int) -> int:
    return -(-at_ms // unit_ms) * unit_ms


def cover(since_ms: int, until_ms: int) -> Iterator[tuple[int, int, int]]:
    """[since, until) as few runs of whole weeks, days, hours and minutes: (span in seconds, from, to)."""
    yield from _cover(since_ms, until_ms, sorted(SPANS_S, reverse=True))


def _cover(since_ms: int, until_ms: int, spans_s: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    if since_ms >= until_ms:
        return
    span_s, *finer = spans_s
    start, end = _ceil(since_ms, span_s * 1000), _floor(until_ms, span_s * 1000)
    if start >= end:
        yield from _cover(since_ms, until_ms, finer)
        return
    if finer:
        yield from _cover(since_ms, start, finer)
    yield span_s, start, end
    if finer:
        yield from _cover(end, until_ms, finer)


def signed_cover(since_ms: int, until_ms: int) -> Iterator[tuple[int, int, int, int]]:
    """[since, until) as (sign, span in seconds, from, to), half as long as cover: what is too much is taken off again.

    For what can be subtracted, as counts can. Span by finer span, both ends are approached from the nearer side.
    """
    ends: tuple[int, int] | None = None
    for span_s in sorted(SPANS_S, reverse=True):
        low, high = _nearest(since_ms, span_s * 1000), _nearest(until_ms, span_s * 1000)
        runs = [(1, low, high)] if ends is None else [(-1, ends[0], low), (1, ends[1], high)]
        for sign, start, end in runs:
            if start != end:
                yield (sign, span_s, start, end) if start < end else (-sign, span_s, end, start)
        if ends is not None or low != high:
            ends = low, high


def _nearest(at_ms: int, unit_ms: int) -> int:
    return _floor(at_ms + unit_ms // 2, unit_ms)


def latency_stats(
    connection: sqlite3.Connection,
    session_keys: Sequence[int] | None,
    directions: Sequence[str],
    since_ms: int | None,
    until_ms: int,
    now_ms: int,
    memory: SpreadMemory | None = None,
) -> LatencyStats:
    """Statistics of these sessions (None: all), from the beginning of what is known where since is None.

    An owner's sessions together have one key, rollups.owner_key. memory: what was read for earlier questions.
    """
    keys = (EVERY_SESSION,) if session_keys is None else tuple(session_keys)
    since, until = widen(_first_day(connection, keys, until_ms) if since_ms is None else since_ms, until_ms, now_ms)
    measures = tuple(measure for measure in Measure if _direction_of(measure) in directions)
    # Nothing has happened yet of what lies ahead, and nothing before the first day: whole weeks say the same.
    whole_until = until if until_ms < now_ms else _ceil(until, WEEK_MS)
    whole_since = since if since_ms is not None else _floor(since, WEEK_MS)
    asked = Asked(keys, measures, whole_since, whole_until)
    version, recent = recent_part(connection, asked)
    spread = (memory or SpreadMemory()).part(asked, version, lambda: _spread(connection, asked))
    sums, buckets = _together((spread, recent), measures)
    shown = {measure: percentiles_of(buckets[measure], sums[measure].max_ms) for measure in measures}
    return LatencyStats(since, until, sums, shown)


def _spread(connection: sqlite3.Connection, asked: Asked) -> RollupPart:
    within = asked.since_ms, asked.until_ms
    return spread_part(connection, asked, cover(*within), signed_cover(*within))


def _together(
    parts: Iterable[RollupPart], measures: Iterable[Measure]
) -> tuple[dict[Measure, Sums], dict[Measure, dict[int, int]]]:
    sums = {measure: Sums() for measure in measures}
    buckets: dict[Measure, dict[int, int]] = {measure: {} for measure in measures}
    for part in parts:
        for measure, *values in part.sums:
            if (summed := sums.get(measure)) is not None:
                summed.add(*values)
        for measure, (places, counts) in part.buckets:
            known = buckets[measure]
            for place, count in zip(places, counts, strict=True):
                known[place] = known.get(place, 0) + count
    return sums, buckets


def _direction_of(measure: Measure) -> str:
    return "inbound" if measure == Measure.INBOUND else "outbound"


def _first_day(connection: sqlite3.Connection, keys: Sequence[int], until_ms: int) -> int:
    """The beginning of the first day of which something is known; until_ms where nothing is."""
    spread = "SELECT min(starts_at) FROM latency_rollups WHERE session_key = ? AND span_s = 86400"
    recent = "SELECT min(starts_at) FROM latency_recent WHERE session_key = ?"
    firsts = [connection.execute(sql, [key]).fetchone()[0] for key in keys for sql in (spread, recent)]
    return min((_floor(first, DAY_MS) for first in firsts if first is not None), default=until_ms)


def percentiles_of(buckets: dict[int, int], max_ms: int) -> dict[str, float | None]:
    shown = dict(zip(PERCENTILES, percentiles(buckets.items(), PERCENTILES.values(), max_ms), strict=True))
    return shown | {"max": float(max_ms) if any(buckets.values()) else None}
