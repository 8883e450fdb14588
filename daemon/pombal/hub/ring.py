"""The newest events, in memory, for subscribers that keep up; each is encoded once, when the first of them asks."""

from collections.abc import Sequence
from itertools import islice

from pombal.model.events import CODE_EVENTS, Event, show_event
from pombal.store.workspace import Written


class Ring:
    """A bounded run of consecutive events. Sequence numbers have no holes, so a place is a subtraction."""

    def __init__(self, capacity: int, last_seq: int) -> None:
        self._capacity = capacity
        self._items: list[Written | Event] = []
        self.first_seq = last_seq + 1
        self.last_seq = last_seq

    def add(self, written: Sequence[Written]) -> None:
        self._items.extend(written)
        self.last_seq += len(written)
        # Trimmed by halves, not one by one: taking from the front of a list moves all of it.
        if len(self._items) >= 2 * self._capacity:
            surplus = len(self._items) - self._capacity
            del self._items[:surplus]
            self.first_seq += surplus

    def forget(self) -> None:
        """Keep nothing: what was in here is to be read from the store, which knows what has been removed since."""
        self._items.clear()
        self.first_seq = self.last_seq + 1

    def holds_all_after(self, seq: int) -> bool:
        return seq + 1 >= self.first_seq

    def after(self, seq: int, limit: int, now_ms: int) -> list[Event]:
        """At most limit events past seq; holds_all_after(seq) must be true."""
        start = seq + 1 - self.first_seq
        return [self._shown(place, now_ms) for place in range(start, min(start + limit, len(self._items)))]

    def _shown(self, place: int, now_ms: int) -> Event:
        item = self._items[place]
        if isinstance(item, Event):
            return item
        shown = show_event(item.row, item.session, item.message, now_ms)
        if item.row.type not in CODE_EVENTS:  # a code is shown only until it expires
            self._items[place] = shown
        return shown

    def __len__(self) -> int:
        return len(self._items)

    def peek(self, limit: int) -> list[Written | Event]:
        """The oldest items as they are kept, for tests and for a look from a debugger."""
        return list(islice(self._items, limit))
