"""One session's outbox in memory: a bounded window on the queue that lies in the store.

The store has the whole queue; here are the next few of it, and what was handed to the link and not yet acknowledged.
A newly committed message goes straight in while nothing lies between it and the window; else it is read when its turn
comes. Pure: whoever calls knows the time, and reads the store.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from pombal.model.message import MessageRow
from pombal.session.lanes import Lanes, lane_of


@dataclass(slots=True)
class InFlight:
    """A message that was handed to the link; is_overdue once its acknowledgement is too late to wait for."""

    row: MessageRow
    dispatched_mono_ms: int
    is_overdue: bool = False
    is_upload: bool = False  # its file is still on its way to the link
    grace_ms: float = 0.0  # what its file may take beyond that


@dataclass(slots=True)
class _Reading:
    """What is told while a page is being read, and may or may not be in it."""

    lowest_offered: int | None = None
    left: set[int] = field(default_factory=set)
    is_void: bool = False  # the queue has been started over since: what lies before this page would be passed over

    def offered(self, row_id: int) -> None:
        self.lowest_offered = row_id if self.lowest_offered is None else min(self.lowest_offered, row_id)


class Outbox:
    """``depth``: messages queued in the store, those in flight among them."""

    __slots__ = ("_behind", "_capacity", "_held", "_last_id", "_overdue", "_reading", "_waiting", "depth", "in_flight")

    def __init__(self, capacity: int, depth: int = 0) -> None:
        self._capacity = capacity
        self._waiting: dict[int, MessageRow] = {}  # by id, in the order they go out
        self._held: set[int] = set()
        self._overdue: set[str] = set()  # link_ids of those in flight that are waited for no longer
        self._last_id = 0
        self._behind = depth > 0  # whether the store may have more, past _last_id
        self._reading: _Reading | None = None
        self.depth = depth
        self.in_flight: dict[str, InFlight] = {}

    # What is committed

    def offer(self, row: MessageRow) -> None:
        """A message was queued, by a send or a resend, and is committed."""
        self.depth += 1
        if self._reading is not None:
            self._reading.offered(row.id)
        elif self._behind or len(self._waiting) >= self._capacity or row.id <= self._last_id:
            self._read_again_from(row.id)
        else:
            self._waiting[row.id] = row
            self._last_id = row.id

    def left(self, row: MessageRow) -> None:
        """A message is no longer queued: acknowledged, failed or cancelled, and that is committed."""
        self.depth -= 1
        self.in_flight.pop(row.link_id, None)
        self._overdue.discard(row.link_id)
        self._waiting.pop(row.id, None)
        self._held.discard(row.id)
        if self._reading is not None:
            self._reading.left.add(row.id)

    # What is read

    def must_read(self, lanes: Lanes, lookahead: int) -> bool:
        """Whether the store must be read before anything else can go.

        lookahead: with so many messages in memory that are all held back, those behind them wait, too.
        """
        return self._behind and len(self._waiting) < lookahead and self.next(lanes) is None

    def start_reading(self) -> int:
        """The id past which to read the next page; ends with ``page``, or with ``stop_reading`` where that fails."""
        self._reading = _Reading()
        return self._last_id

    def page(self, rows: list[MessageRow], limit: int) -> None:
        """The page that was read; at most limit rows.

        Everything that was committed when it was read has been told by now (Recorder.caught_up): what was told since
        start_reading may be in the page or not, so it is read once more. Else a message that is in the page and told
        afterwards would go out twice.
        """
        reading = self._reading or _Reading()
        if reading.is_void:
            self.stop_reading()
            return
        self._reading = None
        is_ahead = bool(self._waiting)
        for row in rows:
            if row.link_id not in self.in_flight and row.id not in reading.left:
                self._waiting.setdefault(row.id, row)
            self._last_id = max(self._last_id, row.id)
        if is_ahead:
            self._waiting = dict(sorted(self._waiting.items()))
        self._behind = len(rows) == limit
        if reading.lowest_offered is not None:
            self._read_again_from(reading.lowest_offered)

    def stop_reading(self) -> None:
        """The page could not be read, or nobody wants it any more; after ``page`` this changes nothing."""
        reading, self._reading = self._reading, None
        if reading is not None and reading.lowest_offered is not None:
            self._read_again_from(reading.lowest_offered)

    def start_over(self, in_hand: Collection[str] = ()) -> None:
        """A link was opened: the queue is read from its start, what an earlier link saw no answer to included.

        in_hand: link_ids of what this link is being given at this moment, which it need not be given twice.
        """
        self._waiting.clear()
        self.in_flight = {link_id: flight for link_id, flight in self.in_flight.items() if link_id in in_hand}
        self._overdue &= self.in_flight.keys()
        self._last_id = 0
        self._behind = self.depth > 0
        if self._reading is not None:
            self._reading.is_void = True

    # What goes out

    def window_used(self) -> int:
        """In flight and still waited for."""
        return len(self.in_flight) - len(self._overdue)

    def next(self, lanes: Lanes) -> MessageRow | None:
        """The next message that may go, which stays where it is; None where there is none in memory.

        In commit order, but for the chats that are busy; a file for which there is no room holds its chat back.
        """
        passed: set[str] = set()
        for row in self._waiting.values():
            lane = lane_of(row)
            if row.id in self._held or lane in passed or lanes.is_busy(lane):
                continue
            if lanes.has_room_for(row):
                return row
            passed.add(lane)
        return None

    def waiting(self) -> list[MessageRow]:
        """Everything in memory that is not held back by itself, in commit order."""
        return [row for row in self._waiting.values() if row.id not in self._held]

    def readdress(self, rows: Iterable[MessageRow]) -> None:
        """Their recipients are known now."""
        for row in rows:
            if row.id in self._waiting:
                self._waiting[row.id] = row

    def dispatched(
        self, row: MessageRow, now_mono_ms: int, *, is_upload: bool = False, grace_ms: float = 0.0
    ) -> None:  # fmt: skip
        """It is being handed to the link."""
        self._waiting.pop(row.id, None)
        self._overdue.discard(row.link_id)
        self.in_flight[row.link_id] = InFlight(row, now_mono_ms, is_upload=is_upload, grace_ms=grace_ms)

    def handed_over(self, row: MessageRow, now_mono_ms: int) -> None:
        """The link has its file: from now on the server's acknowledgement is waited for."""
        if (flight := self.in_flight.get(row.link_id)) is not None:
            flight.is_upload, flight.dispatched_mono_ms = False, now_mono_ms

    def dropped(self, row: MessageRow) -> None:
        """It is not to be handed over: somebody else will say what becomes of it."""
        self._waiting.pop(row.id, None)

    def hold(self, row: MessageRow) -> bool:
        """Keep a message from going out while it is being cancelled; False: it is in flight already."""
        if row.link_id in self.in_flight:
            return False
        self._held.add(row.id)
        return True

    def release(self, row: MessageRow) -> None:
        """It was not cancelled after all."""
        self._held.discard(row.id)

    def overdue(self, now_mono_ms: int, timeout_ms: float) -> list[MessageRow]:
        """Those whose acknowledgement has just become too late; they leave the window, and are told once."""
        found = []
        for flight in self.in_flight.values():
            waited_ms = now_mono_ms - flight.dispatched_mono_ms - flight.grace_ms
            if not (flight.is_overdue or flight.is_upload) and waited_ms > timeout_ms:
                flight.is_overdue = True
                self._overdue.add(flight.row.link_id)
                found.append(flight.row)
        return found

    def _read_again_from(self, row_id: int) -> None:
        """A resend has an id that the window has passed; everything else comes when it is read."""
        self._behind = True
        self._last_id = min(self._last_id, row_id - 1)
