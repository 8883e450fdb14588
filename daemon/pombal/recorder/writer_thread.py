"""The thread that owns the write connection, and the bridge to it from trio.

A thread of its own and not one of trio's pool: a connection is used in one thread only, and a writer that hangs in the
kernel must not keep the process from ending.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

import structlog
import trio

from pombal.model.changes import Change
from pombal.store.writer import CommitReport, Writer, describe

log = structlog.get_logger()

T = TypeVar("T")
REWRITE_MIN_BYTES_PER_S = 2_000_000
"""A disk that writes a database anew more slowly than this hangs."""


class Job(Generic[T]):
    """Work that has its turn in the thread, whether or not anybody awaits what comes of it."""

    __slots__ = ("done", "error", "result", "work")

    def __init__(self, work: Callable[[], T]) -> None:
        self.work = work
        self.done = trio.Event()
        self.result: T
        self.error: BaseException | None = None

    def __await__(self) -> Generator[Any, None, T]:
        yield from self.done.wait().__await__()
        if self.error is not None:
            raise self.error
        return self.result


class WriterThread:
    """Runs one job at a time, in order. Start it inside trio; ``stop`` ends the thread after what waits."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Job[Any] | None] = SimpleQueue()
        self._token = trio.lowlevel.current_trio_token()
        self._busy_since: float | None = None
        self._allowed_s = 0.0
        self._stopped = trio.Event()
        self._thread = threading.Thread(target=self._run, name="pombal-writer", daemon=True)
        self._thread.start()

    @property
    def busy_s(self) -> float:
        """How long the thread has been at its present job, beyond what that may take; 0 while it is idle."""
        since = self._busy_since
        return 0.0 if since is None else max(0.0, time.monotonic() - since - self._allowed_s)

    @contextmanager
    def may_take(self, seconds: float) -> Iterator[None]:
        """What is done inside takes long and does not hang before that. Called from within a job."""
        self._allowed_s = seconds
        try:
            yield
        finally:
            self._allowed_s = 0.0

    def begin(self, work: Callable[[], T]) -> Job[T]:
        """Give work its turn; the job is awaited for its result. One who is cancelled meanwhile leaves it to finish."""
        job = Job(work)
        self._jobs.put(job)
        return job

    async def call(self, work: Callable[[], T]) -> T:
        return await self.begin(work)

    async def stop(self) -> None:
        self._jobs.put(None)
        await self._stopped.wait()
        self._thread.join()  # it has said its last word: no time is lost here

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._busy_since = time.monotonic()
            try:
                job.result = job.work()
            except BaseException as error:  # noqa: ASYNC103  # it belongs to whoever asked, in the other thread
                job.error = error
            self._busy_since = None
            self._tell(job.done)
        self._tell(self._stopped)

    def _tell(self, event: trio.Event) -> None:
        try:
            self._token.run_sync_soon(event.set)
        except trio.RunFinishedError:
            # The loop ended without waiting for us (a second SIGTERM): what was committed is on disk all the same.
            return


class ThreadedWriter:
    """A writer in its thread: the recorder's ``Commits``, and what else needs the write connection."""

    def __init__(self, writer: Writer, thread: WriterThread) -> None:
        self.writer = writer
        self.thread = thread

    def commit(self, batch: Sequence[Change]) -> Job[CommitReport]:
        return self.thread.begin(partial(self.writer.commit, batch))

    async def rewrite(self) -> None:
        """The database file anew, without a trace of what was removed; commits wait meanwhile.

        Raises StoreUnavailable, having changed nothing. Cancelled, it is given up: a drain must not wait for it.
        """
        given_up = threading.Event()
        try:
            await self.thread.call(partial(self._rewrite, given_up))
        finally:
            given_up.set()

    def _rewrite(self, given_up: threading.Event) -> None:
        with self.thread.may_take(self.writer.size_bytes() / REWRITE_MIN_BYTES_PER_S):
            self.writer.rewrite(lambda: not given_up.is_set())

    async def empty_log(self) -> bool:
        """Whether nothing is left in the write-ahead log. Raises StoreUnavailable."""
        return await self.thread.call(self.writer.empty_log)

    async def close(self) -> None:
        """Checkpoint, close the connection, end the thread. Without a checkpoint the next start reads the log."""
        try:
            await self.thread.call(self.writer.checkpoint)
        except sqlite3.Error as error:
            log.warning("write-ahead log stays as it is", reason=describe(error))
        await self.thread.call(self.writer.close)
        await self.thread.stop()
