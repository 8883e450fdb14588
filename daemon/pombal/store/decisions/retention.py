"""What is kept no longer: messages past their time, or of a session that is purged, and the files nobody speaks of."""

from collections.abc import Sequence
from typing import Any

from pombal.model import changes, removal_changes
from pombal.store.media_queries import IS_UNUSED, NAMED, bounds
from pombal.store.message_ways import IN_ZONE
from pombal.store.migrations.messages import ZONE_IDS
from pombal.store.retained import note_pruned
from pombal.store.rows import packed, unpacked
from pombal.store.workspace import Workspace


def prune_messages(change: removal_changes.PruneMessages, space: Workspace) -> removal_changes.RemovedMessages:
    """By ids, which grow with time. A session's totals keep what they counted: it joins what was counted earlier."""
    space.flush()
    sql = f"""
        SELECT json_group_array(id) FROM (
            SELECT m.id FROM message_zones AS z CROSS JOIN messages AS m NOT INDEXED ON {IN_ZONE}
            WHERE z.min_at < ?1 AND m.happened_at < ?1 AND m.status <> 'queued' ORDER BY z.zone, m.id LIMIT ?2
        )
    """
    ids: list[int] = unpacked(space.connection, sql, [change.before_ms, change.limit])  # type: ignore[assignment]
    if ids:
        count_as_earlier(ids, space)
        note_pruned(space.connection, change.before_ms, max(ids))
    removed = remove(ids, space)
    _narrow({row_id // ZONE_IDS for row_id in ids}, space)
    return removed


def _narrow(zones: set[int], space: Workspace) -> None:
    """Else the next slice would look through them again."""
    for zone in zones:
        first, last = space.connection.execute(
            "SELECT min(happened_at), max(happened_at) FROM messages WHERE id BETWEEN ? AND ?",
            [zone * ZONE_IDS, zone * ZONE_IDS + ZONE_IDS - 1],
        ).fetchone()
        if first is None:
            space.connection.execute("DELETE FROM message_zones WHERE zone = ?", [zone])
        else:
            space.connection.execute(
                "UPDATE message_zones SET min_at = ?, max_at = ? WHERE zone = ?", [first, last, zone]
            )


def purge_messages(change: removal_changes.PurgeMessages, space: Workspace) -> removal_changes.RemovedMessages:
    space.flush()
    sql = "SELECT json_group_array(id) FROM (SELECT id FROM messages WHERE session_key = ? LIMIT ?)"
    return remove(unpacked(space.connection, sql, [change.session_key, change.limit]), space)


def put_media(change: changes.PutMedia, space: Workspace) -> None:
    """Put there once more, a file counts as new: whoever did so may be about to send it."""
    space.connection.execute(
        "INSERT INTO media (sha256, size_bytes, created_at) VALUES (?1, ?2, ?3) "
        "ON CONFLICT DO UPDATE SET created_at = max(created_at, excluded.created_at)",
        [change.sha256, change.size_bytes, change.at.wall_ms],
    )
    space.media[change.sha256] = change.size_bytes


def forget_media(change: removal_changes.ForgetMedia, space: Workspace) -> list[str]:
    """Decided here and not where the files were found: a send that was queued meanwhile speaks of its file."""
    space.flush()
    sql = f"""
        SELECT json_group_array(sha256) FROM media
        WHERE sha256 IN (SELECT value FROM json_each(:among)) AND {IS_UNUSED}
    """
    given = bounds(change.put_before_ms, change.said_before_ms) | {"among": packed(change.sha256s)}
    gone = [str(sha256) for sha256 in unpacked(space.connection, sql, given)]
    space.connection.execute("DELETE FROM media WHERE sha256 IN (SELECT value FROM json_each(?))", [packed(gone)])
    for sha256 in gone:
        space.media.pop(sha256, None)
    return gone


def count_as_earlier(ids: Sequence[Any], space: Workspace) -> None:
    """What goes joins what a session has in numbers only."""
    sql = """
        SELECT json_group_array(json_array(session_key, sent, received, failed)) FROM (
            SELECT session_key, sum(direction = 'outbound' AND status IN ('sent', 'delivered', 'read')) AS sent,
                sum(direction = 'inbound') AS received, sum(direction = 'outbound' AND status = 'failed') AS failed
            FROM messages WHERE id IN (SELECT value FROM json_each(?)) GROUP BY session_key
        )
    """
    counted = unpacked(space.connection, sql, [packed(ids)])
    space.load_sessions({key for key, *_ in counted})
    for key, sent, received, failed in counted:
        session = space.session(key)
        session.earlier_messages_sent += sent
        session.earlier_messages_received += received
        session.earlier_messages_failed += failed
        space.touch(session)


def remove(ids: Sequence[Any], space: Workspace) -> removal_changes.RemovedMessages:
    """Delete these messages; what of them was not flushed yet is flushed before."""
    wanted = packed(ids)
    sql = f"""
        SELECT json_group_array(DISTINCT sha256) FROM (
            SELECT {NAMED} AS sha256 FROM messages WHERE id IN (SELECT value FROM json_each(?))
        ) WHERE sha256 IS NOT NULL
    """
    media = unpacked(space.connection, sql, [wanted])
    space.connection.execute("DELETE FROM messages WHERE id IN (SELECT value FROM json_each(?))", [wanted])
    space.forget(ids)
    return removal_changes.RemovedMessages(len(ids), tuple(map(str, media)))
