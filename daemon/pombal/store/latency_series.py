"""Latency over time, by session and as a distribution, from the same rollups as the statistics."""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pombal.model.latency import Measure, value_of
from pombal.store.latency_stats import DAY_MS, MINUTES_KEPT_MS, Sums, cover, percentiles_of, widen
from pombal.store.rollups import EVERY_SESSION, RECENT, SPREAD, Tables
from pombal.store.rows import packed, unpacked

POINTS_MAX = 100
# How long a point of the curve may be, and the rollups that it is put together from, in seconds.
_STEPS_S = ((60, 60), (300, 60), (900, 60), (3600, 3600), (7200, 3600), (21_600, 3600), (86_400, 86_400))
# Upper edges of the bars of a distribution (ms); what is slower than the last stands in a bar of its own.
EDGES_MS = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000)

_AMONG = "session_key IN (SELECT value FROM json_each(?))"
_RANGE = "span_s = ? AND starts_at >= ? AND starts_at < ?"


@dataclass(slots=True)
class Figures:
    """What was measured in one step of time, or of one session: sums and histogram buckets by measure."""

    sums: dict[Measure, Sums] = field(default_factory=lambda: defaultdict(Sums))
    buckets: dict[Measure, dict[int, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))

    def percentiles(self, measure: Measure) -> dict[str, float | None]:
        return percentiles_of(self.buckets[measure], self.sums[measure].max_ms)

    def distribution(self, measure: Measure) -> list[int]:
        """How many were at most as slow as each of EDGES_MS and slower than the one before; last, all others."""
        counts = [0] * (len(EDGES_MS) + 1)
        for bucket, count in self.buckets[measure].items():
            value_ms = value_of(bucket)
            counts[next((place for place, edge in enumerate(EDGES_MS) if value_ms <= edge), -1)] += count
        return counts


@dataclass(frozen=True, slots=True)
class Series:
    """Figures step by step (a step without a message has none), and of the whole range."""

    since_ms: int
    until_ms: int
    step_s: int
    steps: dict[int, Figures]
    whole: Figures


def step_of(since_ms: int, until_ms: int, now_ms: int) -> tuple[int, int]:
    """(seconds a point, seconds of the rollups it is made of): the finest that needs at most POINTS_MAX points."""
    # Minutes are forgotten after a week; an hour of margin, since they are pruned by whole hours.
    coarse = since_ms < now_ms - MINUTES_KEPT_MS + 3_600_000
    for step_s, span_s in _STEPS_S:
        if (until_ms - since_ms) / (step_s * 1000) <= POINTS_MAX and not (coarse and span_s == 60):
            return step_s, span_s
    days = -(-(until_ms - since_ms) // (POINTS_MAX * DAY_MS))
    return days * 86_400, 86_400


def latency_series(
    connection: sqlite3.Connection, session_keys: Sequence[int] | None, since_ms: int, until_ms: int, now_ms: int
) -> Series:
    """Of these sessions (None: all) together; the range is widened to whole steps."""
    step_s, span_s = step_of(since_ms, until_ms, now_ms)
    step_ms = step_s * 1000
    since, until = since_ms - since_ms % step_ms, -(-until_ms // step_ms) * step_ms
    keys = [EVERY_SESSION] if session_keys is None else list(session_keys)
    steps: dict[int, Figures] = defaultdict(Figures)
    for tables, of_s in ((SPREAD, span_s), (RECENT, 60)):
        _add(
            connection, tables, f"starts_at - starts_at % {step_ms}", [packed(keys), of_s, since, until],
            lambda at: steps[at],
        )  # fmt: skip
    return Series(since, until, step_s, dict(steps), _together(steps.values()))


def figures_of_sessions(
    connection: sqlite3.Connection, keys: Sequence[int], since_ms: int, until_ms: int, now_ms: int
) -> dict[int, Figures]:
    """Of each of these sessions, by key."""
    found: dict[int, Figures] = {key: Figures() for key in keys}
    for tables, *run in _runs(since_ms, until_ms, now_ms):
        _add(connection, tables, "session_key", [packed(keys), *run], found.__getitem__)
    return found


def _runs(since_ms: int, until_ms: int, now_ms: int) -> Iterator[tuple[Tables, int, int, int]]:
    """The range, widened, as runs (span in seconds, from, to) of what is spread; and of what is recent, as one."""
    since, until = widen(since_ms, until_ms, now_ms)
    yield from ((SPREAD, *run) for run in cover(since, until))
    yield RECENT, 60, since, until


def most_troubled(
    connection: sqlite3.Connection, keys: Sequence[int] | None, since_ms: int, until_ms: int, now_ms: int, limit: int
) -> list[int]:
    """The keys of the sessions (of these, or of all) with the most late messages, then with the most messages."""
    totals: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for tables, *run in _runs(since_ms, until_ms, now_ms):
        among, parameters = "session_key > 0", list[Any](run)
        if keys is not None:
            among, parameters = _AMONG, [packed(keys), *parameters]
        sql = f"""
            SELECT json_group_array(json_array(session_key, late, messages)) FROM (
                SELECT session_key, sum(late) AS late, sum(messages) AS messages FROM {tables.sums}
                WHERE {among} AND {_RANGE} GROUP BY session_key)
        """
        for key, late, messages in unpacked(connection, sql, parameters):
            totals[key][0] += late
            totals[key][1] += messages
    ordered = sorted(totals.items(), key=lambda item: (-item[1][0], -item[1][1], item[0]))
    return [key for key, (_, messages) in ordered[:limit] if messages]


def _add(
    connection: sqlite3.Connection, tables: Tables, group: str, parameters: list[Any],
    figures_of: Callable[[int], Figures],
) -> None:  # fmt: skip
    sums = f"""
        SELECT json_group_array(json_array(place, measure, a, b, c, d, e)) FROM (
            SELECT {group} AS place, measure, sum(messages) AS a, sum(measured) AS b, sum(late) AS c,
                sum(sum_ms) AS d, max(max_ms) AS e
            FROM {tables.sums} WHERE {_AMONG} AND {_RANGE} GROUP BY place, measure)
    """
    for place, measure, *values in unpacked(connection, sums, parameters):
        figures_of(place).sums[Measure(measure)].add(*values)
    buckets = f"""
        SELECT json_group_array(json_array(place, measure, bucket, counted)) FROM (
            SELECT {group} AS place, measure, bucket, sum(count) AS counted
            FROM {tables.buckets} WHERE {_AMONG} AND {_RANGE} GROUP BY place, measure, bucket)
    """
    for place, measure, bucket, count in unpacked(connection, buckets, parameters):
        figures_of(place).buckets[Measure(measure)][bucket] += count


def _together(several: Iterable[Figures]) -> Figures:
    whole = Figures()
    for figures in several:
        for measure, sums in figures.sums.items():
            whole.sums[measure].add(sums.messages, sums.measured, sums.late, sums.sum_ms, sums.max_ms)
        for measure, buckets in figures.buckets.items():
            for bucket, count in buckets.items():
                whole.buckets[measure][bucket] += count
    return whole
