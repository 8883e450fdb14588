"""Reading: connections that cannot write, a limited number of threads of their own, one snapshot a query.

So a slow search never holds up a commit, and ten of them never take the threads that others need.
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import trio

from pombal.config.settings import StoreSettings
from pombal.model.errors import Kind, PombalError
from pombal.store.connection import open_reader
from pombal.store.writer import describe

T = TypeVar("T")
_STEPS_BETWEEN_CHECKS = 250_000  # some ms; each look takes the interpreter lock, which others may hold


class Reader:
    """A small pool of read-only connections. Open it before use, close it when nobody reads any longer."""

    def __init__(self, path: Path, settings: StoreSettings, busy_timeout_ms: int) -> None:
        self._path = path
        self._settings = settings
        self._busy_timeout_ms = busy_timeout_ms
        self._limiter = trio.CapacityLimiter(settings.readers)
        self._idle: list[sqlite3.Connection] = []

    async def run(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """The answer of query, which sees one snapshot of the database, in a thread.

        Raises PombalError: unavailable when the store cannot be read or the query takes too long; what query raises.
        """
        return await trio.to_thread.run_sync(self._run, query, limiter=self._limiter)

    def _run(self, query: Callable[[sqlite3.Connection], T]) -> T:
        try:
            connection = self._take()
        except sqlite3.Error as error:
            raise PombalError(Kind.UNAVAILABLE, f"the store cannot be read: {describe(error)}") from error
        deadline = time.monotonic() + self._settings.query_timeout_s
        connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_BETWEEN_CHECKS)
        try:
            connection.execute("BEGIN")
            return query(connection)
        except sqlite3.Error as error:
            raise self._refusal(error) from error
        finally:
            connection.set_progress_handler(None, 0)
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            self._idle.append(connection)

    def _take(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()  # asking before whether there is one would race with the other threads
        except IndexError:
            return open_reader(self._path, self._busy_timeout_ms)

    def _refusal(self, error: sqlite3.Error) -> PombalError:
        if getattr(error, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
            return PombalError(
                Kind.UNAVAILABLE,
                f"the query took longer than {self._settings.query_timeout_s:g} s and was ended; ask for less "
                "(a session, a shorter time) or raise [store] query_timeout_s",
            )
        return PombalError(Kind.UNAVAILABLE, f"the store cannot be read: {describe(error)}")

    def close(self) -> None:
        """Close what is idle; nobody may be reading."""
        while self._idle:
            self._idle.pop().close()
