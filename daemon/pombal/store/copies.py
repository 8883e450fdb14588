"""Copies of the database: one made beside the daemon, and one put in the database's place."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pombal.config.settings import LatencySettings
from pombal.model.changes import FailQueue, TellGap
from pombal.model.clock import system_clock
from pombal.model.ids import new_ulid
from pombal.store.connection import StoreError, log_id_of, migrate
from pombal.store.event_log import last_seq
from pombal.store.media_queries import count_absent, count_unused
from pombal.store.offline import BESIDE, reading, telling
from pombal.store.session_queries import present_sessions
from pombal.store.writer import Writer

Progress = Callable[[int, int], None]
"""Hears pages done and pages in all."""

SLICE_PAGES = 1000  # 4 MB, after which progress is told and the copy is on its disk
SLICE_MESSAGES = 500
# Ids of messages are everybody's. Those that were handed out after the backup must not come to mean other messages.
IDS_PASSED_OVER = 1_000_000


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    log_id: str
    last_event_seq: int
    messages: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class RestoredDatabase:
    """held: messages that were queued, and are uncertain now. replaced: the directory with the former database."""

    log_id: str
    held: int
    replaced: Path | None


def facts_of(path: Path) -> DatabaseFacts:
    """What a database says of itself. Raises StoreError."""
    with reading(path) as connection, telling(path):
        (messages,) = connection.execute("SELECT count(*) FROM messages").fetchone()
        return DatabaseFacts(log_id_of(connection), last_seq(connection), messages, path.stat().st_size)


def known_media(path: Path) -> list[tuple[str, int]]:
    """The files that a database knows of: (sha256, size in bytes). Raises StoreError."""
    with reading(path) as connection, telling(path):
        return list(connection.execute("SELECT sha256, size_bytes FROM media ORDER BY sha256"))


def media_counts(path: Path) -> tuple[int, int]:
    """(files that no message speaks of, messages that speak of a file that is not here). Raises StoreError."""
    with reading(path) as connection, telling(path):
        return count_unused(connection), count_absent(connection)


def copy_database(source: Path, destination: Path, *, progress: Progress) -> None:
    """Write a copy of the database as it is at one moment: one file, readable by its owner alone.

    The copy is checked before it gets its name. Raises StoreError, having left nothing behind; also where destination
    exists.
    """
    if destination.exists():
        raise StoreError(f"{destination} is there already: choose another name, or move it away")
    with _file_to_be(destination) as part:
        # The snapshot is let go of at once: while it is held the daemon's write-ahead log can only grow.
        with reading(source) as connection, telling(part):
            _copy(connection, part, progress)
        with reading(part) as copy:
            _require_whole(copy, source)
        if destination.exists():
            raise StoreError(f"{destination} has appeared meanwhile: choose another name")
        os.rename(part, destination)
        _sync_directory(destination.absolute().parent)


def restore_database(
    backup: Path, destination: Path, *, aside: Path, made_at: str | None, progress: Progress
) -> RestoredDatabase:
    """Put a backup in the database's place, under a new name of its event log: its readers must notice.

    The backup is checked first, and what is to become of it is done to a copy beside the destination. The old database
    goes to the directory ``aside``, which must not be there yet, with the log that belongs to it. Nobody may have it
    open. Raises StoreError, having changed nothing. made_at: when the backup was made, in words.
    """
    if destination.exists() and backup.exists() and destination.samefile(backup):
        raise StoreError(f"{backup} is the database itself: name a backup")
    with _file_to_be(destination) as part:
        with reading(backup) as connection:
            _require_whole(connection, backup)
            with telling(part):
                _copy(connection, part, progress)
        with telling(part):
            log_id, held = _begin_anew(part, made_at)
        with reading(part) as copy:
            _require_whole(copy, backup)
        try:
            replaced = _put_in_place(part, destination, aside)
        except OSError as error:
            raise StoreError(f"{destination} cannot be replaced: {error.strerror} ({error.filename})") from error
    return RestoredDatabase(log_id, held, replaced)


def _begin_anew(path: Path, made_at: str | None) -> tuple[str, int]:
    """Make a database of the past one of today, by the writer's own decisions. (new log_id, messages held back)

    What was queued then may have been sent since, and nobody here can know: so it is not sent again but by a person's
    decision. Each session says that messages are missing.
    """
    when = f"of {made_at}" if made_at else "without a date"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection)
        log_id = new_ulid()
        connection.execute("UPDATE meta SET value = ? WHERE key = 'log_id'", [log_id])
        connection.execute("UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'messages'", [IDS_PASSED_OVER])
        writer = Writer(connection, system_clock, LatencySettings().acceptable_ms)
        detail = f"a backup {when} was restored: what came and went after it is not here"
        for row in present_sessions(connection):
            writer.commit([TellGap(at=system_clock(), session_key=row.key, detail=detail)])
        return log_id, _hold_queue(writer, when)


def _hold_queue(writer: Writer, when: str) -> int:
    detail = f"it was queued in the backup {when} that was restored, and may have been sent since; look, then resend it"
    held = 0
    while True:
        change = FailQueue(
            at=system_clock(), session_key=None, error_kind="restored", error_detail=detail, limit=SLICE_MESSAGES,
            is_unsure=True,
        )  # fmt: skip
        count: int = writer.commit([change]).answers[0]
        held += count
        if count < SLICE_MESSAGES:
            return held


def _put_in_place(part: Path, destination: Path, aside: Path) -> Path | None:
    """The name of the database is there at every moment, and the old one under a second name before the first goes."""
    former = [path for suffix in ("", *BESIDE) if (path := Path(f"{destination}{suffix}")).exists()]
    if former:
        aside.parent.mkdir(mode=0o700, exist_ok=True)
        aside.mkdir(mode=0o700)
        for path in former:
            os.link(path, aside / path.name)
        for directory in (aside, aside.parent, destination.parent):
            _sync_directory(directory)
    try:
        # The old log goes first: beside the new database it would be taken for that one's own.
        for suffix in BESIDE:
            Path(f"{destination}{suffix}").unlink(missing_ok=True)
        os.replace(part, destination)
    except OSError:
        for path in former:
            if not path.exists():
                os.link(aside / path.name, path)
        raise
    _sync_directory(destination.absolute().parent)
    return aside if former else None


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
        for suffix in ("", *BESIDE):
            Path(f"{part}{suffix}").unlink(missing_ok=True)


def _copy(source: sqlite3.Connection, part: Path, progress: Progress) -> None:
    """On its disk slice by slice: gigabytes that wait in memory would be written at once, in front of every commit."""
    descriptor = os.open(part, os.O_RDWR)
    try:
        with closing(sqlite3.connect(part, isolation_level=None)) as copy:

            def told(_status: int, left: int, total: int) -> None:
                os.fdatasync(descriptor)
                progress(total - left, total)

            # The snapshot that source holds keeps a busy daemon from making this begin again at every commit.
            source.backup(copy, pages=SLICE_PAGES, progress=told)
            copy.execute("PRAGMA journal_mode = DELETE").fetchone()  # one file, readable on any medium
        os.fsync(descriptor)
        # What was copied is read again by nobody here; the daemon's pages are, and keep their place in memory.
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def _require_whole(connection: sqlite3.Connection, path: Path) -> None:
    try:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
    except sqlite3.DatabaseError as error:
        found = [str(error)]
    if found != ["ok"]:
        raise StoreError(f"{path} is damaged ({found[0]}); see `pombal db check`, and use another backup")


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
