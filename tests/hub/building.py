"""A hub on a real log: commits and their publication are two steps, for the log may be read in between."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import trio

from pombal.config.settings import EventSettings, StoreSettings
from pombal.hub.hub import Hub
from pombal.hub.subscription import Subscription
from pombal.model import changes
from pombal.model.changes import Change
from pombal.model.events import Event
from pombal.store.connection import log_id_of
from pombal.store.reader import Reader
from pombal.store.workspace import Written
from tests.store.building import Store, create

T = TypeVar("T")


class InLoopReader(Reader):
    """The reader without its threads; ``queries`` counts what was asked of it."""

    queries = 0

    async def run(self, query: Callable[[sqlite3.Connection], T]) -> T:
        self.queries += 1
        await trio.lowlevel.checkpoint()
        return self._run(query)


@dataclass
class Log:
    """Two sessions, 1 and 2, whose updates are the events; pruned as retention does it."""

    path: Path
    settings: EventSettings
    unpublished: list[Written] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = Store(self.path)
        self.store.connection.execute("PRAGMA synchronous = OFF")
        self.reader = InLoopReader(self.path, StoreSettings(), 0)
        log_id = log_id_of(self.store.connection)
        self.hub = Hub(self.reader, self.settings, log_id, 0, self.store.clock)
        self.commit(*(create(self.store.clock(), name, owner=f"owner of {name}") for name in ("one", "two")))
        self.publish()

    def close(self) -> None:
        self.reader.close()
        self.store.close()

    @property
    def last_seq(self) -> int:
        return self.store.writer.last_seq

    def update(self, session_key: int = 1) -> changes.UpdateSession:
        return changes.UpdateSession(at=self.store.clock.advance(1), session_key=session_key, fields={})

    def commit(self, *batch: Change) -> None:
        """On disk, and not yet told to anybody."""
        self.unpublished += self.store.commit(*batch).events

    def publish(self) -> None:
        written, self.unpublished = self.unpublished, []
        self.hub.publish(written)

    def tell(self, count: int = 1, session_key: int = 1) -> None:
        """Events, committed and published."""
        for _ in range(count):
            self.commit(self.update(session_key))
        self.publish()

    def prune(self, before_seq: int) -> None:
        self.store.connection.execute("DELETE FROM events WHERE seq < ?", [before_seq])

    def stored(self) -> list[int]:
        return [seq for (seq,) in self.store.rows("SELECT seq FROM events ORDER BY seq")]


async def seqs(subscription: Subscription) -> list[int]:
    return [event.seq for event in await subscription.next_batch()]


async def upto(subscription: Subscription, seq: int) -> list[Event]:
    """Everything up to the event of that sequence."""
    found: list[Event] = []
    with trio.fail_after(60):
        while subscription.cursor < seq:
            found += await subscription.next_batch()
    return found


def shown(event: Event) -> dict[str, Any]:
    return event.object()
