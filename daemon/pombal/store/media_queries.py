"""Reading what is known of files, and who speaks of them."""

import sqlite3
from collections.abc import Collection

from pombal.store.rows import packed, unpacked

NAMED = "content->>'$.media.sha256'"
"""SQL: the file that a message speaks of, or NULL."""

_WITH_FILES = "('image', 'audio', 'video', 'document', 'sticker')"  # as the index messages_by_media has it
_SPEAKS_OF = f"{NAMED} = {{}} AND message_type IN {_WITH_FILES}"

IS_UNUSED = f"""
    created_at < :put_before AND NOT EXISTS (
        SELECT 1 FROM messages INDEXED BY messages_by_media WHERE {_SPEAKS_OF.format("media.sha256")}
        AND (status = 'queued' OR :said_before IS NULL OR happened_at >= :said_before)
    )
"""
"""SQL: whether a row of `media` need not be kept; its parameters come from `bounds`."""


def bounds(put_before_ms: int, said_before_ms: int | None) -> dict[str, int | str | None]:
    """For IS_UNUSED: put there before the one, and spoken of only before the other (None: by nobody)."""
    return {"put_before": put_before_ms, "said_before": said_before_ms}


def is_announced(connection: sqlite3.Connection, sha256: str) -> bool:
    """Whether a message speaks of this file, here or not."""
    sql = f"SELECT 1 FROM messages INDEXED BY messages_by_media WHERE {_SPEAKS_OF.format('?')} LIMIT 1"
    return connection.execute(sql, [sha256]).fetchone() is not None


def unused_media(
    connection: sqlite3.Connection, past: str, look_at: int, put_before_ms: int, said_before_ms: int | None
) -> tuple[list[str], str | None]:
    """Of the next look_at files past this sha256, those that need not be kept; and where to go on, None at the end."""
    sql = f"""
        SELECT json_group_array(json_array(sha256, {IS_UNUSED})) FROM (
            SELECT sha256, created_at FROM media WHERE sha256 > :past ORDER BY sha256 LIMIT :look_at
        ) AS media
    """
    looked_at = unpacked(connection, sql, {"past": past, "look_at": look_at} | bounds(put_before_ms, said_before_ms))
    last = max((str(sha256) for sha256, _ in looked_at), default=None)
    return [str(sha256) for sha256, is_unused in looked_at if is_unused], last if len(looked_at) == look_at else None


def without_row(connection: sqlite3.Connection, sha256s: Collection[str]) -> list[str]:
    """Those of the files that the store knows nothing of."""
    sql = """
        SELECT json_group_array(value) FROM json_each(?) WHERE value NOT IN (SELECT sha256 FROM media)
    """
    return [str(sha256) for sha256 in unpacked(connection, sql, [packed(sha256s)])]


def count_unused(connection: sqlite3.Connection) -> int:
    """Files that no message speaks of."""
    sql = f"SELECT count(*) FROM media WHERE {IS_UNUSED}"
    (count,) = connection.execute(sql, bounds(2**63 - 1, None)).fetchone()
    return int(count)


def count_absent(connection: sqlite3.Connection) -> int:
    """Messages that speak of a file that the store does not have."""
    sql = f"""
        SELECT count(*) FROM messages INDEXED BY messages_by_media
        WHERE message_type IN {_WITH_FILES} AND {NAMED} IS NOT NULL AND {NAMED} NOT IN (SELECT sha256 FROM media)
    """
    (count,) = connection.execute(sql).fetchone()
    return int(count)
