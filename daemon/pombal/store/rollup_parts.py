"""What rollups say of a range: the part that is spread over their spans, and the part that is recent.

What is spread changes once a minute and is most of the reading: thousands of rows for a month. So it is remembered for
the next question about the same range, together with its version: ``latency_versions`` counts, a key, the changes of
what is spread. Both are read in one snapshot, so what is remembered under the version that is there is what is there.
"""

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock
from typing import Any

from pydantic_core import from_json

from pombal.model.latency import Measure
from pombal.store.rollups import NO_BUCKET
from pombal.store.rows import packed

REMEMBERED = 32  # ranges; each has up to some 1,500 buckets, 100 kB


@dataclass(frozen=True, slots=True)
class RollupPart:
    """Rows [measure, messages, measured, late, sum_ms, max_ms], and rows [measure, [buckets, counts]]."""

    sums: list[list[Any]]
    buckets: list[list[Any]]


@dataclass(frozen=True, slots=True)
class Asked:
    """The rollups of these keys together, in [since, until) (epoch ms)."""

    keys: tuple[int, ...]
    measures: tuple[Measure, ...]
    since_ms: int
    until_ms: int


class SpreadMemory:
    """What was read of the spread rollups, while its version holds. For all threads that read one database."""

    def __init__(self) -> None:
        self._parts: dict[Asked, tuple[int, RollupPart]] = {}
        self._lock = Lock()

    def part(self, asked: Asked, version: int, read: Callable[[], RollupPart]) -> RollupPart:
        """What is remembered under this version, else what read returns."""
        known_version, part = self._parts.get(asked, (None, None))
        if part is not None and known_version == version:
            return part
        part = read()
        with self._lock:
            self._parts.pop(asked, None)
            self._parts[asked] = version, part
            if len(self._parts) > REMEMBERED:
                del self._parts[next(iter(self._parts))]  # the one that was read longest ago
        return part


_SUMS = """
    SELECT json_group_array(json_array(measure, messages, measured, late, sum_ms, max_ms)) FROM (
        SELECT measure, sum(messages) AS messages, sum(measured) AS measured, sum(late) AS late,
            sum(sum_ms) AS sum_ms, max(max_ms) AS max_ms
        {rows} GROUP BY measure)
"""
# Each measure by itself: sorting by the bucket, an integer, takes half as long as by a text before it.
_BUCKETS = """
    SELECT json_group_array(json_array(wanted.value, json((
        SELECT json_array(json_group_array(bucket), json_group_array(count)) FROM (
            SELECT bucket, sum({count}) AS count {rows} AND measure = wanted.value GROUP BY bucket)
    )))) FROM json_each(:measures) AS wanted
"""
_AMONG = "session_key IN (SELECT value FROM json_each(:keys))"
_RECENT = f"FROM latency_recent WHERE {_AMONG} AND starts_at >= :since AND starts_at < :until"
_READ_RECENT = f"""
    SELECT (SELECT total(version) FROM latency_versions WHERE {_AMONG}), ({_SUMS.format(rows=_RECENT)}),
        ({_BUCKETS.format(count="measured", rows=f"{_RECENT} AND bucket <> {NO_BUCKET}")})
"""
# Materialized, a run is taken apart once, and not for each of its rows.
_RUNS = """
    run AS MATERIALIZED (SELECT value->>0 AS span_s, value->>1 AS start, value->>2 AS until FROM json_each(:runs)),
    span AS MATERIALIZED (SELECT value->>0 AS sign, value->>1 AS span_s, value->>2 AS start FROM json_each(:spans))
"""
_RUN = f"""
    FROM run CROSS JOIN latency_rollups AS r ON {_AMONG}
    AND r.span_s = run.span_s AND r.starts_at >= run.start AND r.starts_at < run.until
"""
_SPAN = f"""
    FROM span CROSS JOIN latency_histograms AS r ON {_AMONG} AND r.span_s = span.span_s AND r.starts_at = span.start
"""
_READ_SPREAD = f"""
    WITH {_RUNS} SELECT ({_SUMS.format(rows=_RUN)}), ({_BUCKETS.format(count="r.count * sign", rows=_SPAN)})
"""


def recent_part(connection: sqlite3.Connection, asked: Asked) -> tuple[int, RollupPart]:
    """The version of what is spread, and what is not spread yet: one statement (rows.py says why)."""
    named = {**_named(asked), "since": asked.since_ms, "until": asked.until_ms}
    version, sums, buckets = connection.execute(_READ_RECENT, named).fetchone()
    return int(version), RollupPart(from_json(sums), from_json(buckets))


def spread_part(
    connection: sqlite3.Connection,
    asked: Asked,
    runs: Iterable[tuple[int, int, int]],
    signed_runs: Iterable[tuple[int, int, int, int]],
) -> RollupPart:
    """What is spread. The range as (span in seconds, from, to) for sums, and as (sign, span, from, to) for buckets."""
    spans = [(sign, span_s, at) for sign, span_s, start, end in signed_runs for at in range(start, end, 1000 * span_s)]
    named = {**_named(asked), "runs": packed(runs), "spans": packed(spans)}
    sums, buckets = connection.execute(_READ_SPREAD, named).fetchone()
    return RollupPart(from_json(sums), from_json(buckets))


def _named(asked: Asked) -> dict[str, str]:
    return {"keys": packed(asked.keys), "measures": packed(asked.measures)}
