"""Care of a database without the daemon: checked, brought up to date, read as it is at one moment.

Checking may run beside the daemon: it only reads, and holds one snapshot, so that commits do not wait for it. Migrating
needs the database to itself.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlite_utils import Database

from pombal.store.checks import CHECKS
from pombal.store.connection import StoreError, advice, check_known, migrate
from pombal.store.migrations import migrations

BESIDE = ("-wal", "-shm", "-journal")  # what SQLite keeps next to a database


def check_database(path: Path, *, progress: Callable[[str], None]) -> list[str]:
    """Everything that is wrong in a database, a sentence each; empty: it is whole.

    progress hears what is looked at, and facts that are no damage (rows that wait among the rejected). Raises
    StoreError for a file that is no database of this program's, or of another version.
    """
    problems: list[str] = []
    with reading(path) as connection:
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
    with telling(path), closing(sqlite3.connect(path, 1.0, isolation_level=None)) as connection:
        check_known(connection, path)
        return migrate(connection, progress)


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """One snapshot of a database of ours, on a connection that cannot write. Raises StoreError."""
    with telling(path):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    with closing(connection):
        with telling(path):
            connection.execute("BEGIN")
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
                raise StoreError(f"{path} is empty: no database of Pombal's")
            check_known(connection, path)
        yield connection


@contextmanager
def telling(path: Path) -> Iterator[None]:
    """SQLite's errors in words, with the file they are about."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(advice(path, error)) from error
