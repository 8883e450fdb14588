"""The hub: whatever is published and read in whatever order, every reader sees what it asked for once, in order."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from pombal.config.settings import EventSettings, StoreSettings
from pombal.hub.hub import Hub
from pombal.hub.subscription import EventFilter, Subscription
from pombal.model import changes
from pombal.model.events import Event
from pombal.model.session import LinkKind, SessionRow
from pombal.store.reader import Reader
from tests.store.building import Store, queue

T = TypeVar("T")
EVERYTHING = EventFilter()


class InLoopReader(Reader):
    """Reads on the loop, so that a mock clock may run."""

    async def run(self, query: Callable[[sqlite3.Connection], T]) -> T:
        await trio.lowlevel.checkpoint()
        return self._run(query)


class World:
    """A hub over a store; what is committed is published at once, as the recorder does it."""

    def __init__(self, directory: Path, ring: int = 4, page: int = 3, cursor_every: int = 5) -> None:
        self.store = Store(directory / "pombal.db")
        self.reader = InLoopReader(directory / "pombal.db", StoreSettings(), 0)
        self.log_id = "LOG"
        knobs = EventSettings(ring=ring, page=page, cursor_every=cursor_every)
        self.hub = Hub(self.reader, knobs, self.log_id, self.store.writer.last_seq, self.store.clock)
        self.keys = {name: self._session(name) for name in ("one", "two")}

    def _session(self, name: str) -> int:
        (row,) = self.publish(changes.CreateSession(
            at=self.store.clock(), id=f"ID-{name}", name=name, owner="operator", link=LinkKind.SIMULATOR, is_active=True,
        ))  # fmt: skip
        assert isinstance(row, SessionRow)
        return row.key

    def publish(self, *batch: changes.Change) -> Sequence[object]:
        report = self.store.commit(*batch)
        self.hub.publish(report.events)
        return report.answers

    def send(self, session: str, count: int = 1) -> None:
        """So many events of a session."""
        for _ in range(count):
            number = self.hub.last_seq
            self.publish(queue(self.store.clock(), self.keys[session], f"m{number}"))

    def close(self) -> None:
        self.reader.close()
        self.store.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    built = World(tmp_path)
    yield built
    built.close()


async def rest(subscription: Subscription) -> list[Event]:
    """Everything up to the end; the hub is closed."""
    seen: list[Event] = []
    while True:
        try:
            seen.extend(await subscription.next_batch())
        except trio.EndOfChannel:
            return seen


def seqs(events: Sequence[Event]) -> list[int]:
    return [event.seq for event in events]


async def heard(
    world: World, after: int | None, wanted: EventFilter = EVERYTHING, log_id: str | None = None
) -> list[Event]:
    async with world.hub.subscribe(after=after, wanted=wanted, log_id=log_id, transport="test") as subscription:
        world.hub.close()
        return await rest(subscription)


async def test_from_now_means_nothing_of_what_was(autojump_clock: MockClock, world: World) -> None:
    world.send("one", 3)
    async with world.hub.subscribe(after=None, wanted=EVERYTHING, log_id=None, transport="test") as subscription:
        world.send("two")
        assert seqs(await subscription.next_batch()) == [6]


@pytest.mark.parametrize("after", [1, 7, 11, 12])
async def test_after_a_sequence_everything_past_it(autojump_clock: MockClock, world: World, after: int) -> None:
    world.send("one", 10)
    assert seqs(await heard(world, after)) == list(range(after + 1, 13))


async def test_the_ring_and_the_log_show_the_same_bytes(autojump_clock: MockClock, world: World) -> None:
    async with world.hub.subscribe(after=0, wanted=EVERYTHING, log_id=None, transport="test") as subscription:
        fresh = list(await subscription.next_batch())
        world.send("one", 2)
        fresh += await subscription.next_batch()
        world.send("two", 20)  # the ring has long forgotten the first
        assert not world.hub.ring.holds_all_after(0)
    again = await heard(world, 0)
    assert [event.json for event in again[: len(fresh)]] == [event.json for event in fresh]


async def test_one_that_fell_off_the_ring_catches_up_and_misses_nothing(
    autojump_clock: MockClock, world: World
) -> None:
    async with world.hub.subscribe(after=None, wanted=EVERYTHING, log_id=None, transport="slow") as subscription:
        world.send("one", 50)
        assert world.hub.subscribers() == {"slow": (1, 50)}
        world.hub.close()
        assert seqs(await rest(subscription)) == list(range(3, 53))
    assert world.hub.subscribers() == {}


async def test_what_retention_took_is_told_as_a_gap(autojump_clock: MockClock, world: World) -> None:
    world.send("one", 20)
    world.store.clock.advance(1000)
    world.send("one", 5)
    world.store.do(changes.PruneEvents(at=world.store.clock(), before_ms=world.store.clock().wall_ms, limit=1000))
    first, *others = await heard(world, 3)
    assert (first.type, first.seq, first.object()["data"]) == ("gap", 22, {"from": 4, "to": 22})
    assert seqs(others) == [23, 24, 25, 26, 27]


async def test_from_the_oldest_kept_there_is_no_gap(autojump_clock: MockClock, world: World) -> None:
    world.send("one", 20)
    world.store.clock.advance(1000)
    world.send("one", 5)
    world.store.do(changes.PruneEvents(at=world.store.clock(), before_ms=world.store.clock().wall_ms, limit=1000))
    assert seqs(await heard(world, 0)) == [23, 24, 25, 26, 27]


@pytest.mark.parametrize(("after", "log_id"), [(3, "ANOTHER"), (1000, None), (1000, "LOG")])
async def test_a_cursor_of_another_log_or_of_the_future_is_a_gap(
    autojump_clock: MockClock, world: World, after: int, log_id: str | None
) -> None:
    world.send("one", 5)
    (gap,) = await heard(world, after, log_id=log_id)
    assert (gap.type, gap.seq) == ("gap", 7)


async def test_a_filtered_reader_hears_of_its_cursor_now_and_then(autojump_clock: MockClock, world: World) -> None:
    only_two = EventFilter(sessions=frozenset({"two"}))
    async with world.hub.subscribe(after=None, wanted=only_two, log_id=None, transport="test") as subscription:
        world.send("one", 9)
        (cursor,) = await subscription.next_batch()
        assert cursor.type == "cursor"
        assert 5 <= cursor.seq - 2 <= 9
        world.send("two")
        assert seqs(await subscription.next_batch()) == [12]


async def test_the_end_comes_after_all_that_was_committed(autojump_clock: MockClock, world: World) -> None:
    async with world.hub.subscribe(after=None, wanted=EVERYTHING, log_id=None, transport="test") as subscription:
        world.hub.close()
        world.send("one", 7)  # the drain commits its last while the readers are told that the end is near
        assert seqs(await rest(subscription)) == list(range(3, 10))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.sampled_from(["one", "two"]), st.integers(1, 6), st.booleans()), max_size=12),
    st.one_of(st.none(), st.integers(0, 20)),
    st.sampled_from([None, frozenset({"one"}), frozenset({"ID-two"})]),
)
def test_any_order_of_commits_and_reads(
    steps: list[tuple[str, int, bool]], after: int | None, sessions: frozenset[str] | None
) -> None:
    """Commits and reads in turn: what passes the filter past the start is seen once, in order, and nothing else."""

    async def main(directory: Path) -> None:
        world = World(directory)
        world.send("one", 3)
        start = world.hub.last_seq if after is None else min(after, world.hub.last_seq)
        seen: list[Event] = []
        wanted = EventFilter(sessions=sessions)
        async with world.hub.subscribe(after=start, wanted=wanted, log_id=None, transport="test") as subscription:
            for session, count, reads in steps:
                world.send(session, count)
                if reads:
                    with trio.move_on_after(1):
                        seen.extend(await subscription.next_batch())
            world.hub.close()
            seen.extend(await rest(subscription))
        shown = [event for event in seen if event.type != "cursor"]
        every = await heard(world, start)
        assert seqs(shown) == [event.seq for event in every if wanted.lets_pass(event)]
        world.close()

    with TemporaryDirectory() as directory:
        trio.run(main, Path(directory), clock=MockClock(autojump_threshold=0))
