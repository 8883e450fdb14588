"""Latency rollups: counts and histograms a minute, an hour, a day and a week; a session, an owner and all together.

A transaction adds up what its messages taught, once a session, minute and measure; SQLite spreads that over the spans,
and to the sums over an owner's sessions (under the owner's key, negated) and over all (key 0). So a question about any
range reads a few weeks, days, hours and minutes, however many messages and sessions there were, and forgetting the
minutes of last week loses nothing.
"""

import sqlite3
from collections import defaultdict
from typing import Any

from pombal.model.latency import Measure, bucket_of
from pombal.model.message import Direction, MessageRow, between_ms
from pombal.store.rows import packed

MINUTE_MS = 60_000
SPANS_S = (60, 3600, 86_400, 604_800)
EVERY_SESSION = 0

# The rows of one JSON text, each once for every span: for its session, for that one's owner and for all sessions.
_SPREAD = """
    SELECT CASE scope.column1 WHEN 0 THEN 0 WHEN 1 THEN session.key ELSE -owner.key END, span.column1 AS span_s,
        (value->>1) - (value->>1) % (span.column1 * 1000) AS starts_at, {columns}
    FROM json_each(?) AS learnt CROSS JOIN sessions AS session ON session.key = learnt.value->>0
    CROSS JOIN owners AS owner ON owner.name = session.owner
    CROSS JOIN (VALUES (60), (3600), (86400), (604800)) AS span CROSS JOIN (VALUES (0), (1), (2)) AS scope
    WHERE true GROUP BY 1, 2, 3, {keys}
"""
_ADD_COUNTS = f"""
    INSERT INTO latency_rollups (session_key, span_s, starts_at, measure, messages, measured, late, sum_ms, max_ms)
    {
    _SPREAD.format(
        columns="value->>2, sum(value->>3), sum(value->>4), sum(value->>5), sum(value->>6), max(value->>7)", keys="4"
    )
}
    ON CONFLICT DO UPDATE SET messages = messages + excluded.messages, measured = measured + excluded.measured,
        late = late + excluded.late, sum_ms = sum_ms + excluded.sum_ms, max_ms = max(max_ms, excluded.max_ms)
"""
_ADD_BUCKETS = f"""
    INSERT INTO latency_histograms (session_key, span_s, starts_at, measure, bucket, count)
    {_SPREAD.format(columns="value->>2, value->>3, sum(value->>4)", keys="4, 5")}
    ON CONFLICT DO UPDATE SET count = count + excluded.count
"""


class RollupDeltas:
    """What one transaction adds to the rollups."""

    __slots__ = ("_buckets", "_counts")

    def __init__(self) -> None:
        self._counts: dict[tuple[int, int, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
        self._buckets: dict[tuple[int, int, str, int], int] = defaultdict(int)

    def message(self, row: MessageRow, count: int = 1) -> None:
        """A message exists (or, with -1, counts at another minute from now on)."""
        measure = Measure.OUTBOUND if row.direction == Direction.OUTBOUND else Measure.INBOUND
        self._counts[row.session_key, _minute(row), measure][0] += count

    def learnt(self, before: MessageRow | None, after: MessageRow) -> None:
        """What became known between two versions of a row; a latency that was known before is not counted again."""
        if not after.is_measured or after.offline:
            return
        if after.direction == Direction.INBOUND:
            if before is None and after.total_latency_ms is not None:
                sums = self._measure(after, Measure.INBOUND, after.total_latency_ms)
                sums[2] += after.is_latency_acceptable is False
            return
        for measure, stamp in _OUTBOUND_STAMPS:
            known_before = before is not None and getattr(before, stamp) is not None
            latency_ms = between_ms(after.queued_at, getattr(after, stamp))
            if latency_ms is not None and not known_before:
                self._measure(after, measure, latency_ms)
        if after.is_latency_acceptable is not None and (before is None or before.is_latency_acceptable is None):
            sums = self._counts[after.session_key, _minute(after), Measure.OUTBOUND]
            sums[1] += 1
            sums[2] += after.is_latency_acceptable is False

    def write(self, connection: sqlite3.Connection) -> None:
        if self._counts:
            connection.execute(_ADD_COUNTS, [packed([*key, *sums] for key, sums in self._counts.items())])
        if self._buckets:
            connection.execute(_ADD_BUCKETS, [packed([*key, count] for key, count in self._buckets.items())])

    def _measure(self, row: MessageRow, measure: str, latency_ms: int) -> list[int]:
        """Returns what is summed up with it."""
        key: tuple[int, int, str] = (row.session_key, _minute(row), measure)
        sums = self._counts[key]
        sums[1] += 1
        sums[3] += latency_ms
        sums[4] = max(sums[4], latency_ms)
        self._buckets[*key, bucket_of(latency_ms)] += 1
        return sums


_OUTBOUND_STAMPS: tuple[tuple[str, Any], ...] = (
    (Measure.TO_SENT, "sent_at"),
    (Measure.TO_DELIVERED, "delivered_at"),
    (Measure.TO_READ, "read_at"),
)


def owner_key(connection: sqlite3.Connection, owner: str) -> int | None:
    """Under which key the sums over an owner's sessions stand; None where it has never had any."""
    found = connection.execute("SELECT -key FROM owners WHERE name = ?", [owner]).fetchone()
    return None if found is None else int(found[0])


def _minute(row: MessageRow) -> int:
    return row.happened_at - row.happened_at % MINUTE_MS
