from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from pombal.config.settings import RecorderSettings
from pombal.model.changes import Change
from pombal.model.errors import Kind, PombalError
from pombal.recorder.recorder import Recorder, RecorderClosed
from pombal.store.writer import CommitReport, PartlyCommitted, StoreUnavailable
from tests.recorder.fake_store import FakeStore, fact, number_of, request

FULL = StoreUnavailable("the disk is full")


def recorder_on(store: FakeStore, on_commit: Callable[[CommitReport], None] | None = None, **changed: Any) -> Recorder:
    return Recorder(RecorderSettings(**changed), store, on_commit or (lambda _: None))


@asynccontextmanager
async def running(recorder: Recorder) -> AsyncIterator[trio.Nursery]:
    """The actor runs inside, and has come to its end after it."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(recorder.run)
        yield nursery
        recorder.close()


async def outcome(asking: Awaitable[Any]) -> Any:
    """The answer, or the kind of the refusal."""
    try:
        return await asking
    except PombalError as error:
        return error.kind


async def outcomes(nursery: trio.Nursery, recorder: Recorder, changes: Sequence[Change], into: dict[int, Any]) -> None:
    """Ask for each change in a task of its own, in this order."""

    async def ask(place: int, change: Change) -> None:
        into[place] = await outcome(recorder.commit(change))

    for place, change in enumerate(changes):
        nursery.start_soon(ask, place, change)
        await wait_all_tasks_blocked()


async def test_a_lone_change_is_committed_at_once(autojump_clock: MockClock) -> None:
    store = FakeStore()
    async with running(recorder := recorder_on(store)):
        await wait_all_tasks_blocked()
        assert await recorder.commit(fact(7)) == 7
    assert (store.batches, trio.current_time()) == ([[7]], 0)


async def test_what_waits_is_taken_by_the_hundreds(autojump_clock: MockClock) -> None:
    store = FakeStore()
    store.commit_s = 1.0
    recorder, answers = recorder_on(store), list[Any]()
    async with running(recorder):
        for number in range(600):
            await recorder.submit([fact(number)], answers.extend)
            if number == 0:
                await wait_all_tasks_blocked()
    assert [len(batch) for batch in store.batches] == [1, 599]
    assert store.committed == answers == list(range(600))


async def test_a_batch_has_at_most_so_many_rows_but_takes_a_submission_whole(autojump_clock: MockClock) -> None:
    store = FakeStore()
    recorder = recorder_on(store, max_batch_rows=4)
    for size in (1, 2, 9, 3, 3, 3):
        await recorder.submit([fact(size)] * size)
    async with running(recorder):
        pass
    assert [len(batch) for batch in store.batches] == [12, 6, 3]


async def test_the_answers_of_a_submission_come_together_and_after_the_listeners(autojump_clock: MockClock) -> None:
    told: list[Any] = []
    recorder = recorder_on(FakeStore(), lambda report: told.append(("committed", report.answers)))
    async with running(recorder):
        await recorder.submit([fact(1), fact(2)], lambda answers: told.append(("answered", list(answers))))
        await recorder.submit([fact(3)])
    assert told == [("committed", [1, 2, 3]), ("answered", [1, 2])]


async def test_the_next_transaction_begins_before_the_last_is_told(autojump_clock: MockClock) -> None:
    steps: list[Any] = []

    class Thread(FakeStore):
        def commit(self, batch: Sequence[Change]) -> Awaitable[CommitReport]:  # type: ignore[override]
            steps.append(("begun", *map(number_of, batch)))
            return super().commit(batch)

    recorder = recorder_on(Thread(), lambda report: steps.append(("told", *report.answers)), max_batch_rows=1)
    for number in range(3):
        await recorder.submit([fact(number)])
    async with running(recorder):
        pass
    assert steps == [("begun", 0), ("begun", 1), ("told", 0), ("begun", 2), ("told", 1), ("told", 2)]


async def test_a_submission_without_changes_is_answered_in_its_turn(autojump_clock: MockClock) -> None:
    store, told = FakeStore(), list[str]()
    store.commit_s = 1.0
    store.is_down = FULL
    async with running(recorder := recorder_on(store)):
        await recorder.submit([fact(1)], lambda _: told.append("fact"))
        await wait_all_tasks_blocked()
        await recorder.submit([], lambda _: told.append("nothing"))
        await trio.sleep(5)
        assert told == []
        store.is_down = None
    assert told == ["fact", "nothing"]


async def test_a_refusal_is_an_answer(autojump_clock: MockClock) -> None:
    class Refusing(FakeStore):
        def keep(self, batch: Sequence[Change]) -> CommitReport:
            return CommitReport(answers=[PombalError(Kind.CONFLICT, "no") for _ in batch])

    async with running(recorder := recorder_on(Refusing())):
        assert await outcome(recorder.commit(request(1))) == Kind.CONFLICT
        assert await outcome(recorder.commit_all([fact(1), fact(2)])) == Kind.CONFLICT


# The store is down


async def test_requests_are_refused_and_what_happened_is_kept_in_order(autojump_clock: MockClock) -> None:
    store, answers = FakeStore(), dict[int, Any]()
    store.is_down = FULL
    async with running(recorder := recorder_on(store)) as nursery:
        await outcomes(nursery, recorder, [fact(1), request(2), fact(3), request(4)], answers)
        assert answers == {1: Kind.UNAVAILABLE, 3: Kind.UNAVAILABLE}
        assert recorder.unavailable == "the disk is full"
        assert await outcome(recorder.submit([request(5)])) == Kind.UNAVAILABLE
        await trio.sleep(60)
        assert store.batches == []
        store.is_down = None
        await trio.sleep(2)
        assert recorder.unavailable is None
        assert await recorder.commit(request(6)) == 6
    assert store.committed == [1, 3, 6]


async def test_a_commit_that_had_nothing_to_write_says_nothing_of_the_store(autojump_clock: MockClock) -> None:
    class Repeating(FakeStore):
        def keep(self, batch: Sequence[Change]) -> CommitReport:
            return replace(super().keep(batch), has_written=any(number_of(change) > 9 for change in batch))

    store = Repeating()
    store.outcomes.append(FULL)
    async with running(recorder := recorder_on(store)):
        assert await outcome(recorder.commit(request(1))) == Kind.UNAVAILABLE
        await trio.sleep(2)
        assert await recorder.commit(request(2)) == 2
        assert recorder.unavailable == "the disk is full"
        assert await recorder.commit(request(10)) == 10
        assert recorder.unavailable is None


async def test_requests_that_waited_in_the_queue_when_the_store_failed_are_refused(autojump_clock: MockClock) -> None:
    store, answers = FakeStore(), dict[int, Any]()
    store.commit_s, store.is_down = 1.0, FULL
    async with running(recorder := recorder_on(store)) as nursery:
        await outcomes(nursery, recorder, [fact(0), request(1), request(2), fact(3)], answers)
        assert answers == {}
        await trio.sleep(1.01)
        assert answers == {1: Kind.UNAVAILABLE, 2: Kind.UNAVAILABLE}
        store.is_down = None
    assert store.committed == [0, 3]


async def test_requests_that_waited_for_a_place_are_refused_too(autojump_clock: MockClock) -> None:
    store, answers = FakeStore(), dict[int, Any]()
    store.commit_s, store.is_down = 1.0, FULL
    async with running(recorder := recorder_on(store, queue_capacity=1)) as nursery:
        # One is in hand, one has the place, the others wait for it.
        await outcomes(nursery, recorder, [fact(0), fact(1), request(2), fact(3), request(4)], answers)
        await trio.sleep(1.01)
        assert answers == {2: Kind.UNAVAILABLE, 4: Kind.UNAVAILABLE}
        store.is_down = None
        await trio.sleep(10)
    assert store.committed == [0, 1, 3]


async def test_requests_alone_find_out_that_the_store_is_well_again(autojump_clock: MockClock) -> None:
    """Without anything that must be kept, nobody else would try the store."""
    store = FakeStore()
    store.is_down = FULL
    async with running(recorder := recorder_on(store)):
        assert await outcome(recorder.commit(request(1))) == Kind.UNAVAILABLE
        assert await outcome(recorder.commit(request(2))) == Kind.UNAVAILABLE
        store.is_down = None
        assert await recorder.commit(request(3)) == 3
        assert recorder.unavailable is None


async def test_tries_come_less_and_less_often_down_to_the_longest_pause(autojump_clock: MockClock) -> None:
    tried_at: list[float] = []

    class Down(FakeStore):
        async def commit(self, batch: Sequence[Change]) -> CommitReport:
            tried_at.append(trio.current_time())
            if trio.current_time() < 60:
                raise FULL
            return self.keep(batch)

    async with running(recorder := recorder_on(Down(), retry_max_s=2.0)):
        await recorder.submit([fact(1)])
    pauses = [later - earlier for earlier, later in pairwise(tried_at)]
    assert max(pauses) <= 2.0
    assert pauses[0] <= 0.05
    assert min(pauses[8:]) >= 1.0


async def test_half_a_batch_is_committed_and_the_rest_follows(autojump_clock: MockClock) -> None:
    answered: list[Any] = []

    class Halves(FakeStore):
        async def commit(self, batch: Sequence[Change]) -> CommitReport:
            if len(batch) > 3:
                raise PartlyCommitted(self.keep(batch[:3]))
            return await super().commit(batch)

    store = Halves()
    store.outcomes.append(FULL)
    recorder = recorder_on(store)
    await recorder.submit([fact(1), fact(2)], answered.append)
    await recorder.submit([request(3), request(4)], answered.append)
    await recorder.submit([request(5)], answered.append)
    async with running(recorder):
        pass
    # The second is half on disk, so it is kept; the third, of which nothing is, may be refused.
    assert store.committed == [1, 2, 3, 4]
    assert answered[0] == [1, 2]
    assert [kind.kind for kind in answered[1]] == [Kind.UNAVAILABLE]
    assert answered[2] == [3, 4]


# Crashes and cancellations


async def test_a_crash_of_a_listener_loses_nothing_and_everyone_is_answered_once(autojump_clock: MockClock) -> None:
    answered: list[int] = []
    crashes = iter([True, False, True, False])

    def listen(_: CommitReport) -> None:
        if next(crashes, False):
            raise ValueError("boom")

    store = FakeStore()
    recorder = recorder_on(store, listen, max_batch_rows=2)
    for number in range(6):
        await recorder.submit([fact(number)], answered.extend)
    recorder.close()
    restarts = 0
    while recorder.queue_depth:
        try:
            await recorder.run()
        except ValueError:
            restarts += 1
    assert restarts == 2
    assert store.committed == answered == [0, 1, 2, 3, 4, 5]


async def test_one_who_crashes_at_hearing_the_answer_does_not_keep_others_from_theirs(
    autojump_clock: MockClock,
) -> None:
    answered: list[int] = []

    def crash(_: Sequence[Any]) -> None:
        raise ValueError("boom")

    recorder = recorder_on(FakeStore())
    await recorder.submit([fact(1)], crash)
    await recorder.submit([fact(2)], answered.extend)
    async with running(recorder):
        pass
    assert answered == [2]


async def test_an_unexpected_error_of_the_store_ends_the_actor_and_the_next_one_goes_on(
    autojump_clock: MockClock,
) -> None:
    store = FakeStore()
    store.outcomes.append(RuntimeError("boom"))
    recorder = recorder_on(store)
    await recorder.submit([fact(1)])
    await recorder.submit([fact(2)])
    with pytest.raises(RuntimeError):
        await recorder.run()
    assert recorder.queue_depth == 2
    recorder.close()
    await recorder.run()
    assert store.committed == [1, 2]


async def test_a_commit_that_an_actor_began_is_not_begun_again_by_the_next(autojump_clock: MockClock) -> None:
    class UnderWay:
        """Goes on whoever waits, as a job in the writer's thread does."""

        def __init__(self, report: CommitReport) -> None:
            self.report, self.done = report, trio.Event()

        def __await__(self) -> Generator[Any, None, CommitReport]:
            yield from self.done.wait().__await__()
            return self.report

    class Thread(FakeStore):
        begun: UnderWay

        def commit(self, batch: Sequence[Change]) -> Awaitable[CommitReport]:  # type: ignore[override]
            self.begun = UnderWay(self.keep(batch))
            return self.begun

    recorder, answered = recorder_on(store := Thread()), list[Any]()
    await recorder.submit([fact(1)], answered.extend)
    with trio.move_on_after(1):
        await recorder.run()
    assert (answered, recorder.queue_depth) == ([], 1)
    store.begun.done.set()
    recorder.close()
    await recorder.run()
    assert store.committed == answered == [1]


async def test_a_caller_who_has_gone_takes_nothing_back(autojump_clock: MockClock) -> None:
    store = FakeStore()
    store.commit_s = 1.0
    async with running(recorder := recorder_on(store)):
        with trio.move_on_after(0.5) as scope:
            await recorder.commit(fact(1))
        assert scope.cancelled_caught
    assert store.committed == [1]


async def test_a_cancelled_task_that_finds_a_place_has_it(autojump_clock: MockClock) -> None:
    """There is no checkpoint between the decision and the place, so nothing is half done."""
    store = FakeStore()
    async with running(recorder := recorder_on(store)):
        with trio.CancelScope() as scope:
            scope.cancel()
            await recorder.submit([fact(1)])
    assert store.committed == [1]


async def test_backpressure_when_the_queue_is_full_and_a_cancelled_waiter_leaves_nothing(
    autojump_clock: MockClock,
) -> None:
    store = FakeStore()
    store.commit_s = 1.0
    async with running(recorder := recorder_on(store, queue_capacity=2)) as nursery:
        for number in (0, 1, 2):
            await recorder.submit([fact(number)])
            await wait_all_tasks_blocked()
        assert recorder.queue_depth == 3
        with trio.move_on_after(0.5) as given_up:
            await recorder.submit([fact(99)])
        assert given_up.cancelled_caught
        nursery.start_soon(recorder.submit, [fact(3)])
        await wait_all_tasks_blocked()
        await recorder.submit([fact(4)])
        assert trio.current_time() == 1.0
    assert store.committed == [0, 1, 2, 3, 4]


async def test_those_who_wait_for_a_place_get_them_in_the_order_they_came(autojump_clock: MockClock) -> None:
    store = FakeStore()
    store.commit_s = 1.0
    async with running(recorder := recorder_on(store, queue_capacity=1)) as nursery:
        for number in range(40):
            nursery.start_soon(recorder.submit, [fact(number)])
            await wait_all_tasks_blocked()
        await trio.sleep(100)
    assert store.committed == list(range(40))


# The end


async def test_close_takes_nothing_more_and_runs_dry(autojump_clock: MockClock) -> None:
    store, answers = FakeStore(), dict[int, Any]()
    store.commit_s = 1.0
    recorder = recorder_on(store, queue_capacity=2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(recorder.run)
        await outcomes(nursery, recorder, [fact(0), fact(1), request(2), fact(3), request(4)], answers)
        recorder.close()
        with pytest.raises(RecorderClosed):
            await recorder.submit([fact(9)])
    # Two had waited for a place; the three that had theirs are on disk.
    assert answers == {0: 0, 1: 1, 2: 2, 3: Kind.SHUTTING_DOWN, 4: Kind.SHUTTING_DOWN}
    assert store.committed == [0, 1, 2]


async def test_closing_an_idle_recorder_ends_it(autojump_clock: MockClock) -> None:
    async with running(recorder_on(FakeStore())):
        await wait_all_tasks_blocked()


async def test_figures(autojump_clock: MockClock) -> None:
    recorder = recorder_on(FakeStore(), queue_capacity=3)
    assert recorder.commit_seconds_p99 is None
    await recorder.submit([fact(1)])
    assert (recorder.queue_depth, recorder.depth, recorder.capacity) == (1, 1, 3)
    async with running(recorder):
        pass
    assert recorder.commit_seconds_p99 == 0.001


@given(
    work=st.lists(st.tuples(st.booleans(), st.integers(1, 3)), min_size=1, max_size=30),
    failing=st.lists(st.sampled_from(["ok", "full", "partly", "crash", "listener"]), max_size=20),
    capacity=st.integers(1, 4),
    rows=st.integers(1, 5),
)
@settings(max_examples=60, deadline=None)
def test_whatever_fails_every_fact_is_committed_once_in_order_and_every_submission_answered_once(
    work: list[tuple[bool, int]], failing: list[str], capacity: int, rows: int
) -> None:
    plan = iter(failing)

    class Failing(FakeStore):
        async def commit(self, batch: Sequence[Change]) -> CommitReport:
            await trio.sleep(0.01)
            match next(plan, "ok"):
                case "full":
                    raise FULL
                case "partly" if len(batch) > 1:
                    raise PartlyCommitted(self.keep(batch[: len(batch) // 2]))
                case "crash":
                    raise RuntimeError("boom")
            return self.keep(batch)

    def listen(_: CommitReport) -> None:
        if next(plan, "ok") == "listener":
            raise RuntimeError("boom")

    async def main() -> None:
        store, answers = Failing(), dict[int, list[Sequence[Any]]]()
        recorder = recorder_on(store, listen, queue_capacity=capacity, max_batch_rows=rows)

        async def keep_running() -> None:
            while True:
                try:
                    return await recorder.run()
                except RuntimeError:
                    await trio.sleep(0.01)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_running)
            for number, (is_request, size) in enumerate(work):
                make, heard = request if is_request else fact, answers.setdefault(number, [])
                try:
                    await recorder.submit([make(number)] * size, heard.append)
                except PombalError as error:
                    heard.append([error] * size)
            recorder.close()
        kept = [number for number, (is_request, _) in enumerate(work) if not is_request]
        assert [n for n in store.committed if not work[n][0]] == [n for n in kept for _ in range(work[n][1])]
        assert store.committed == sorted(store.committed)
        for number, (is_request, size) in enumerate(work):
            (given,) = answers[number]
            assert len(given) == size
            committed = store.committed.count(number)
            assert committed == (0 if is_request and isinstance(given[0], PombalError) else size)

    trio.run(main, clock=MockClock(autojump_threshold=0))
