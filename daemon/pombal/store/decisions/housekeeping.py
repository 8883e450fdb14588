"""Changes over whole tables, in slices: queues given up, latencies spread, what is old forgotten, codes emptied."""

from pombal.model import changes, removal_changes
from pombal.model.message import MessageStatus
from pombal.model.message_status import Step
from pombal.model.times import iso
from pombal.store.decisions.outbound import take_step
from pombal.store.loading import Wanted
from pombal.store.rows import packed, unpacked
from pombal.store.spreading import spread
from pombal.store.workspace import Workspace


def fail_queue(change: changes.FailQueue, space: Workspace) -> int:
    """Fail what waits (of one session, or of all), oldest first; or call uncertain what was dispatched."""
    space.flush()
    conditions, parameters = ["status = 'queued'"], list[int]()
    if change.session_key is not None:
        conditions.append("session_key = ?")
        parameters.append(change.session_key)
    if change.queued_before_ms is not None:
        conditions.append("queued_at < ?")
        parameters.append(change.queued_before_ms)
    if change.only_dispatched:
        conditions.append("dispatched_at IS NOT NULL")
    sql = (
        "SELECT json_group_array(id) FROM (SELECT id FROM messages INDEXED BY messages_queued "
        f"WHERE {' AND '.join(conditions)} ORDER BY id LIMIT ?)"
    )
    ids: list[int] = unpacked(space.connection, sql, [*parameters, change.limit])  # type: ignore[assignment]
    space.load(Wanted(messages=set(ids)))
    may_be_sent = change.only_dispatched or change.is_unsure
    status = MessageStatus.UNCERTAIN if may_be_sent else MessageStatus.FAILED
    for row_id in ids:
        at_ms = space.clock.resolve_ms(row_id, change.at)
        step = Step(status, at_ms, change.error_kind, change.error_detail)
        take_step(space, space.messages[row_id], step, change.at.wall_ms)
    return len(ids)


def spread_rollups(change: changes.SpreadRollups, space: Workspace) -> changes.RecentKey | None:
    space.flush()
    return spread(space.connection, change.after, change.limit)


def prune_events(change: removal_changes.PruneEvents, space: Workspace) -> int:
    """Forget the oldest events. The newest always stays, so that the log can say where it ends.

    The log is cut at its end and never in its midst: it stops at the first event that is to be kept, even if the wall
    clock was set back behind it. An event from the future says nothing of its age and is no such stop.
    """
    space.flush()
    oldest = "SELECT seq, at_ms FROM events ORDER BY seq LIMIT ?1"
    cursor = space.connection.execute(
        f"DELETE FROM events WHERE seq IN (SELECT seq FROM ({oldest})) AND seq < coalesce("
        f"(SELECT min(seq) FROM ({oldest}) WHERE at_ms BETWEEN ?2 AND ?3), (SELECT max(seq) FROM events)) "
        "AND seq < (SELECT max(seq) FROM events)",
        [change.limit, change.before_ms, change.at.wall_ms],
    )
    return cursor.rowcount


def clear_codes(change: removal_changes.ClearCodes, space: Workspace) -> int:
    """Empty what has expired, and write down when: a round that wrote nothing would say nothing of a full disk."""
    space.connection.execute(
        "INSERT INTO meta VALUES ('housekeeping_at', ?) ON CONFLICT DO UPDATE SET value = excluded.value",
        [iso(change.at.wall_ms)],
    )
    space.flush()
    cursor = space.connection.execute(
        "UPDATE events SET data = json_set(data, '$.code', NULL) WHERE type IN ('session.qr', 'session.pair_code') "
        "AND data->>'code' IS NOT NULL AND data->>'expires_at' <= ?",
        [change.at.wall_ms],
    )
    return cursor.rowcount


# The sums of their owners too.
_ROLLUPS_OF = """
    SELECT value FROM json_each(?1) UNION SELECT -o.key FROM sessions AS s JOIN owners AS o ON o.name = s.owner
    WHERE s.key IN (SELECT value FROM json_each(?1))
"""


def prune_rollups(change: removal_changes.PruneRollups, space: Workspace) -> int:
    space.flush()
    removed = 0
    for table in ("latency_rollups", "latency_histograms"):
        cursor = space.connection.execute(
            f"DELETE FROM {table} WHERE session_key IN ({_ROLLUPS_OF}) AND span_s = 60 AND starts_at < ?2",
            [packed(change.session_keys), change.before_ms],
        )
        removed += cursor.rowcount
    return removed
