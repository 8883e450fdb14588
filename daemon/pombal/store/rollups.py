"""Latency rollups: counts and histograms a minute, an hour, a day and a week; a session, an owner and all together.

A transaction adds up what its messages taught to ``latency_recent``, by minute: for their sessions, for those sessions'
owners (under the owner's key, negated) and for all (key 0). Once a minute that is spread over the four spans and leaves
``latency_recent`` (spreading.py). So a commit writes few rows that lie together; and a question about any range reads a
few weeks, days, hours and minutes, and what is recent besides. Forgetting the minutes of last week loses nothing.
"""

import sqlite3
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from pombal.model.latency import Measure, bucket_of
from pombal.model.message import Direction, MessageRow, between_ms
from pombal.store.rows import PACKED_ROWS, values_of

MINUTE_MS = 60_000
SPANS_S = (60, 3600, 86_400, 604_800)
EVERY_SESSION = 0
NO_BUCKET = -2
"""In place of a histogram's bucket: a recent row that counts messages, and no latency. -1 is 0 ms."""

_SUMS = ("messages", "measured", "late", "sum_ms", "max_ms")
_RECENT = ("session_key", "starts_at", "measure", "bucket", *_SUMS)
ADDED_UP = "sum(messages), sum(measured), sum(late), sum(sum_ms), max(max_ms)"
ADD = """
    ON CONFLICT DO UPDATE SET messages = messages + excluded.messages, measured = measured + excluded.measured,
        late = late + excluded.late, sum_ms = sum_ms + excluded.sum_ms, max_ms = max(max_ms, excluded.max_ms)
"""
# The rows of one JSON text: each for its session, and added up for all sessions and for each owner.
LEARN = f"""
    INSERT INTO latency_recent ({", ".join(_RECENT)})
    WITH learnt ({", ".join(_RECENT)}) AS MATERIALIZED (SELECT {values_of(_RECENT)} FROM {PACKED_ROWS})
    SELECT * FROM learnt
    UNION ALL SELECT {EVERY_SESSION}, starts_at, measure, bucket, {ADDED_UP} FROM learnt GROUP BY 2, 3, 4
    UNION ALL SELECT -owner.key, starts_at, measure, bucket, {ADDED_UP} FROM learnt
    CROSS JOIN sessions AS session ON session.key = learnt.session_key
    CROSS JOIN owners AS owner ON owner.name = session.owner GROUP BY 1, 2, 3, 4
    {ADD}
"""


@dataclass(frozen=True, slots=True)
class Tables:
    """Where rollups stand, as SQL: sums by session_key, span_s, starts_at and measure; histograms by bucket besides."""

    sums: str
    buckets: str


SPREAD = Tables("latency_rollups", "latency_histograms")
# Whole ranges of it are read as minutes. A latency is counted once in the sums and once in its bucket.
RECENT = Tables(
    f"(SELECT session_key, 60 AS span_s, starts_at, measure, {', '.join(_SUMS)} FROM latency_recent)",
    "(SELECT session_key, 60 AS span_s, starts_at, measure, bucket, measured AS count FROM latency_recent "
    f"WHERE bucket <> {NO_BUCKET})",
)


class RollupDeltas:
    """What one transaction adds to the rollups."""

    __slots__ = ("_sums",)

    def __init__(self) -> None:
        self._sums: dict[tuple[int, int, str, int], list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])

    def message(self, row: MessageRow, count: int = 1) -> None:
        """A message exists (or, with -1, counts at another minute from now on)."""
        measure = Measure.OUTBOUND if row.direction == Direction.OUTBOUND else Measure.INBOUND
        self._sums[row.session_key, _minute(row), measure, NO_BUCKET][0] += count

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
            if getattr(after, stamp) is None or (before is not None and getattr(before, stamp) is not None):
                continue
            if (latency_ms := between_ms(after.queued_at, getattr(after, stamp))) is not None:
                self._measure(after, measure, latency_ms)
        if after.is_latency_acceptable is not None and (before is None or before.is_latency_acceptable is None):
            sums = self._sums[after.session_key, _minute(after), Measure.OUTBOUND, NO_BUCKET]
            sums[1] += 1
            sums[2] += after.is_latency_acceptable is False

    def rows(self) -> list[list[Any]]:
        """As LEARN takes them."""
        return [[*key, *sums] for key, sums in self._sums.items()]

    def _measure(self, row: MessageRow, measure: str, latency_ms: int) -> list[int]:
        """Returns what is summed up with it."""
        sums = self._sums[row.session_key, _minute(row), measure, bucket_of(latency_ms)]
        sums[1] += 1
        sums[3] += latency_ms
        sums[4] = max(sums[4], latency_ms)
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
