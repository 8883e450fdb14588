"""Opening the database: pragmas, migrations, and clear words for a file that is not what it should be."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

from pombal.config.errors import StartRefused
from pombal.config.settings import RecorderSettings, StoreSettings
from pombal.model.ids import new_ulid
from pombal.store.migrations import SCHEMA_VERSION, migrations

TOLD_EVERY_S = 10.0
_STEPS_BETWEEN_LOOKS = 1_000_000  # of SQLite's virtual machine: some tens of milliseconds
Progress = Callable[[str], None]


def _untold(step: str) -> None:
    """For whoever does not want to hear."""


class StoreError(StartRefused):
    """The database cannot be used as it is; the text says why and what to do. Raised at start and by `pombal db`."""


def open_writer(
    path: Path, recorder: RecorderSettings, store: StoreSettings, *, progress: Progress = _untold
) -> sqlite3.Connection:
    """The one connection that writes, its schema brought up to date. Raises StoreError.

    progress hears of migrations, which may take minutes on a large database, but not of those that make a new one.
    Used in the writer thread alone, but opened before that exists, hence without sqlite3's own check of threads.
    """
    connection = _connect(path)
    try:
        check_known(connection, path)
        _write_ahead(connection, path)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA busy_timeout = {recorder.busy_timeout_ms}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {store.wal_checkpoint_pages}")
        connection.execute("PRAGMA cache_size = -65536")
        # Debian's SQLite is built so; any other is told: what is removed is overwritten, not only let go of.
        connection.execute("PRAGMA secure_delete = ON")
        migrate(connection, progress)
        # A commit must not need a file of its own: without a descriptor, or room in /tmp, it failed. What a transaction
        # keeps is bounded by max_batch_rows; only after the migrations, which may sort whole tables.
        connection.execute("PRAGMA temp_store = MEMORY")
    except sqlite3.Error as error:
        connection.close()
        raise StoreError(advice(path, error)) from error
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path, busy_timeout_ms: int) -> sqlite3.Connection:
    """A connection that cannot write, whatever it is asked."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA busy_timeout = {busy_timeout_ms}")
    return connection


def migrate(connection: sqlite3.Connection, progress: Progress = _untold) -> list[str]:
    """Apply what is missing, and name the event log if it has no name yet. Returns the migrations applied.

    Each is a transaction: whoever is killed in the midst of one begins with that one again.
    """
    database = Database(connection)
    if not migrations.applied(database):
        progress = _untold
    pending = [migration.name for migration in migrations.pending(database)]
    for place, name in enumerate(pending):
        with _told(connection, name, progress):
            migrations.apply(database, stop_before=pending[place + 1 :])
    connection.execute("INSERT OR IGNORE INTO meta VALUES ('log_id', ?)", [new_ulid()])
    return pending


@contextmanager
def _told(connection: sqlite3.Connection, name: str, progress: Progress) -> Iterator[None]:
    """Say that a migration begins and, every TOLD_EVERY_S, that it is still at work."""
    began_s = told_s = time.monotonic()

    def at_work() -> int:
        nonlocal told_s
        if (now_s := time.monotonic()) - told_s >= TOLD_EVERY_S:
            told_s = now_s
            progress(f"{name}, for {now_s - began_s:.0f} s so far")
        return 0  # go on

    progress(name)
    connection.set_progress_handler(at_work, _STEPS_BETWEEN_LOOKS)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)


def log_id_of(connection: sqlite3.Connection) -> str:
    """Under which name the event sequence of this database runs; a restore makes a new one."""
    (log_id,) = connection.execute("SELECT value FROM meta WHERE key = 'log_id'").fetchone()
    return str(log_id)


def _connect(path: Path) -> sqlite3.Connection:
    try:
        # autocommit: every transaction of ours is begun and ended where one can see it
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise StoreError(advice(path, error)) from error


def _write_ahead(connection: sqlite3.Connection, path: Path) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError(f"{path} lies on a file system without shared memory, which SQLite needs; use a local disk")


def check_known(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a database that a newer Pombal has written: its rows may mean what this program does not know.

    Raises StoreError; sqlite3.Error where it cannot even be read.
    """
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return
    if "_sqlite_migrations" not in tables:
        raise StoreError(f"{path} is a database, but not one of Pombal's; set [daemon] state_dir to another directory")
    applied = {migration.name for migration in migrations.applied(Database(connection))}
    known = {migration.name for migration in migrations._migrations}
    if unknown := sorted(applied - known):
        raise StoreError(
            f"{path} was written by a newer Pombal (schema {SCHEMA_VERSION + len(unknown)}, this program knows "
            f"{SCHEMA_VERSION}; unknown: {', '.join(unknown)}); install that version again, or restore an older backup"
        )


def advice(path: Path, error: sqlite3.Error) -> str:
    """What is wrong with the file at path, and what to do about it."""
    code = getattr(error, "sqlite_errorname", "")
    if code.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return (
            f"{path} is damaged or no SQLite database ({error}); keep a copy of it and of its -wal file, then put the "
            "newest backup in its place with `pombal db restore`"
        )
    if code.startswith("SQLITE_CANTOPEN"):
        return f"{path} cannot be opened ({error}); does its directory exist, and may this user write there?"
    if code.startswith(("SQLITE_READONLY", "SQLITE_PERM")):
        return f"{path} cannot be written ({error}); check its owner, its mode and the mount"
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return f"{path} is locked by another program ({error}); end that program and start again"
    return f"{path} cannot be used ({error})"
