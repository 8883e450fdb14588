"""Messages, their indexes, and the times that their ids stand for."""

from sqlite_utils import Database


def m0002_messages(db: Database) -> None:
    db.execute(
        """
        CREATE TABLE messages (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            session_key INTEGER NOT NULL,
            message_id TEXT NOT NULL,
            link_id TEXT NOT NULL,
            direction TEXT NOT NULL,
            origin TEXT NOT NULL,
            message_type TEXT NOT NULL,
            chat_id TEXT NOT NULL,
            status TEXT NOT NULL,
            happened_at INTEGER NOT NULL,
            participant TEXT NOT NULL,
            contact_number TEXT,
            contact_lid TEXT,
            contact_name TEXT,
            text_content TEXT,
            content TEXT,
            quoted_message_id TEXT,
            error_kind TEXT,
            error_detail TEXT,
            offline INTEGER NOT NULL,
            overdue INTEGER NOT NULL,
            queued_at INTEGER,
            dispatched_at INTEGER,
            sent_at INTEGER,
            delivered_at INTEGER,
            read_at INTEGER,
            failed_at INTEGER,
            received_at INTEGER,
            total_latency_ms INTEGER,
            is_latency_acceptable INTEGER,
            content_hash TEXT
        ) STRICT
        """
    )
    for index in (
        # What makes a message one message, and where receipts find it.
        "UNIQUE INDEX messages_by_link_id ON messages (session_key, link_id, chat_id, participant)",
        # The idempotency key of sends.
        "UNIQUE INDEX messages_by_message_id ON messages (session_key, message_id, direction)",
        # Every list is newest first by id, which each index carries as its last column.
        "INDEX messages_by_session ON messages (session_key)",
        "INDEX messages_by_chat ON messages (chat_id)",
        "INDEX messages_by_contact ON messages (contact_number) WHERE contact_number IS NOT NULL",
        "INDEX messages_by_status ON messages (status)",
        "INDEX messages_by_direction ON messages (direction)",
        # Nearly everything is a live text: such a list is short of the table's own order, and needs no index.
        "INDEX messages_by_type ON messages (message_type) WHERE message_type <> 'text'",
        "INDEX messages_by_origin ON messages (origin) WHERE origin <> 'api'",
        "INDEX messages_by_time ON messages (happened_at)",
        # A constant first column leaves the order by id: the slow ones newest first, for thresholds from a second up.
        "INDEX messages_slow ON messages (offline) WHERE total_latency_ms >= 1000 AND offline = 0",
        # The outbox: a queue is read in commit order, counted and aged without its history.
        "INDEX messages_queued ON messages (session_key, id, queued_at) WHERE status = 'queued'",
    ):
        db.execute(f"CREATE {index}")


def m0010_media_of_messages(db: Database) -> None:
    """Reads every message once: seconds for each million."""
    # Is a file that is not here expected? Messages without one cost nothing.
    db.execute(
        "CREATE INDEX messages_by_media ON messages (content->>'$.media.sha256') "
        "WHERE message_type IN ('image', 'audio', 'video', 'document', 'sticker')"
    )


ZONE_IDS = 1000


def m0011_zones(db: Database) -> None:
    """Reads every message once: seconds for each million."""
    # Ids grow with time, though not strictly: what was on its way for long, and imported history, stand behind newer
    # messages. So for each thousand ids: from when to when they are. A list of a time then goes by id, within bounds.
    db.execute(
        "CREATE TABLE message_zones (zone INTEGER PRIMARY KEY, min_at INTEGER NOT NULL, max_at INTEGER NOT NULL) STRICT"
    )
    db.execute(
        f"INSERT INTO message_zones SELECT id / {ZONE_IDS}, min(happened_at), max(happened_at) FROM messages GROUP BY 1"
    )
    widen = f"""
        INSERT INTO message_zones VALUES (new.id / {ZONE_IDS}, new.happened_at, new.happened_at)
        ON CONFLICT DO UPDATE SET min_at = min(min_at, excluded.min_at), max_at = max(max_at, excluded.max_at)
        WHERE excluded.min_at < min_at OR excluded.max_at > max_at;
    """
    # What is moved or deleted leaves its zone wider than need be: that costs a look, and loses nothing.
    db.execute(f"CREATE TRIGGER zones_insert AFTER INSERT ON messages BEGIN {widen} END")
    db.execute(f"CREATE TRIGGER zones_move AFTER UPDATE OF happened_at ON messages BEGIN {widen} END")


def m0019_kinds(db: Database) -> None:
    """Reads every message once: seconds for each million."""
    # What lists are narrowed by stands in few letters: the first ones of direction, status, type and origin, and
    # whether it was slow. There are some tens of kinds in all, and a list merges those that fit, each in its order. One
    # narrow index does for what six did.
    db.execute(
        """
        ALTER TABLE messages ADD COLUMN kind TEXT GENERATED ALWAYS AS (
            substr(direction, 1, 1) || substr(status, 1, 1) || substr(message_type, 1, 1) || substr(origin, 1, 1)
            || iif(total_latency_ms >= 1000 AND offline = 0, 's', '-')
        ) VIRTUAL
        """
    )
    db.execute("CREATE INDEX messages_by_kind ON messages (kind)")
    for index in ("by_status", "by_direction", "by_type", "by_origin", "by_time"):
        db.execute(f"DROP INDEX messages_{index}")
    db.execute("DROP INDEX messages_slow")
