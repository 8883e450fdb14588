"""Reading what is known of files."""

import sqlite3


def is_announced(connection: sqlite3.Connection, sha256: str) -> bool:
    """Whether a message speaks of this file, here or not."""
    sql = (
        "SELECT 1 FROM messages INDEXED BY messages_by_media WHERE content->>'$.media.sha256' = ? "
        "AND message_type IN ('image', 'audio', 'video', 'document', 'sticker') LIMIT 1"
    )
    return connection.execute(sql, [sha256]).fetchone() is not None
