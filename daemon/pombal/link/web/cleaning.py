"""Taking one person out of a session's own files: WhatsApp's keys and names of them, and what waits for the daemon.

Blocking, and only while no gateway has the files open. WhatsApp's client (whatsmeow) has no way to forget somebody, so
its database is cleaned by what it says: every row that names the person goes, in whichever table. What the client needs
of them it learns again when they write: the next message of theirs makes a new session of keys.
"""

import fcntl
import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from pombal.model.errors import Kind, PombalError
from pombal.model.person import Person

LOCK = "lock"
LOOK_EVERY_S = 0.05
BLOCK_BYTES = 1_048_576
BUSY_TIMEOUT_S = 5.0
OUR_OWN = frozenset({"whatsmeow_device"})  # whose keys it is: without that row the session would have to be linked anew
SENDING, RECEIVED = "sending", "received"


def names_them(directory: Path, person: Person) -> bool:
    """Whether any byte of the session's files is of their number or LID."""
    needles = [digits.encode() for digits in person.digits]
    return any(_holds(path, needles) for path in directory.rglob("*") if path.is_file())


def _holds(path: Path, needles: Collection[bytes]) -> bool:
    overlap = max(map(len, needles), default=1) - 1
    with path.open("rb") as file:
        before = b""
        while block := file.read(BLOCK_BYTES):
            if any(needle in before + block for needle in needles):
                return True
            before = block[-overlap:] if overlap else b""
    return False


def other_names(directory: Path, person: Person) -> Person:
    """The person with the number or LID that WhatsApp's client has for them; it may be running meanwhile."""
    path = directory / "keys.db"
    if not path.is_file():
        return person
    sql = "SELECT pn, lid FROM whatsmeow_lid_map WHERE pn IN ({0}) OR lid IN ({0})"
    digits = list(person.digits)
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)) as keys:
        try:
            found = keys.execute(sql.format(", ".join("?" * len(digits))), digits * 2).fetchall()
        except sqlite3.Error as error:
            if "no such table" in str(error):
                return person
            raise PombalError(Kind.UNAVAILABLE, f"{path} cannot be read: {error}") from error
    return person.known_as(frozenset(str(pn) for pn, _ in found), frozenset(f"{lid}@lid" for _, lid in found))


def clean(directory: Path, person: Person, link_ids: Collection[str], media: Collection[str], wait_s: float) -> int:
    """How many rows and files were removed. Raises PombalError (unavailable) where somebody has the files in use."""
    with _locked(directory, wait_s):
        removed = sum(_cleaned(path, person, frozenset(link_ids)) for path in sorted(directory.glob("*.db")))
        # What is to be sent is put there again when it is needed; what came is the daemon's or was theirs.
        files = [*(directory / SENDING).glob("*"), *(directory / RECEIVED / sha256 for sha256 in media)]
        for path in files:
            if path.exists():
                path.unlink()
                removed += 1
    return removed


def _cleaned(path: Path, person: Person, link_ids: frozenset[str]) -> int:
    """Rows removed from one database; nothing of them is left in its pages or its log."""
    needles = [digits.encode() for digits in person.digits]

    def points(value: Any) -> bool:
        if isinstance(value, str):
            return value in link_ids or person.is_in(value)
        return isinstance(value, bytes) and any(needle in value for needle in needles)

    try:
        with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as database:
            database.create_function("points", 1, points)
            database.execute("PRAGMA secure_delete = ON")
            removed = sum(database.execute(_delete(table, columns)).rowcount for table, columns in _tables(database))
            database.execute("VACUUM")
            (is_busy, *_) = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        raise PombalError(Kind.UNAVAILABLE, f"{path} cannot be cleaned: {error}") from error
    if is_busy:
        raise PombalError(Kind.UNAVAILABLE, f"{path} is being read by somebody")
    return removed


def _tables(database: sqlite3.Connection) -> Iterator[tuple[str, list[str]]]:
    tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    for (table,) in tables.fetchall():
        if table not in OUR_OWN:
            yield table, [column for (column,) in database.execute("SELECT name FROM pragma_table_info(?)", [table])]


def _delete(table: str, columns: Collection[str]) -> str:
    """The names are the database's own."""
    return f'DELETE FROM "{table}" WHERE ' + " OR ".join(f'points("{column}")' for column in columns)  # noqa: S608


@contextmanager
def _locked(directory: Path, wait_s: float) -> Iterator[None]:
    """The lock that gateways take: whoever holds it is the only one at these files."""
    deadline_s = time.monotonic() + wait_s
    with (directory / LOCK).open("ab") as lock:
        while True:
            try:
                fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline_s:
                    raise PombalError(Kind.UNAVAILABLE, f"a gateway has {directory} still in use") from None
                time.sleep(LOOK_EVERY_S)
        yield
