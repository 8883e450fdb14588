"""The one task that writes the network's own side (ledger.py) to disk."""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import structlog
import trio

from pombal.link.base import IncomingMessage
from pombal.link.simulator.ledger import Batch, Saved, commit, erase, load, open_ledger
from pombal.model.errors import Kind, PombalError
from pombal.model.person import Person
from pombal.model.text import storable

log = structlog.get_logger()

RETRY_S = 0.5


class Durable:
    """Group commit without a timer: what comes while a batch is being written makes the next one."""

    def __init__(self, path: Path, remembered_sends: int) -> None:
        self._path = path
        self._remembered_sends = remembered_sends
        self._connection: sqlite3.Connection
        self._batch = Batch()
        self._writing: Batch | None = None
        self._arrived = trio.Event()
        self._limiter = trio.CapacityLimiter(1)

    # What is to be written

    def account(self, session_id: str, name: str, number: str, is_paired: bool) -> trio.Event:
        """The event is set when it is on disk, as with all of these."""
        self._batch.accounts[session_id] = (session_id, name, number, int(is_paired), 1)
        return self._more()

    def inbound(
        self,
        session_id: str,
        messages: list[tuple[int, IncomingMessage]],
        injected_at_ms: int,
        when_done: Callable[[], None],
    ) -> trio.Event:
        """when_done is called after the commit, in the order of arrival."""
        self._batch.inbound += [
            (session_id, arrival, m.link_id, m.chat_id, _plain(m.text), injected_at_ms, json.dumps(asdict(m)))
            for arrival, m in messages
        ]
        self._batch.when_done.append(when_done)
        return self._more()

    def send(
        self,
        session_id: str,
        link_id: str,
        chat_id: str,
        text: str | None,
        at_ms: int,
        when_done: Callable[[], None],
        *,
        deduplicates: bool,
    ) -> trio.Event:
        """when_done is called after the commit."""
        self._batch.when_done.append(when_done)
        self._batch.sends.append((session_id, link_id, chat_id, _plain(text), at_ms))
        if not deduplicates:
            self._batch.repeated.append((session_id, link_id))
        return self._more()

    def acknowledged(self, session_id: str, arrival: int, next_seq: int, settled: list[str]) -> None:
        """Inbound messages up to arrival (0: none), and the receipts that settle these sends."""
        before = self._batch.acknowledged.get(session_id, (session_id, 0, 0))
        self._batch.acknowledged[session_id] = (session_id, max(arrival, before[1]), next_seq)
        self._batch.settled += [(session_id, link_id) for link_id in settled]
        self._more()

    def forget(self, session_id: str) -> None:
        self._batch.forgotten.append(session_id)
        self._more()

    async def erase(self, person: Person) -> int:
        """Once everything before is written: how many rows of a person were removed, from every byte of the file.

        Raises PombalError (unavailable).
        """
        await self._more().wait()
        try:
            return await trio.to_thread.run_sync(erase, self._connection, person, limiter=self._limiter)
        except sqlite3.OperationalError as error:
            reason = f"the simulator's database cannot be cleaned now: {error}"
            raise PombalError(Kind.UNAVAILABLE, reason) from error

    def _more(self) -> trio.Event:
        self._arrived.set()
        return self._batch.done

    # Writing it

    async def open(self) -> Saved:
        """What was left by a former life. Raises PombalError (unavailable) for a file that is no such database."""
        self._connection, saved = await trio.to_thread.run_sync(
            _read, self._path, self._remembered_sends, limiter=self._limiter
        )
        return saved

    async def run(self) -> None:
        """Write until cancelled, and what waits then; only after ``open``.

        The connection moves between trio's threads, but is only ever used by one at a time.
        """
        try:
            while True:
                await self._arrived.wait()
                await self._write(self._connection)
        finally:
            self._write_last(self._connection)
            self._connection.close()

    def _write_last(self, connection: sqlite3.Connection) -> None:
        """Without await, for the task is being cancelled; nobody is told, for they are too."""
        try:
            if self._writing is not None:
                commit(connection, self._writing)
            commit(connection, self._batch)
        except sqlite3.Error as error:
            log.warning("simulator's database misses the last changes", path=str(self._path), error=str(error))

    async def _write(self, connection: sqlite3.Connection) -> None:
        batch, self._batch, self._arrived = self._batch, Batch(), trio.Event()
        self._writing = batch
        while True:
            try:
                await trio.to_thread.run_sync(commit, connection, batch, limiter=self._limiter)
                break
            except sqlite3.OperationalError as error:  # locked, or no room on the disk: whoever waits goes on waiting
                log.warning("simulator's database cannot be written", path=str(self._path), error=str(error))
                await trio.sleep(RETRY_S)
        self._writing = None
        for action in batch.when_done:
            action()
        batch.done.set()


def _read(path: Path, remembered_sends: int) -> tuple[sqlite3.Connection, Saved]:
    connection = open_ledger(path)
    return connection, load(connection, remembered_sends)


def _plain(text: str | None) -> str | None:
    return None if text is None else storable(text)
