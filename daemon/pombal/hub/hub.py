"""The hub: who listens, how far each is, and who is woken when something has been committed."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import trio

from pombal.config.settings import EventSettings
from pombal.hub.ring import Ring
from pombal.hub.subscription import EventFilter, Subscription
from pombal.model.clock import Clock
from pombal.model.events import EventType
from pombal.store.reader import Reader
from pombal.store.workspace import Written


class Hub:
    """Hands committed events to subscribers by their cursors. Holds no task and no queue."""

    def __init__(self, reader: Reader, settings: EventSettings, log_id: str, last_seq: int, clock: Clock) -> None:
        self.reader = reader
        self.settings = settings
        self.log_id = log_id
        self.clock = clock
        self.ring = Ring(settings.ring, last_seq)
        self.is_closed = False
        self._subscriptions: set[Subscription] = set()
        self._news = trio.Event()

    @property
    def last_seq(self) -> int:
        """The last event that may be shown."""
        return self.ring.last_seq

    def publish(self, written: Sequence[Written]) -> None:
        """Committed: from now on these may be shown. Called in commit order."""
        if not written:
            return
        self.ring.add(written)
        if any(_has_removed_messages(each) for each in written if each.row.type == EventType.SESSION_DELETED):
            self.ring.forget()  # what was purged must not be shown out of memory
        self._wake()

    def forget_shown(self) -> None:
        """What was removed from the store must not be shown out of memory: all of it is read from there again."""
        self.ring.forget()

    def close(self) -> None:
        """Nothing more comes: subscribers are handed what there is, then told the end."""
        self.is_closed = True
        self._wake()

    async def news(self) -> None:
        """Wait for the next commit that has events, or for the end."""
        await self._news.wait()

    @asynccontextmanager
    async def subscribe(
        self, *, after: int | None, wanted: EventFilter, log_id: str | None, transport: str
    ) -> AsyncIterator[Subscription]:
        """Events past after; 0: from the oldest kept; None: from now. A foreign log_id gets a gap first."""
        subscription = Subscription(self, after, wanted, log_id, transport)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def subscribers(self) -> dict[str, tuple[int, int]]:
        """By transport: how many listen, and how many events the slowest of them is behind."""
        found: dict[str, tuple[int, int]] = {}
        for subscription in self._subscriptions:
            count, lag = found.get(subscription.transport, (0, 0))
            found[subscription.transport] = count + 1, max(lag, self.last_seq - subscription.cursor)
        return found

    def _wake(self) -> None:
        self._news.set()
        self._news = trio.Event()


def _has_removed_messages(written: Written) -> bool:
    return bool((written.row.data or {}).get("messages_deleted"))
