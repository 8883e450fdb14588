"""Recent latencies spread over minutes, hours, days and weeks: what many transactions added up is written once."""

import sqlite3

from pombal.model.changes import RecentKey
from pombal.model.params_base import INT64_MAX, INT64_MIN
from pombal.store.rollups import ADD, ADDED_UP, NO_BUCKET, SPANS_S

_KEY = "session_key, starts_at, measure, bucket"
_FIRST: RecentKey = (INT64_MIN, INT64_MIN, "", INT64_MIN)
_LAST: RecentKey = (INT64_MAX, INT64_MIN, "", INT64_MIN)
_END_OF_SLICE = f"""
    SELECT {_KEY} FROM latency_recent WHERE ({_KEY}) > (?, ?, ?, ?) ORDER BY {_KEY} LIMIT 1 OFFSET ?
"""
_SLICE = f"({_KEY}) > (?1, ?2, ?3, ?4) AND ({_KEY}) <= (?5, ?6, ?7, ?8)"
_SPANS = f"CROSS JOIN (VALUES {', '.join(f'({span_s})' for span_s in SPANS_S)}) AS span"
_START = "starts_at - starts_at % (span.column1 * 1000)"
_STATEMENTS = (
    f"""
    INSERT INTO latency_rollups (session_key, span_s, starts_at, measure, messages, measured, late, sum_ms, max_ms)
    SELECT session_key, span.column1, {_START}, measure, {ADDED_UP} FROM latency_recent {_SPANS}
    WHERE {_SLICE} GROUP BY 1, 2, 3, 4 {ADD}
    """,
    f"""
    INSERT INTO latency_histograms (session_key, span_s, starts_at, measure, bucket, count)
    SELECT session_key, span.column1, {_START}, measure, bucket, sum(measured) FROM latency_recent {_SPANS}
    WHERE {_SLICE} AND bucket <> {NO_BUCKET} GROUP BY 1, 2, 3, 4, 5
    ON CONFLICT DO UPDATE SET count = count + excluded.count
    """,
    f"DELETE FROM latency_recent WHERE {_SLICE}",
)


def spread(connection: sqlite3.Connection, after: RecentKey | None, limit: int) -> RecentKey | None:
    """Spread at most limit rows of what is recent, from behind a key (None: from the first) on, in key order.

    The key that was reached, or None once there are no more.
    """
    start = after or _FIRST
    end: RecentKey | None = connection.execute(_END_OF_SLICE, [*start, limit - 1]).fetchone()
    _carry_out(connection, start, end or _LAST)
    return end


def spread_all(connection: sqlite3.Connection) -> None:
    """In the transaction at hand."""
    _carry_out(connection, _FIRST, _LAST)


def _carry_out(connection: sqlite3.Connection, start: RecentKey, end: RecentKey) -> None:
    for statement in _STATEMENTS:
        connection.execute(statement, [*start, *end])
