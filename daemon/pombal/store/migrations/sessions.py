"""Sessions, and what the database says of itself."""

from sqlite_utils import Database


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


def m0009_earlier_totals(db: Database) -> None:
    for column in ("earlier_messages_sent", "earlier_messages_received"):
        db.execute(f"ALTER TABLE sessions ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0")


def m0016_earlier_failed(db: Database) -> None:
    """Retention removes messages that failed, too, and the totals go on counting them."""
    db.execute("ALTER TABLE sessions ADD COLUMN earlier_messages_failed INTEGER NOT NULL DEFAULT 0")
