"""Random lives of the outbox against a queue that lies in a store, read and told of with delays."""

from collections import defaultdict
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pombal.model.message import MessageRow
from pombal.session.lanes import Lanes, is_upload, lane_of
from pombal.session.outbox import Outbox
from tests.session.rows import row, with_file


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
        return [message(row_id) for row_id in sorted(self.queued) if row_id > past][:limit]


CAPACITY, WINDOW, PAGE, LOOKAHEAD, UPLOADS = 1, 4, 3, 9, 1
CHATS = 3


def message(row_id: int) -> MessageRow:
    """Every second one has a file; three chats."""
    chat_id = f"c{row_id % CHATS}"
    return with_file(row_id, chat_id) if row_id % 2 else row(row_id, chat_id=chat_id)


class OutboxMachine(RuleBasedStateMachine):
    """Commits are told late, pages and files take their time, links come and go: nothing goes twice, nothing is
    forgotten, and within a chat everything goes in its order."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = Queue()
        self.outbox = Outbox(CAPACITY)
        self.told = 0
        self.past: int | None = None
        self.snapshot: Snapshot | None = None
        self.held: set[int] = set()
        self.begin_life()

    def begin_life(self) -> None:
        self.lanes = Lanes(UPLOADS)
        self.asked_about: set[str] = set()
        self.uploading: dict[int, MessageRow] = {}
        self.dispatched: set[tuple[int, int]] = set()
        self.in_order: dict[str, list[int]] = defaultdict(list)
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
    @rule(count=st.integers(2, 5))
    def send_and_hear(self, count: int) -> None:
        self.send(count)
        self.hear(count)

    @rule(count=st.integers(1, 4))
    def hear(self, count: int) -> None:
        """The recorder reports its next commits."""
        for _ in range(min(count, len(self.queue.log) - self.told)):
            self.tell()

    def tell(self) -> None:
        change = self.queue.log[self.told]
        self.told += 1
        if change.is_queued:
            self.outbox.offer(message(change.row_id))
        else:
            self.outbox.left(message(change.row_id))
            self.held.discard(change.row_id)

    # The dispatcher

    @precondition(lambda self: self.past is None and self.outbox.must_read(self.lanes, LOOKAHEAD))
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
        waiting = self.outbox.next(self.lanes)
        if waiting is None:
            return
        assert waiting.id not in self.held
        assert self.is_queued_as_told(waiting.id)
        this_time = waiting.id, self.times_told(waiting.id)
        assert this_time not in self.dispatched
        self.dispatched.add(this_time)
        if this_time[1] == 1 and waiting.id not in self.ever_held:
            before = self.in_order[waiting.chat_id]
            assert not before or waiting.id > before[-1]
            before.append(waiting.id)
        assert waiting.chat_id not in {uploaded.chat_id for uploaded in self.uploading.values()} | self.asked_about
        self.outbox.dispatched(waiting, 0, is_upload=is_upload(waiting))
        if is_upload(waiting):
            self.lanes.begin_upload(waiting)
            self.uploading[waiting.id] = waiting
            assert len(self.uploading) <= UPLOADS

    @rule()
    def dispatch_what_may_go(self) -> None:
        while self.outbox.window_used() < WINDOW and self.outbox.next(self.lanes) is not None:
            self.dispatch()

    @precondition(lambda self: self.uploading)
    @rule(data=st.data())
    def end_upload(self, data: st.DataObject) -> None:
        uploaded = self.uploading.pop(data.draw(st.sampled_from(sorted(self.uploading))))
        self.outbox.handed_over(uploaded, 0)
        self.lanes.end_upload(uploaded)

    @precondition(lambda self: self.outbox.next(self.lanes) is not None and not self.asked_about)
    @rule()
    def ask_about_a_recipient(self) -> None:
        stranger = self.outbox.next(self.lanes)
        assert stranger is not None
        self.lanes.hold(lane_of(stranger))
        self.asked_about.add(lane_of(stranger))

    @precondition(lambda self: self.asked_about)
    @rule()
    def answer(self) -> None:
        self.lanes.free(self.asked_about.pop())
        self.outbox.readdress(self.outbox.waiting())

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

    @rule()
    def ready_again(self) -> None:
        """The link that is open says once more that it is ready, in the midst of it: also of reading a page."""
        in_hand = {uploaded.link_id for uploaded in self.uploading.values()}
        self.outbox.start_over(in_hand)
        kept = {(row_id, times) for row_id, times in self.dispatched if f"L{row_id}" in self.outbox.in_flight}
        self.dispatched, self.in_order, self.ever_held = kept, defaultdict(list), set(self.held)

    @precondition(lambda self: self.queue.queued)
    @rule(data=st.data())
    def hold(self, data: st.DataObject) -> None:
        row_id = data.draw(st.sampled_from(sorted(self.queue.queued)))
        if self.outbox.hold(message(row_id)):
            self.held.add(row_id)
            self.ever_held.add(row_id)

    @precondition(lambda self: self.held)
    @rule()
    def release(self) -> None:
        self.outbox.release(message(self.held.pop()))

    # What must hold

    @invariant()
    def depth_is_what_was_told(self) -> None:
        told = self.queue.log[: self.told]
        assert self.outbox.depth == sum(1 if change.is_queued else -1 for change in told)

    @invariant()
    def memory_is_bounded(self) -> None:
        assert len(self.outbox._waiting) < LOOKAHEAD + PAGE

    def teardown(self) -> None:
        """In the end everything that is queued has been handed to the link that is open."""
        while self.told < len(self.queue.log):
            self.tell()
        while self.held:
            self.release()
        if self.past is not None:
            self.fail_reading()
        while self.asked_about:
            self.answer()
        while self.uploading or self.outbox.must_read(self.lanes, LOOKAHEAD) or self.outbox.next(self.lanes):
            if self.outbox.must_read(self.lanes, LOOKAHEAD):
                self.start_reading()
                self.read()
                self.finish_reading()
            self.outbox.overdue(2, 1)
            self.dispatch()
            if self.outbox.next(self.lanes) is None and self.uploading:
                _, uploaded = self.uploading.popitem()
                self.lanes.end_upload(uploaded)
        assert {flight.row.id for flight in self.outbox.in_flight.values()} == self.queue.queued


TestOutbox = OutboxMachine.TestCase
TestOutbox.settings = settings(max_examples=250, stateful_step_count=50, deadline=None)
