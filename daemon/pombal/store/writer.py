"""The writer: one thread, one connection, one transaction for everything that waits."""

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from pydantic_core import to_json

from pombal.model.changes import Change, SpreadRollups
from pombal.model.clock import Clock, ClockHistory
from pombal.model.errors import Kind, PombalError
from pombal.model.message import MessageRow
from pombal.model.params_base import INT64_MAX, INT64_MIN
from pombal.model.session import SessionRow
from pombal.model.text import storable
from pombal.store.decisions.dispatch import decide, load_for
from pombal.store.held import HeldMessages, goes_row_by_row, is_decided_in_memory
from pombal.store.undisturbed import share_interpreter, undisturbed
from pombal.store.workspace import Counters, Workspace, Written
from pombal.store.writing import prepare, write

log = structlog.get_logger()

STEPS_BETWEEN_QUESTIONS = 100_000
SLICE_OF_RECENT = 10_000
COPIES_OF_A_REWRITE = 2
"""The new file itself, and the write-ahead log through which it takes the old one's place."""


class StoreUnavailable(Exception):
    """The transaction could not be carried out now (disk full, locked, read-only, I/O error) and changed nothing."""


@dataclass(slots=True)
class CommitReport:
    """What a commit did: an answer a change, in order, and what it has to tell.

    has_written: False where there was nothing to write, which says nothing of the disk.
    """

    answers: list[Any] = field(default_factory=list)
    events: list[Written] = field(default_factory=list)
    completed: list[tuple[SessionRow, MessageRow | None, MessageRow]] = field(default_factory=list)
    rejected: int = 0
    seconds: float = 0.0
    has_written: bool = True


class Writer:
    """Carries batches out. Not thread-safe: every call comes from the recorder's one thread.

    A batch is one transaction. What the database refuses for good is found by trying each change alone, and kept raw in
    ``rejected``; what it cannot do now raises StoreUnavailable, and the caller tries again.
    """

    def __init__(
        self, connection: sqlite3.Connection, clock: Clock, acceptable_ms: int, held_messages: int = 0
    ) -> None:
        """held_messages: so many on their way are kept in memory between transactions."""
        self._connection = connection
        self._is_prepared = False
        self._now = clock
        self.acceptable_ms = acceptable_ms
        self._counters = self._read_counters()
        self._clock_history = ClockHistory(self._counters.next_message)
        self._sessions: dict[int, SessionRow] = {}
        self.held = HeldMessages(held_messages)

    @property
    def last_seq(self) -> int:
        return self._counters.next_seq - 1

    def commit(self, batch: Sequence[Change]) -> CommitReport:
        """Carry batch out and commit it. Raises StoreUnavailable, having changed nothing, or PartlyCommitted."""
        started = time.perf_counter()
        try:
            report = self._transaction(batch)
        except StoreUnavailable:
            raise
        except Exception:  # a change that cannot be stored must not take the others with it
            report = self._one_by_one(batch)
        report.seconds = time.perf_counter() - started
        return report

    def spread_rollups(self) -> None:
        """Spread all latencies that are recent, for whoever has no housekeeping.

        Raises StoreUnavailable, or the PombalError that refused it.
        """
        change = SpreadRollups(at=self._now(), limit=SLICE_OF_RECENT)
        while (reached := self.commit([change]).answers[0]) is not None:
            if isinstance(reached, PombalError):
                raise reached
            change = replace(change, after=reached)

    def checkpoint(self) -> None:
        """Move the write-ahead log back into the database file, as far as readers allow."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def rewrite(self, goes_on: Callable[[], bool]) -> None:
        """Write the whole file anew, so that nothing of what was ever removed is left in it.

        SQLite overwrites what it deletes (`secure_delete`), but copies of rows that it moved within a page stay there.
        goes_on: asked now and then; False gives it up. Raises StoreUnavailable, having changed nothing: also where the
        disk has no room for two more of the file, for it would be full for everybody meanwhile.
        """
        self._check_room()
        self._connection.set_progress_handler(lambda: not goes_on(), STEPS_BETWEEN_QUESTIONS)
        try:
            self._is_prepared = False  # SQLite drops what is temporary
            self._connection.execute("PRAGMA temp_store = FILE")  # the whole file, which memory may not hold
            self._connection.execute("VACUUM")
        except sqlite3.Error as error:
            raise StoreUnavailable(describe(error)) from error
        finally:
            self._connection.set_progress_handler(None, 0)

    def size_bytes(self) -> int:
        """Of the database file, as far as it is in use."""
        (pages,), (page_bytes,) = (
            self._connection.execute(f"PRAGMA {what}").fetchone() for what in ("page_count", "page_size")
        )
        return int(pages) * int(page_bytes)

    def _check_room(self) -> None:
        (_, _, path) = self._connection.execute("PRAGMA database_list").fetchone()
        room = os.statvfs(os.path.dirname(path))
        needed, free = COPIES_OF_A_REWRITE * self.size_bytes(), room.f_bavail * room.f_frsize
        if free < needed:
            raise StoreUnavailable(f"writing the database anew takes {needed} bytes of disk, and {free} are free")

    def empty_log(self) -> bool:
        """Move all of the write-ahead log into the database file and leave none of it; False while somebody reads.

        Without waiting for those who read: they end by themselves, and the writer has other things to do.
        """
        (timeout_ms,) = self._connection.execute("PRAGMA busy_timeout").fetchone()
        self._connection.execute("PRAGMA busy_timeout = 0")
        try:
            (is_busy, *_) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            raise StoreUnavailable(describe(error)) from error
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {timeout_ms}")
        return not is_busy

    def close(self) -> None:
        self._connection.close()

    def _prepare(self) -> None:
        """What a transaction is written through. Without it each change would seem to be one that cannot be stored."""
        if self._is_prepared:
            return
        try:
            self._connection.execute("PRAGMA temp_store = MEMORY")
            prepare(self._connection)
        except sqlite3.Error as error:
            raise StoreUnavailable(describe(error)) from error
        self._is_prepared = True

    def _transaction(self, batch: Sequence[Change]) -> CommitReport:
        self._prepare()
        share_interpreter(len(batch))
        before, written_before = replace(self._counters), self._connection.total_changes
        may_hold = goes_row_by_row(batch)
        if not may_hold:
            self.held.clear()
        space = Workspace(
            self._connection, self._counters, self._now, self._clock_history, self.acceptable_ms, self._sessions,
            self.held,
        )  # fmt: skip
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            load_for(batch, space)
            with undisturbed(len(batch)) if is_decided_in_memory(batch) else nullcontext():
                answers = [self._answer(change, space) for change in batch]
                texts = space.pack()
            write(self._connection, texts)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back(before)
            if is_passing(error):
                raise StoreUnavailable(describe(error)) from error
            raise
        except BaseException:
            self._roll_back(before)
            raise
        if may_hold:
            self._hold_what_is_left(space)
        has_written = self._connection.total_changes > written_before
        return CommitReport(answers, space.events, space.completed, space.rejected, has_written=has_written)

    def _hold_what_is_left(self, space: Workspace) -> None:
        """What is on disk must not be tried again, whatever becomes of what is held."""
        try:
            space.leave_held()
        except Exception:
            log.exception("messages on their way are read again")
            self.held.clear()

    @staticmethod
    def _answer(change: Change, space: Workspace) -> Any:
        try:
            return decide(change, space)
        except PombalError as refusal:
            return refusal

    def _one_by_one(self, batch: Sequence[Change]) -> CommitReport:
        whole = CommitReport(has_written=False)
        for change in batch:
            try:
                report = self._transaction([change])
            except StoreUnavailable:
                if whole.answers:
                    # What is committed cannot be tried again: keep this one, refused for now, out of the way.
                    raise PartlyCommitted(whole) from None
                raise
            except Exception as error:
                report = self._refuse(change, error)
            whole.answers += report.answers
            whole.events += report.events
            whole.completed += report.completed
            whole.rejected += report.rejected
            whole.has_written |= report.has_written
        return whole

    def _refuse(self, change: Change, error: Exception) -> CommitReport:
        """Write down what the database will never take, so that it is neither lost nor redelivered for ever."""
        reason = storable(f"{type(error).__name__}: {error}")
        try:
            self._connection.execute(
                "INSERT INTO rejected (at_ms, session_key, source, reason, raw) VALUES (?, ?, ?, ?, ?)",
                [
                    _int64(change.at.wall_ms) or 0,
                    _int64(getattr(change, "session_key", None)),
                    type(change).__name__,
                    reason[:1000],
                    _raw(change),
                ],
            )
        except sqlite3.Error as unavailable:
            raise StoreUnavailable(describe(unavailable)) from unavailable
        refusal = PombalError(Kind.INVALID, f"the store refused this and keeps it among the rejected: {reason[:200]}")
        return CommitReport([refusal], rejected=1)

    def _roll_back(self, counters: Counters) -> None:
        # What was handed out or held for the transaction is void with it.
        self._sessions.clear()
        self.held.clear()
        self._counters = counters
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _read_counters(self) -> Counters:
        counters = dict(self._connection.execute("SELECT name, seq FROM sqlite_sequence"))
        return Counters(counters.get("messages", 0) + 1, counters.get("events", 0) + 1)


def _int64(value: object) -> int | None:
    """What of a refused change fits into an integer column: the change may be refused for this very number."""
    return value if isinstance(value, int) and INT64_MIN <= value <= INT64_MAX else None


def _raw(change: Change) -> str:
    """The change as JSON or, where it holds what JSON cannot (a lone surrogate, bytes), as Python writes it."""
    try:
        return to_json(change, serialize_unknown=True, inf_nan_mode="strings").decode()
    except ValueError:
        return ascii(change)


class PartlyCommitted(Exception):
    """The store became unavailable in the middle of a batch that was being tried change by change."""

    def __init__(self, report: CommitReport) -> None:
        super().__init__(f"{len(report.answers)} changes were committed")
        self.report = report


_PASSING = (
    "SQLITE_FULL", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_READONLY", "SQLITE_IOERR", "SQLITE_CANTOPEN",
    "SQLITE_NOMEM", "SQLITE_PROTOCOL", "SQLITE_CORRUPT", "SQLITE_NOTADB",
)  # fmt: skip


def is_passing(error: sqlite3.Error) -> bool:
    """Whether it is the store that fails, and not the row: what is asked may succeed once the store is well again."""
    return getattr(error, "sqlite_errorname", "").startswith(_PASSING)


def describe(error: sqlite3.Error) -> str:
    """What is wrong with the store, in the words of health and of refusals."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_FULL"):
        return "the disk is full"
    if name.startswith("SQLITE_IOERR_SHMSIZE"):  # the write-ahead log's index could not grow
        return f"the disk is full, or it fails ({name})"
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return "the database is locked by another program"
    if name.startswith("SQLITE_READONLY"):
        return "the database cannot be written (read-only)"
    if name.startswith("SQLITE_CANTOPEN"):
        return "a file of the database cannot be opened; is its directory there, and has the process a descriptor left?"
    if name.startswith("SQLITE_IOERR"):
        return f"the disk fails ({name})"
    return str(error)
