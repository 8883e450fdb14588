"""Whether the latency rollups say what the messages say, as long as those are kept."""

import sqlite3
from collections.abc import Iterator

from pombal.model.latency import bucket_of
from pombal.model.times import iso
from pombal.store.latency_stats import MINUTES_KEPT_MS
from pombal.store.retained import MESSAGES_WHOLE_FROM
from pombal.store.rollups import NO_BUCKET, SPANS_S

_WEEK_MS, _DAY_MS, _HOUR_MS = 604_800_000, 86_400_000, 3_600_000
_SUMS = "sum(messages), sum(measured), sum(late), sum(sum_ms), max(max_ms)"

# Each message as what it added to the rollups of its day; see rollups.RollupDeltas.
_LEARNT = f"""
    WITH kept AS (
        SELECT *, happened_at - happened_at % {_DAY_MS} AS day, origin = 'api' AND NOT offline AS counts FROM messages
        WHERE session_key IN (SELECT key FROM sessions WHERE deleted_at IS NULL)
            AND happened_at >= {MESSAGES_WHOLE_FROM}
    ), latencies AS (
        SELECT session_key, day, 'to_sent' AS measure, sent_at - queued_at AS took_ms, 0 AS late
        FROM kept WHERE counts AND direction = 'outbound' AND sent_at IS NOT NULL
        UNION ALL SELECT session_key, day, 'to_delivered', delivered_at - queued_at, 0
        FROM kept WHERE counts AND direction = 'outbound' AND delivered_at IS NOT NULL
        UNION ALL SELECT session_key, day, 'to_read', read_at - queued_at, 0
        FROM kept WHERE counts AND direction = 'outbound' AND read_at IS NOT NULL
        UNION ALL SELECT session_key, day, 'inbound', total_latency_ms, is_latency_acceptable IS 0
        FROM kept WHERE counts AND direction = 'inbound' AND total_latency_ms IS NOT NULL
    ), learnt AS (
        SELECT session_key, day, measure, 0 AS messages, 1 AS measured, late, took_ms AS sum_ms, took_ms AS max_ms
        FROM latencies
        UNION ALL SELECT session_key, day, direction, 1,
            direction = 'outbound' AND counts AND is_latency_acceptable IS NOT NULL,
            direction = 'outbound' AND counts AND is_latency_acceptable IS 0, 0, 0 FROM kept
    )
"""
_OF_KEPT = f"session_key IN (SELECT key FROM sessions WHERE deleted_at IS NULL) AND starts_at >= {MESSAGES_WHOLE_FROM}"
_FROM_MESSAGES = f"SELECT session_key, day, measure, {_SUMS} FROM learnt GROUP BY 1, 2, 3"
# What is recent counts in each span, as if it were spread already. In the midst of spreading a session's rows may be
# where its owner's are not yet.
_SPANS = f"CROSS JOIN (VALUES {', '.join(f'({span_s})' for span_s in SPANS_S)}) AS span"
_RECENT = "SELECT session_key, span.column1, starts_at - starts_at % (span.column1 * 1000), measure"
_ALL_COUNTS = f"""
    (SELECT * FROM latency_rollups UNION ALL
    {_RECENT}, messages, measured, late, sum_ms, max_ms FROM latency_recent {_SPANS})
"""
_ALL_BUCKETS = f"""
    (SELECT * FROM latency_histograms UNION ALL
    {_RECENT}, bucket, measured FROM latency_recent {_SPANS} WHERE bucket <> {NO_BUCKET})
"""
_BY_DAY = f"""
    SELECT session_key, starts_at, measure, {_SUMS} FROM {_ALL_COUNTS}
    WHERE span_s = 86400 AND {_OF_KEPT} GROUP BY 1, 2, 3 HAVING sum(messages) OR sum(measured)
"""
_BUCKETS_FROM_MESSAGES = (
    "SELECT session_key, day, measure, bucket_of(took_ms) AS bucket, count(*) FROM latencies GROUP BY 1, 2, 3, 4"
)
_BUCKETS_BY_DAY = f"""
    SELECT session_key, starts_at, measure, bucket, sum(count) FROM {_ALL_BUCKETS}
    WHERE span_s = 86400 AND {_OF_KEPT} GROUP BY 1, 2, 3, 4 HAVING sum(count)
"""
_DAYS = "SELECT session_key, starts_at, measure, {columns} FROM {table} WHERE span_s = 86400"
_WEEKS = "SELECT session_key, starts_at, measure, {columns} FROM {table} WHERE span_s = 604800"
_WEEKS_FROM_DAYS = (
    f"SELECT session_key, starts_at - starts_at % {_WEEK_MS}, measure, {{sums}} FROM {{table}} WHERE span_s = 86400 "
    "GROUP BY {groups}"
)
_DAYS_FROM_HOURS = (
    f"SELECT session_key, starts_at - starts_at % {_DAY_MS}, measure, {{sums}} FROM {{table}} WHERE span_s = 3600 "
    "GROUP BY {groups}"
)
# Minutes are kept for a week. An older one may be there again, alone: a late receipt, or a message that is sent again,
# has changed its hour by it.
_WEEK_BEFORE_THE_LAST_EVENT = (
    f"(SELECT coalesce((SELECT at_ms FROM events ORDER BY seq DESC LIMIT 1), 0) - {MINUTES_KEPT_MS})"
)
_HOURS_BY_MINUTE = f"""
    SELECT session_key, starts_at, measure, {{columns}} FROM {{table}} AS r WHERE span_s = 3600 AND starts_at >= (
        SELECT min(starts_at) FROM {{table}} WHERE session_key = r.session_key AND span_s = 60
    ) AND starts_at >= {_WEEK_BEFORE_THE_LAST_EVENT}
"""
# The minutes of an hour that has begun to be forgotten are not all there.
_HOURS_FROM_MINUTES = f"""
    SELECT session_key, starts_at - starts_at % {_HOUR_MS} AS hour, measure, {{sums}} FROM {{table}} AS r
    WHERE span_s = 60 AND hour >= (
        SELECT min(starts_at) FROM {{table}} WHERE session_key = r.session_key AND span_s = 60
    ) AND hour >= {_WEEK_BEFORE_THE_LAST_EVENT} GROUP BY {{groups}}
"""
_EACH_SESSION = (
    "SELECT 0, starts_at, measure, span_s, {sums} FROM {all} WHERE span_s > 60 AND session_key > 0 "
    "GROUP BY span_s, {groups}"
)
_ALL_SESSIONS = (
    "SELECT session_key, starts_at, measure, span_s, {sums} FROM {all} WHERE span_s > 60 AND session_key = 0 "
    "GROUP BY span_s, {groups}"
)
# A session that has gone to another owner leaves rows that count nothing.
_EACH_OF_OWNER = """
    SELECT * FROM (
        SELECT -o.key, starts_at, measure, span_s, {sums} FROM {all} AS r JOIN sessions AS s ON s.key = r.session_key
        JOIN owners AS o ON o.name = s.owner WHERE span_s > 60 GROUP BY span_s, {groups}
    ) WHERE {counts}
"""
_OWNERS = """
    SELECT * FROM (
        SELECT session_key, starts_at, measure, span_s, {sums} FROM {all}
        WHERE span_s > 60 AND session_key < 0 GROUP BY span_s, {groups}
    ) WHERE {counts}
"""
_COUNTS = {
    "table": "latency_rollups",
    "all": _ALL_COUNTS,
    "columns": "messages, measured, late, sum_ms, max_ms",
    "sums": "sum(messages) AS messages, sum(measured) AS measured, sum(late), sum(sum_ms), max(max_ms)",
    "groups": "1, 2, 3",
    "counts": "(messages OR measured)",
}
_BUCKETS = {
    "table": "latency_histograms",
    "all": _ALL_BUCKETS,
    "columns": "bucket, count",
    "sums": "bucket, sum(count) AS count",
    "groups": "1, 2, 3, bucket",
    "counts": "count",
}


def rollups_add_up(connection: sqlite3.Connection) -> Iterator[str]:
    """Messages against days; days against weeks, hours and minutes; owners and all against each session."""
    connection.create_function("bucket_of", 1, bucket_of, deterministic=True)
    yield from _compared(connection, "days and messages", _BY_DAY, _FROM_MESSAGES, _LEARNT)
    yield from _compared(connection, "days and messages", _BUCKETS_BY_DAY, _BUCKETS_FROM_MESSAGES, _LEARNT)
    for table in (_COUNTS, _BUCKETS):
        yield from _compared(connection, "weeks and days", _WEEKS, _WEEKS_FROM_DAYS, **table)
        yield from _compared(connection, "days and hours", _DAYS, _DAYS_FROM_HOURS, **table)
        yield from _compared(connection, "hours and minutes", _HOURS_BY_MINUTE, _HOURS_FROM_MINUTES, **table)
        yield from _compared(connection, "all sessions and each", _ALL_SESSIONS, _EACH_SESSION, **table)
        yield from _compared(connection, "owners and sessions", _OWNERS, _EACH_OF_OWNER, **table)


def _compared(
    connection: sqlite3.Connection, what: str, stored: str, computed: str, common: str = "", **table: str
) -> Iterator[str]:
    one, other = stored.format(**table), computed.format(**table)
    sql = f"""
        {common} SELECT count(*) OVER (), * FROM (
            SELECT * FROM (SELECT * FROM ({one}) EXCEPT SELECT * FROM ({other}))
            UNION ALL SELECT * FROM (SELECT * FROM ({other}) EXCEPT SELECT * FROM ({one}))
        ) LIMIT 1
    """
    if (found := connection.execute(sql).fetchone()) is not None:
        count, session_key, starts_at, measure, *_ = found
        whose = f"owner {-session_key}" if session_key < 0 else f"session {session_key or '(all)'}"
        place = f"{whose}, {iso(starts_at)}, {measure}"
        yield f"latency rollups: {what} differ in {count} rows, one of them at {place}"
