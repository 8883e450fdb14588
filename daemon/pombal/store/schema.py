"""The schema, as migrations: what is applied is written down in the database, and never edited here afterwards."""

from sqlite_utils import Database, Migrations

migrations = Migrations("pombal")

# Everything is STRICT: a wrong type is refused by the database itself and ends up in `rejected`, not in a report.


@migrations()
def m0001_sessions(db: Database) -> None:
    db.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID")
    db.execute(
        """
        CREATE TABLE sessions (
            key INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            name TEXT NOT NULL,
            owner TEXT NOT NULL,
            link TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL,
            settings TEXT NOT NULL,
            is_active INTEGER NOT NULL,
            status TEXT NOT NULL,
            status_reason TEXT,
            status_until INTEGER,
            identity TEXT,
            device_name TEXT,
            phone_number TEXT,
            connected_at INTEGER,
            disconnected_at INTEGER,
            last_activity_at INTEGER,
            total_messages_sent INTEGER NOT NULL,
            total_messages_received INTEGER NOT NULL,
            total_messages_failed INTEGER NOT NULL,
            error_count INTEGER NOT NULL,
            restart_count INTEGER NOT NULL,
            last_error TEXT,
            deleted_at INTEGER
        ) STRICT
        """
    )
    db.execute("CREATE UNIQUE INDEX sessions_by_name ON sessions (name) WHERE deleted_at IS NULL")
    db.execute("CREATE INDEX sessions_by_owner ON sessions (owner)")


@migrations()
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


@migrations()
def m0003_search(db: Database) -> None:
    db.execute(
        """
        CREATE VIRTUAL TABLE messages_search USING fts5 (
            text_content, contact_number, contact_name,
            content = 'messages', content_rowid = 'id', tokenize = "unicode61 remove_diacritics 2"
        )
        """
    )
    old = "'delete', old.id, old.text_content, old.contact_number, old.contact_name"
    forget = (
        "INSERT INTO messages_search (messages_search, rowid, text_content, contact_number, contact_name) "
        f"VALUES ({old});"
    )
    learn = (
        "INSERT INTO messages_search (rowid, text_content, contact_number, contact_name) "
        "VALUES (new.id, new.text_content, new.contact_number, new.contact_name);"
    )
    columns = "text_content, contact_number, contact_name"
    db.execute(f"CREATE TRIGGER messages_search_insert AFTER INSERT ON messages BEGIN {learn} END")
    db.execute(f"CREATE TRIGGER messages_search_delete AFTER DELETE ON messages BEGIN {forget} END")
    db.execute(
        f"CREATE TRIGGER messages_search_update AFTER UPDATE OF {columns} ON messages BEGIN {forget} {learn} END"
    )


@migrations()
def m0004_events(db: Database) -> None:
    db.execute(
        """
        CREATE TABLE events (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            type TEXT NOT NULL,
            session_key INTEGER NOT NULL,
            at_ms INTEGER NOT NULL,
            message INTEGER,
            data TEXT
        ) STRICT
        """
    )
    # For emptying codes that have expired, and for nothing else: readers go by seq.
    db.execute("CREATE INDEX events_with_code ON events (at_ms) WHERE type IN ('session.qr', 'session.pair_code')")


@migrations()
def m0005_latency(db: Database) -> None:
    # One row a session (0: all of them), span (a minute, an hour, a day) and measure; see rollups.py.
    db.execute(
        """
        CREATE TABLE latency_rollups (
            session_key INTEGER NOT NULL,
            span_s INTEGER NOT NULL,
            starts_at INTEGER NOT NULL,
            measure TEXT NOT NULL,
            messages INTEGER NOT NULL,
            measured INTEGER NOT NULL,
            late INTEGER NOT NULL,
            sum_ms INTEGER NOT NULL,
            max_ms INTEGER NOT NULL,
            PRIMARY KEY (session_key, span_s, starts_at, measure)
        ) STRICT, WITHOUT ROWID
        """
    )
    db.execute(
        """
        CREATE TABLE latency_histograms (
            session_key INTEGER NOT NULL,
            span_s INTEGER NOT NULL,
            starts_at INTEGER NOT NULL,
            measure TEXT NOT NULL,
            bucket INTEGER NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY (session_key, span_s, starts_at, measure, bucket)
        ) STRICT, WITHOUT ROWID
        """
    )


@migrations()
def m0006_media_and_rejected(db: Database) -> None:
    db.execute(
        "CREATE TABLE media (sha256 TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL, created_at INTEGER NOT NULL) "
        "STRICT, WITHOUT ROWID"
    )
    db.execute(
        """
        CREATE TABLE rejected (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            at_ms INTEGER NOT NULL,
            session_key INTEGER,
            source TEXT NOT NULL,
            reason TEXT NOT NULL,
            raw TEXT NOT NULL
        ) STRICT
        """
    )


@migrations()
def m0007_chats(db: Database) -> None:
    """Reads every message once: seconds for each million."""
    # One row a conversation, kept by triggers within the writer's own statements: its newest message, the newest one
    # that somebody else wrote (who knows the name), and how many of those have not been read. So the list of chats is
    # as quick with a million messages as with ten.
    db.execute(
        """
        CREATE TABLE chats (
            session_key INTEGER NOT NULL,
            chat_id TEXT NOT NULL,
            last_message INTEGER NOT NULL,
            last_inbound INTEGER,
            unread INTEGER NOT NULL,
            PRIMARY KEY (session_key, chat_id)
        ) STRICT, WITHOUT ROWID
        """
    )
    db.execute("CREATE INDEX chats_by_last ON chats (session_key, last_message)")
    db.execute(f"INSERT INTO chats {_CHATS_OF} GROUP BY session_key, chat_id")
    this_chat = "session_key = {0}.session_key AND chat_id = {0}.chat_id"
    old_chat, new_chat = this_chat.format("old"), this_chat.format("new")
    db.execute(
        f"""
        CREATE TRIGGER chats_insert AFTER INSERT ON messages BEGIN
            INSERT INTO chats VALUES (
                new.session_key, new.chat_id, new.id, iif(new.direction = 'inbound', new.id, NULL), {_unread("new")}
            ) ON CONFLICT DO UPDATE SET last_message = max(last_message, excluded.last_message),
                last_inbound = coalesce(max(last_inbound, excluded.last_inbound), excluded.last_inbound, last_inbound),
                unread = unread + excluded.unread;
        END
        """
    )
    db.execute(
        f"""
        CREATE TRIGGER chats_read AFTER UPDATE OF status ON messages WHEN {_unread("old")} <> {_unread("new")} BEGIN
            UPDATE chats SET unread = unread + {_unread("new")} - {_unread("old")} WHERE {new_chat};
        END
        """
    )
    # WhatsApp came to know a person by another address: rare, so both chats are counted anew.
    db.execute(
        f"""
        CREATE TRIGGER chats_moved AFTER UPDATE OF chat_id ON messages WHEN old.chat_id <> new.chat_id BEGIN
            DELETE FROM chats WHERE session_key = new.session_key AND chat_id IN (old.chat_id, new.chat_id);
            INSERT INTO chats {_CHATS_OF}
            WHERE session_key = new.session_key AND chat_id IN (old.chat_id, new.chat_id) GROUP BY session_key, chat_id;
        END
        """
    )
    newest = f"(SELECT id FROM messages WHERE {old_chat} ORDER BY id DESC LIMIT 1)"
    newest_in = f"(SELECT id FROM messages WHERE {old_chat} AND direction = 'inbound' ORDER BY id DESC LIMIT 1)"
    db.execute(
        f"""
        CREATE TRIGGER chats_delete AFTER DELETE ON messages BEGIN
            DELETE FROM chats WHERE {old_chat} AND last_message = old.id AND {newest} IS NULL;
            UPDATE chats SET unread = unread - {_unread("old")} WHERE {old_chat};
            UPDATE chats SET last_message = {newest} WHERE {old_chat} AND last_message = old.id;
            UPDATE chats SET last_inbound = {newest_in} WHERE {old_chat} AND last_inbound = old.id;
        END
        """
    )


def _unread(row: str) -> str:
    """1 for a message that came in through this gateway and has not been read; 0 for any other."""
    return f"({row}.direction = 'inbound' AND {row}.origin = 'api' AND {row}.status <> 'read')"


_CHATS_OF = f"""
    SELECT session_key, chat_id, max(id), max(iif(direction = 'inbound', id, NULL)), sum({_unread("messages")})
    FROM messages
"""


@migrations()
def m0008_contacts(db: Database) -> None:
    """Takes no longer on a large database: a column with a default is added without touching the rows."""
    db.execute("ALTER TABLE messages ADD COLUMN is_resolved INTEGER NOT NULL DEFAULT 0")
    db.execute(
        """
        CREATE TABLE contacts (
            session_key INTEGER NOT NULL,
            number TEXT NOT NULL,
            canonical_id TEXT NOT NULL,
            lid TEXT,
            name TEXT,
            PRIMARY KEY (session_key, number)
        ) STRICT, WITHOUT ROWID
        """
    )
    # Whose number is it that writes under this LID?
    db.execute("CREATE INDEX contacts_by_lid ON contacts (session_key, lid) WHERE lid IS NOT NULL")


@migrations()
def m0009_earlier_totals(db: Database) -> None:
    for column in ("earlier_messages_sent", "earlier_messages_received"):
        db.execute(f"ALTER TABLE sessions ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0")


@migrations()
def m0010_media_of_messages(db: Database) -> None:
    """Reads every message once: seconds for each million."""
    # Is a file that is not here expected? Messages without one cost nothing.
    db.execute(
        "CREATE INDEX messages_by_media ON messages (content->>'$.media.sha256') "
        "WHERE message_type IN ('image', 'audio', 'video', 'document', 'sticker')"
    )


ZONE_IDS = 1000


@migrations()
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


@migrations()
def m0012_weeks(db: Database) -> None:
    """Adds up the days that there are: seconds for each thousand sessions and year."""
    # The statistics of a month, of a few sessions, are put together from weeks: a fifth of the rows.
    week = "starts_at - starts_at % 604800000"
    db.execute(
        f"""
        INSERT INTO latency_rollups SELECT session_key, 604800, {week}, measure, sum(messages), sum(measured),
            sum(late), sum(sum_ms), max(max_ms) FROM latency_rollups WHERE span_s = 86400 GROUP BY 1, 3, 4
        """
    )
    db.execute(
        f"""
        INSERT INTO latency_histograms SELECT session_key, 604800, {week}, measure, bucket, sum(count)
        FROM latency_histograms WHERE span_s = 86400 GROUP BY 1, 3, 4, 5
        """
    )


@migrations()
def m0013_vocabulary(db: Database) -> None:
    """A view on the full-text index; see search_terms.py."""
    db.execute("CREATE VIRTUAL TABLE messages_vocabulary USING fts5vocab (messages_search, instance)")


SCHEMA_VERSION = len(migrations._migrations)
"""How many migrations this program knows; a database with one that it does not know is newer than the program."""
