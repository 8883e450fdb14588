"""Care of a database without the daemon: check, migrate, back up, restore.

Checking and backing up may run beside the daemon: they only read, and hold one snapshot, so that its commits neither
wait for them nor make a copy begin anew. Migrating and restoring need the database to themselves.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlite_utils import Database

from pombal.model.ids import new_ulid
from pombal.store.checks import CHECKS
from pombal.store.connection import StoreError, advice, check_known, migrate
from pombal.store.migrations import migrations

SLICE_PAGES = 1000  # 4 MB, after which progress is told
_BESIDE = ("-wal", "-shm", "-journal")  # what SQLite keeps next to a database


def check_database(path: Path, *, progress: Callable[[str], None]) -> list[str]:
    """Everything that is wrong in a database, a sentence each; empty: it is whole.

    progress hears what is looked at, and facts that are no damage (rows that wait among the rejected). Raises
    StoreError for a file that is no database of this program's, or of another version.
    """
    problems: list[str] = []
    with _reading(path) as connection:
        if pending := migrations.pending(Database(connection)):
            names = ", ".join(migration.name for migration in pending)
            raise StoreError(f"{path} was written by an older Pombal; bring it up to date first: db migrate ({names})")
        for what, check in CHECKS:
            progress(what)
            try:
                problems += check(connection)
            except sqlite3.DatabaseError as error:
                problems.append(f"{what}: cannot be read ({error})")
        progress(_rejected(connection))
    return problems


def _rejected(connection: sqlite3.Connection) -> str:
    (count,) = connection.execute("SELECT count(*) FROM rejected").fetchone()
    return f"{count} rows lie among the rejected" if count != 1 else "1 row lies among the rejected"


def migrate_database(path: Path, *, progress: Callable[[str], None]) -> list[str]:
    """Bring the schema up to this version; the names of the migrations applied. Raises StoreError.

    progress hears which one is at work, and for how long.
    """
    if not path.exists():
        raise StoreError(f"there is no database at {path}")
    with _telling(path), closing(sqlite3.connect(path, 1.0, isolation_level=None)) as connection:
        check_known(connection, path)
        return migrate(connection, progress)


def backup_database(source: Path, destination: Path, *, progress: Callable[[int, int], None]) -> None:
    """Write a copy of the database as it is at one moment: one file, readable by its owner alone.

    progress hears pages done and pages in all. The copy is checked before it gets its name. Raises StoreError, having
    left nothing behind; also where destination exists.
    """
    if destination.exists():
        raise StoreError(f"{destination} is there already: choose another name, or move it away")
    with _reading(source) as connection, _file_to_be(destination) as part:
        with _telling(part), closing(_copy(connection, part, progress)) as copy:
            _require_whole(copy, source)
        if destination.exists():
            raise StoreError(f"{destination} has appeared meanwhile: choose another name")
        os.rename(part, destination)
        _sync_directory(destination)


def restore_database(backup: Path, destination: Path) -> str:
    """Put a backup in the database's place, and name its event log anew: its readers must notice. The new log_id.

    The backup is checked first, and a copy of it made beside the destination; only then is the old database given up.
    Nobody may have it open. Raises StoreError, having changed nothing.
    """
    if destination.exists() and backup.exists() and destination.samefile(backup):
        raise StoreError(f"{backup} is the database itself: name a backup")
    with _reading(backup) as connection, _file_to_be(destination) as part:
        _require_whole(connection, backup)
        log_id = new_ulid()
        with _telling(part), closing(_copy(connection, part, lambda done, total: None)) as copy:
            copy.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('log_id', ?)", [log_id])
        # The old log goes first: beside the new database it would be taken for that one's own.
        for suffix in _BESIDE:
            Path(f"{destination}{suffix}").unlink(missing_ok=True)
        os.replace(part, destination)
        _sync_directory(destination)
    return log_id


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """One snapshot of a database of ours, on a connection that cannot write. Raises StoreError."""
    with _telling(path):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    with closing(connection):
        with _telling(path):
            connection.execute("BEGIN")
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
                raise StoreError(f"{path} is empty: no database of Pombal's")
            check_known(connection, path)
        yield connection


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    """SQLite's errors in words, with the file they are about."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(advice(path, error)) from error


@contextmanager
def _file_to_be(destination: Path) -> Iterator[Path]:
    """A new file beside destination, mode 0600, for whoever renames it when it is finished; else it is removed."""
    part = destination.with_name(f".{destination.name}.{new_ulid()}.part")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise StoreError(f"{destination} cannot be written: {error.strerror}") from error
    try:
        yield part
    finally:
        for suffix in ("", *_BESIDE):
            Path(f"{part}{suffix}").unlink(missing_ok=True)


def _copy(source: sqlite3.Connection, part: Path, progress: Callable[[int, int], None]) -> sqlite3.Connection:
    copy = sqlite3.connect(part, isolation_level=None)
    try:
        # The snapshot that source holds keeps a busy daemon from making this begin again at every commit.
        source.backup(copy, pages=SLICE_PAGES, progress=lambda _, left, total: progress(total - left, total))
        copy.execute("PRAGMA journal_mode = DELETE").fetchone()  # one file, readable on any medium
    except BaseException:
        copy.close()
        raise
    return copy


def _require_whole(connection: sqlite3.Connection, path: Path) -> None:
    try:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
    except sqlite3.DatabaseError as error:
        found = [str(error)]
    if found != ["ok"]:
        raise StoreError(f"{path} is damaged ({found[0]}); see `pombal db check`, and use another backup")


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path.absolute().parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
