"""One subscriber's cursor: from the ring while it keeps up, from the store while it does not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from pombal.model.events import Event, cursor_event, gap_event
from pombal.store.event_log import EventPage, events_after, log_bounds

if TYPE_CHECKING:
    from pombal.hub.hub import Hub


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events a subscriber wants; None: all. Sessions by name or id; owner: only what happens to theirs."""

    sessions: frozenset[str] | None = None
    types: frozenset[str] | None = None
    owner: str | None = None

    @property
    def hides_something(self) -> bool:
        return self.sessions is not None or self.types is not None or self.owner is not None

    def lets_pass(self, event: Event) -> bool:
        if self.types is not None and event.type not in self.types:
            return False
        if self.owner is not None and event.owner != self.owner:
            return False
        return self.sessions is None or event.session in self.sessions or event.session_id in self.sessions


class Subscription:
    """Nothing is kept for a subscriber but its place; one that does not ask costs nothing and loses nothing."""

    def __init__(self, hub: "Hub", after: int | None, wanted: EventFilter, log_id: str | None, transport: str) -> None:
        self._hub = hub
        self._wanted = wanted
        self.transport = transport
        self.cursor = hub.last_seq if after is None else after
        self._told = self.cursor
        self._from_oldest = after == 0
        self._is_foreign = log_id is not None and log_id != hub.log_id
        self._may_be_beyond_the_end = self.cursor > hub.last_seq

    @property
    def log_id(self) -> str:
        return self._hub.log_id

    @property
    def last_seq(self) -> int:
        return self._hub.last_seq

    async def next_batch(self) -> Sequence[Event]:
        """The next events, at least one, in order; waits for them.

        A gap comes first where events are missing, and a cursor where a filter has hidden many. Raises
        trio.EndOfChannel when the daemon drains and everything has been handed out, and PombalError (unavailable) when
        the log cannot be read; the cursor has not moved then.
        """
        while True:
            await trio.lowlevel.checkpoint()
            if self._is_foreign:
                return await self._start_over()
            if self._may_be_beyond_the_end:
                await self._look_for_the_end()
            elif self.cursor < self._hub.last_seq:
                if batch := await self._read():
                    self._told = self.cursor
                    return batch
            elif self._hub.is_closed:
                raise trio.EndOfChannel
            else:
                await self._hub.news()

    async def _start_over(self) -> Sequence[Event]:
        """The cursor belongs to another log, or to a future of this one: nothing it says can be trusted."""
        if self._from_oldest:
            await self._go_to_oldest()
        else:
            self.cursor = self._hub.last_seq
        self._is_foreign = self._may_be_beyond_the_end = False
        self._told = self.cursor
        return [gap_event(1, self.cursor)]

    async def _look_for_the_end(self) -> None:
        """A list may have shown what is on disk but not yet published: only the store knows where the log ends."""
        bounds = await self._hub.reader.run(log_bounds)
        self._may_be_beyond_the_end = False
        self._is_foreign = self.cursor > bounds.last_seq

    async def _read(self) -> Sequence[Event]:
        ring, limit = self._hub.ring, self._hub.settings.page
        if ring.holds_all_after(self.cursor):
            found = ring.after(self.cursor, limit, self._hub.clock().wall_ms)
            self.cursor, self._from_oldest = found[-1].seq, False
            return self._or_cursor(found)
        page = await self._page(limit)
        gap = self._gap(page)
        self.cursor = page.read_to
        return [*gap, *self._or_cursor(page.events)] if gap else self._or_cursor(page.events)

    async def _page(self, limit: int) -> EventPage:
        now_ms = self._hub.clock().wall_ms
        if self._from_oldest:
            await self._go_to_oldest()
        after, wanted = self.cursor, self._wanted
        return await self._hub.reader.run(
            lambda connection: events_after(connection, after, limit, now_ms, wanted.sessions, wanted.types)
        )

    async def _go_to_oldest(self) -> None:
        """What retention took was never asked for: "from the oldest kept" has no gap."""
        self.cursor = (await self._hub.reader.run(log_bounds)).first_seq - 1
        self._from_oldest = False

    def _gap(self, page: EventPage) -> list[Event]:
        first = page.bounds.first_seq
        return [gap_event(self.cursor + 1, first - 1)] if self.cursor + 1 < first else []

    def _or_cursor(self, found: Sequence[Event]) -> list[Event]:
        """Those that are wanted, or the cursor where the filter has hidden so many that it would age."""
        events = [event for event in found if self._wanted.lets_pass(event)]
        if not events and self._wanted.hides_something and self.cursor - self._told >= self._hub.settings.cursor_every:
            return [cursor_event(self.cursor)]
        return events
