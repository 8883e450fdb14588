"""Who did what, and who asked to be erased."""

from sqlite_utils import Database


def m0015_audit_and_erasures(db: Database) -> None:
    # `caller` and `target` are JSON objects: what is known of a caller depends on how they came.
    db.execute(
        """
        CREATE TABLE audit (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            at_ms INTEGER NOT NULL,
            method TEXT NOT NULL,
            outcome TEXT NOT NULL,
            caller TEXT NOT NULL,
            target TEXT NOT NULL
        ) STRICT
        """
    )
    db.execute("CREATE INDEX audit_by_time ON audit (at_ms)")
    # `person` (JSON: numbers, lids) is emptied once nothing of them is left: from then on only `masked` says whom.
    db.execute(
        """
        CREATE TABLE erasures (
            id TEXT PRIMARY KEY,
            wanted_at INTEGER NOT NULL,
            state TEXT NOT NULL,
            masked TEXT NOT NULL,
            person TEXT,
            up_to INTEGER NOT NULL,
            done_at INTEGER,
            receipt TEXT NOT NULL
        ) STRICT, WITHOUT ROWID
        """
    )
    db.execute("CREATE INDEX erasures_unfinished ON erasures (wanted_at) WHERE state <> 'done'")
    # What was erased is not sent again when its sender repeats it: a hash of the id is what remains of a send.
    db.execute(
        """
        CREATE TABLE erased_sends (
            session_key INTEGER NOT NULL, id_hash TEXT NOT NULL, PRIMARY KEY (session_key, id_hash)
        ) STRICT, WITHOUT ROWID
        """
    )
