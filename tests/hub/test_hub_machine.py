"""Random lives of clients who follow the log: they fall behind, come back, and meet retention and restarts."""

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from trio.testing import MockClock

from pombal.config.settings import EventSettings
from pombal.hub.hub import Hub
from pombal.hub.subscription import EventFilter, Subscription
from pombal.model.errors import Kind, PombalError
from pombal.model.events import Event
from tests.hub.building import Log, shown

NAMES = {1: "one", 2: "two"}
FILTERS = (
    EventFilter(),
    EventFilter(sessions=frozenset({"one"})),
    EventFilter(types=frozenset({"session.created"})),
    EventFilter(owner="owner of two"),
)


def lets_pass(wanted: EventFilter, seq: int, session_key: int) -> bool:
    """The filters of above, said again: events 1 and 2 create the sessions, all others update one."""
    name = NAMES[session_key]
    return (
        (wanted.sessions is None or name in wanted.sessions)
        and (wanted.types is None or seq <= len(NAMES))
        and (wanted.owner is None or wanted.owner.endswith(name))
    )


@dataclass
class Client:
    """The model: who has been told everything up to ``cursor``, but what lay in a gap, is owed what comes behind it.

    start: where it began; None where it asked for the oldest there was and has not been told which that is.
    """

    wanted: EventFilter
    start: int | None
    log_id: str
    subscription: Subscription
    cursor: int = 0
    told: list[int] = field(default_factory=list)
    missing: set[int] = field(default_factory=set)

    def hear(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.type == "gap":
                data = shown(event)["data"]
                self.missing |= set(range(data["from"], data["to"] + 1))
            else:
                assert event.seq > self.cursor, "told in order, and once"
            if event.type not in ("gap", "cursor"):
                self.told.append(event.seq)
            if self.start is None:
                self.start = event.seq - 1
            self.cursor = max(self.cursor, event.seq)


class HubMachine(RuleBasedStateMachine):
    """Commits, and their publication behind them; a ring of 4, pages of 3, a cursor after 5."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.events = EventSettings(ring=4, page=3, cursor_every=5)
        self.log = Log(Path(self.directory.name) / "pombal.db", self.events)
        self.happened = {1: 1, 2: 2}
        self.clients: list[Client] = []

    # What happens

    @rule(count=st.integers(1, 8), session_key=st.sampled_from(list(NAMES)))
    def commit(self, count: int, session_key: int) -> None:
        for _ in range(count):
            self.log.commit(self.log.update(session_key))
            self.happened[self.log.last_seq] = session_key

    @rule()
    def publish(self) -> None:
        self.log.publish()

    @rule(back=st.integers(0, 12))
    def retention_takes_all_but(self, back: int) -> None:
        self.log.prune(max(1, self.log.last_seq - back))

    @rule()
    def restart_the_daemon(self) -> None:
        """What was committed and not told is there to be read; every client comes back where it was."""
        self.log.unpublished.clear()
        self.log.hub = Hub(self.log.reader, self.events, self.log.hub.log_id, self.log.last_seq, self.log.store.clock)
        for client in self.clients:
            self.come_back(client)

    # Those who listen

    @precondition(lambda self: len(self.clients) < 4)
    @rule(wanted=st.sampled_from(FILTERS), data=st.data())
    def connect(self, wanted: EventFilter, data: st.DataObject) -> None:
        after = data.draw(st.none() | st.integers(0, self.log.hub.last_seq))
        subscription = Subscription(self.log.hub, after, wanted, None, "test")
        start = None if after == 0 else self.log.hub.last_seq if after is None else after
        self.clients.append(Client(wanted, start, self.log.hub.log_id, subscription, cursor=start or 0))

    @precondition(lambda self: self.clients)
    @rule(data=st.data())
    def reconnect(self, data: st.DataObject) -> None:
        self.come_back(data.draw(st.sampled_from(self.clients)))

    def come_back(self, client: Client) -> None:
        client.subscription = Subscription(self.log.hub, client.cursor, client.wanted, client.log_id, "test")

    @precondition(lambda self: self.clients)
    @rule(data=st.data(), count=st.integers(1, 3))
    def read(self, data: st.DataObject, count: int) -> None:
        client = data.draw(st.sampled_from(self.clients))
        for _ in range(count):
            client.hear(self.next_batch(client))

    @precondition(lambda self: self.clients)
    @rule(data=st.data())
    def fail_to_read(self, data: st.DataObject) -> None:
        """The store cannot be read just then: nothing is skipped for it."""
        client = data.draw(st.sampled_from(self.clients))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.log.reader, "_run", _fail)
            with suppress(PombalError):
                client.hear(self.next_batch(client))

    def next_batch(self, client: Client) -> Sequence[Event]:
        """What it is told now; nothing where it would have to wait."""

        async def main() -> Sequence[Event]:
            with trio.move_on_after(1):
                return await client.subscription.next_batch()
            return []

        return trio.run(main, clock=MockClock(autojump_threshold=0))

    # What must hold

    @invariant()
    def each_was_told_what_it_was_owed(self) -> None:
        for client in self.clients:
            self.check(client)

    def check(self, client: Client) -> None:
        if client.start is None:
            assert client.told == []
            return
        owed = [
            seq
            for seq, session_key in self.happened.items()
            if client.start < seq <= client.cursor and lets_pass(client.wanted, seq, session_key)
        ]
        assert [seq for seq in owed if seq not in client.missing] == [
            seq for seq in client.told if seq not in client.missing
        ]
        assert client.told == sorted(set(client.told))

    def teardown(self) -> None:
        """In the end each has been told everything, up to the last event, or has been told that it is gone."""
        self.log.publish()
        for client in self.clients:
            while batch := self.next_batch(client):
                client.hear(batch)
            self.check(client)
            assert client.subscription.cursor == self.log.last_seq or client.start is None
        self.log.close()
        self.directory.cleanup()


def _fail(*_: object) -> None:
    raise PombalError(Kind.UNAVAILABLE, "the store cannot be read")


TestHub = HubMachine.TestCase
TestHub.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
