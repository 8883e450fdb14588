"""The outbox against a queue that lies in a store, read and told of with delays."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pombal.model.message import Direction, MessageRow, MessageStatus, MessageType, Origin
from pombal.session.outbox import Outbox


def row(row_id: int, **fields: Any) -> MessageRow:
    return MessageRow(
        id=row_id, session_key=1, message_id=f"m{row_id}", link_id=f"L{row_id}", direction=Direction.OUTBOUND,
        origin=Origin.API, message_type=MessageType.TEXT, chat_id="c", status=MessageStatus.QUEUED, happened_at=0,
        **fields,
    )  # fmt: skip


def next_id(outbox: Outbox) -> int | None:
    found = outbox.next()
    return None if found is None else found.id


def send_all(outbox: Outbox) -> list[int]:
    """Dispatch whatever may go; the ids, in order."""
    sent = []
    while (waiting := outbox.next()) is not None:
        outbox.dispatched(waiting, 0)
        sent.append(waiting.id)
    return sent


def test_a_new_message_goes_straight_into_the_window() -> None:
    outbox = Outbox(2)
    assert (outbox.has_work, outbox.must_read, next_id(outbox)) == (False, False, None)
    outbox.offer(row(1))
    outbox.offer(row(2))
    assert not outbox.must_read
    assert send_all(outbox) == [1, 2]
    assert (outbox.depth, outbox.window_used()) == (2, 2)
    outbox.left(row(1))
    assert (outbox.depth, outbox.window_used(), list(outbox.in_flight)) == (1, 1, ["L2"])


def test_beyond_its_capacity_the_queue_is_read_when_its_turn_comes() -> None:
    outbox = Outbox(2)
    for number in (1, 2, 3, 4):
        outbox.offer(row(number))
    assert not outbox.must_read
    assert send_all(outbox) == [1, 2]
    assert outbox.must_read
    assert outbox.start_reading() == 2
    outbox.page([row(3), row(4)], 500)
    assert send_all(outbox) == [3, 4]
    assert not outbox.has_work


def test_a_full_page_is_followed_by_another() -> None:
    outbox = Outbox(2, depth=3)
    assert outbox.start_reading() == 0
    outbox.page([row(1), row(2)], 2)
    assert send_all(outbox) == [1, 2]
    assert outbox.must_read
    assert outbox.start_reading() == 2
    outbox.page([row(3)], 2)
    assert send_all(outbox) == [3]
    assert not outbox.must_read


def test_a_message_told_while_its_page_is_read_goes_out_once() -> None:
    outbox = Outbox(2, depth=1)
    outbox.start_reading()
    outbox.offer(row(2))
    outbox.page([row(1), row(2)], 500)
    assert send_all(outbox) == [1, 2]
    outbox.start_reading()
    outbox.page([row(1), row(2)], 500)
    assert send_all(outbox) == []
    assert not outbox.has_work


def test_what_left_while_a_page_was_read_is_not_taken_in() -> None:
    outbox = Outbox(2, depth=2)
    outbox.start_reading()
    outbox.left(row(1))
    outbox.page([row(1), row(2)], 500)
    assert send_all(outbox) == [2]


def test_a_resend_below_the_page_that_is_being_read_is_not_forgotten() -> None:
    outbox = Outbox(2, depth=2)
    outbox.start_reading()
    outbox.page([row(5)], 1)
    assert send_all(outbox) == [5]
    assert outbox.start_reading() == 5
    outbox.offer(row(3))  # sent again by a person
    outbox.page([row(6)], 500)
    assert send_all(outbox) == [6]
    assert outbox.must_read
    assert outbox.start_reading() == 2
    outbox.page([row(3), row(5), row(6)], 500)
    assert send_all(outbox) == [3]


def test_a_page_that_could_not_be_read_is_read_again() -> None:
    outbox = Outbox(2, depth=2)
    outbox.start_reading()
    outbox.offer(row(3))
    outbox.stop_reading()
    outbox.stop_reading()
    assert outbox.must_read
    outbox.start_reading()
    outbox.page([row(1), row(2), row(3)], 500)
    outbox.stop_reading()
    assert send_all(outbox) == [1, 2, 3]


def test_a_new_link_gets_the_queue_from_its_start() -> None:
    outbox = Outbox(4)
    outbox.offer(row(1))
    outbox.offer(row(2))
    outbox.dispatched(row(1), 0)
    outbox.start_over()
    assert (outbox.must_read, outbox.window_used()) == (True, 0)
    outbox.start_reading()
    outbox.page([row(1), row(2)], 500)
    assert send_all(outbox) == [1, 2]


def test_an_empty_queue_is_not_read_at_a_new_link() -> None:
    outbox = Outbox(4)
    outbox.start_over()
    assert not outbox.has_work


def test_a_message_that_is_being_cancelled_does_not_go_out_but_those_behind_it_do() -> None:
    outbox = Outbox(4)
    for number in (1, 2):
        outbox.offer(row(number))
    assert outbox.hold(row(1))
    assert send_all(outbox) == [2]
    assert not outbox.hold(row(2))
    outbox.release(row(1))
    assert send_all(outbox) == [1]


def test_a_new_link_does_not_let_go_of_a_message_that_is_being_cancelled() -> None:
    outbox = Outbox(4)
    outbox.offer(row(1))
    assert outbox.hold(row(1))
    outbox.start_over()
    outbox.start_reading()
    outbox.page([row(1)], 500)
    assert next_id(outbox) is None
    outbox.left(row(1))
    assert outbox.depth == 0


def test_what_somebody_else_will_fail_is_passed_over() -> None:
    outbox = Outbox(4)
    outbox.offer(row(1))
    outbox.dropped(row(1))
    assert next_id(outbox) is None
    assert outbox.depth == 1


def test_the_overdue_leave_the_window_and_are_told_once() -> None:
    outbox = Outbox(4)
    for number in (1, 2):
        outbox.offer(row(number))
    outbox.dispatched(row(1), 1000)
    outbox.dispatched(row(2), 1500)
    assert outbox.overdue(31_000, 30_000) == []
    assert [late.id for late in outbox.overdue(31_001, 30_000)] == [1]
    assert outbox.overdue(31_002, 30_000) == []
    assert outbox.window_used() == 1
    outbox.left(row(1))  # it was acknowledged after all
    assert (outbox.depth, list(outbox.in_flight)) == (1, ["L2"])


@dataclass
class Snapshot:
    """A page on its way back from the store, and how much had been committed when it was read."""

    rows: list[MessageRow]
    committed: int


@dataclass
class Committed:
    """One change of the queue; ``incarnation`` grows with every resend."""

    row_id: int
    is_queued: bool


@dataclass
class Queue:
    """What lies in the store: ids that are queued, with how often each has been queued."""

    times: dict[int, int] = field(default_factory=dict)
    queued: set[int] = field(default_factory=set)
    log: list[Committed] = field(default_factory=list)

    def add(self, row_id: int) -> None:
        self.times[row_id] = self.times.get(row_id, 0) + 1
        self.queued.add(row_id)
        self.log.append(Committed(row_id, is_queued=True))

    def remove(self, row_id: int) -> None:
        self.queued.discard(row_id)
        self.log.append(Committed(row_id, is_queued=False))

    def page(self, past: int, limit: int) -> list[MessageRow]:
        return [row(row_id) for row_id in sorted(self.queued) if row_id > past][:limit]


WINDOW, PAGE = 3, 4


class OutboxMachine(RuleBasedStateMachine):
    """Commits are told late, pages take their time, links come and go: nothing goes twice, nothing is forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = Queue()
        self.outbox = Outbox(WINDOW)
        self.told = 0
        self.past: int | None = None
        self.snapshot: Snapshot | None = None
        self.held: set[int] = set()
        self.begin_life()

    def begin_life(self) -> None:
        self.dispatched: set[tuple[int, int]] = set()
        self.in_order: list[int] = []
        self.ever_held: set[int] = set(self.held)

    # The store

    @rule(count=st.integers(1, 3))
    def send(self, count: int) -> None:
        for _ in range(count):
            self.queue.add(len(self.queue.times) + 1)

    @precondition(lambda self: self.queue.queued)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        """Acknowledged, failed, expired or cancelled."""
        self.queue.remove(data.draw(st.sampled_from(sorted(self.queue.queued))))

    @precondition(lambda self: set(self.queue.times) - self.queue.queued)
    @rule(data=st.data())
    def resend(self, data: st.DataObject) -> None:
        gone = sorted(set(self.queue.times) - self.queue.queued)
        self.queue.add(data.draw(st.sampled_from(gone)))

    @precondition(lambda self: self.told < len(self.queue.log))
    @rule()
    def tell(self) -> None:
        """The recorder reports the next commit."""
        change = self.queue.log[self.told]
        self.told += 1
        if change.is_queued:
            self.outbox.offer(row(change.row_id))
        else:
            self.outbox.left(row(change.row_id))
            self.held.discard(change.row_id)

    # The dispatcher

    @precondition(lambda self: self.past is None and self.outbox.must_read)
    @rule()
    def start_reading(self) -> None:
        self.past = self.outbox.start_reading()

    @precondition(lambda self: self.past is not None and self.snapshot is None)
    @rule()
    def read(self) -> None:
        assert self.past is not None
        self.snapshot = Snapshot(self.queue.page(self.past, PAGE), len(self.queue.log))

    @precondition(lambda self: self.snapshot is not None)
    @rule()
    def finish_reading(self) -> None:
        assert self.snapshot is not None
        while self.told < self.snapshot.committed:
            self.tell()
        self.outbox.page(self.snapshot.rows, PAGE)
        self.past = self.snapshot = None

    @precondition(lambda self: self.past is not None)
    @rule()
    def fail_reading(self) -> None:
        self.outbox.stop_reading()
        self.past = self.snapshot = None

    @precondition(lambda self: self.outbox.window_used() < WINDOW)
    @rule()
    def dispatch(self) -> None:
        waiting = self.outbox.next()
        if waiting is None:
            return
        assert waiting.id not in self.held
        assert self.is_queued_as_told(waiting.id)
        this_time = waiting.id, self.times_told(waiting.id)
        assert this_time not in self.dispatched
        self.dispatched.add(this_time)
        if this_time[1] == 1 and waiting.id not in self.ever_held:
            assert not self.in_order or waiting.id > self.in_order[-1]
            self.in_order.append(waiting.id)
        self.outbox.dispatched(waiting, 0)

    def times_told(self, row_id: int) -> int:
        return sum(change.is_queued and change.row_id == row_id for change in self.queue.log[: self.told])

    def is_queued_as_told(self, row_id: int) -> bool:
        told = [change for change in self.queue.log[: self.told] if change.row_id == row_id]
        return told[-1].is_queued

    @rule()
    def overdue(self) -> None:
        self.outbox.overdue(2, 1)

    # Links, and people who cancel

    @rule()
    def new_link(self) -> None:
        if self.past is not None:
            self.fail_reading()
        self.outbox.start_over()
        self.begin_life()

    @precondition(lambda self: self.queue.queued)
    @rule(data=st.data())
    def hold(self, data: st.DataObject) -> None:
        row_id = data.draw(st.sampled_from(sorted(self.queue.queued)))
        if self.outbox.hold(row(row_id)):
            self.held.add(row_id)
            self.ever_held.add(row_id)

    @precondition(lambda self: self.held)
    @rule()
    def release(self) -> None:
        self.outbox.release(row(self.held.pop()))

    # What must hold

    @invariant()
    def depth_is_what_was_told(self) -> None:
        told = self.queue.log[: self.told]
        assert self.outbox.depth == sum(1 if change.is_queued else -1 for change in told)

    @invariant()
    def memory_is_bounded(self) -> None:
        assert len(self.outbox._waiting) <= max(WINDOW, PAGE)

    def teardown(self) -> None:
        """In the end everything that is queued has been handed to the link that is open."""
        while self.told < len(self.queue.log):
            self.tell()
        while self.held:
            self.release()
        if self.past is not None:
            self.fail_reading()
        while self.outbox.has_work:
            if self.outbox.must_read:
                self.start_reading()
                self.read()
                self.finish_reading()
            self.outbox.overdue(2, 1)
            self.dispatch()
        assert {flight.row.id for flight in self.outbox.in_flight.values()} == self.queue.queued


TestOutbox = OutboxMachine.TestCase
TestOutbox.settings = settings(max_examples=250, stateful_step_count=50, deadline=None)
