"""How far back messages are kept: written down when some are removed, so that a check knows what it may not expect."""

import sqlite3

from pombal.store.latency_stats import DAY_MS

_SET = """
    INSERT INTO meta VALUES (?, ?)
    ON CONFLICT DO UPDATE SET value = max(CAST(value AS INTEGER), CAST(excluded.value AS INTEGER))
"""
_GET = "(SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM meta WHERE key = '{}')"

MESSAGES_WHOLE_FROM = _GET.format("messages_whole_from")
"""SQL: epoch ms, a whole day: from then on no message has been removed for its age."""

PRUNED_UP_TO_ID = _GET.format("messages_pruned_to_id")
"""SQL: the highest id among the messages that were removed for their age."""


def note_pruned(connection: sqlite3.Connection, before_ms: int, highest_id: int) -> None:
    whole_from_ms = -(-before_ms // DAY_MS) * DAY_MS
    connection.execute(_SET, ["messages_whole_from", whole_from_ms])
    connection.execute(_SET, ["messages_pruned_to_id", highest_id])
