"""The event log, the files that there are, and what was refused."""

from sqlite_utils import Database

RARE_EVENTS = "type IN ('session.status', 'message.edited', 'message.deleted')"
"""The condition of the index, which a query has to repeat word by word for SQLite to use it."""


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


def m0018_rare_events(db: Database) -> None:
    """Some seconds for ten million events: the log is read once."""
    # What a page looks for among everything else that a session did: without it, all of the log is read for a few rows.
    db.execute(f"CREATE INDEX events_rare ON events (session_key) WHERE {RARE_EVENTS}")
