from collections.abc import Awaitable, Callable

import pytest
import structlog
import trio
from trio.testing import MockClock

from pombal.actors.policy import RestartPolicy
from pombal.actors.supervisor import RestartIntensityExceeded, StartedOnce, supervise
from pombal.actors.tree import ActorInfo, ActorState

POLICY = RestartPolicy(intensity=3, period_s=60.0, backoff_min_s=1.0, backoff_max_s=4.0)


@pytest.fixture
def actor() -> ActorInfo:
    return ActorInfo("one", "session")


def crashing(times: int, error: Callable[[], Exception] = lambda: ValueError("boom")) -> Callable[[], Awaitable[None]]:
    left = [times]

    async def child() -> None:
        await trio.lowlevel.checkpoint()
        if left[0]:
            left[0] -= 1
            raise error()

    return child


async def test_a_crash_is_restarted_after_a_pause_and_the_end_of_its_own_will_is_the_end(
    autojump_clock: MockClock, actor: ActorInfo
) -> None:
    with structlog.testing.capture_logs() as logs:
        await supervise(actor, crashing(2), POLICY)
    assert (actor.state, actor.restarts) == (ActorState.STOPPED, 2)
    assert 1.5 <= trio.current_time() <= 3.0
    assert actor.last_crash is not None
    assert actor.last_crash.error == "ValueError: boom"
    assert [entry["event"] for entry in logs] == ["actor crashed", "actor crashed"]


async def test_too_many_crashes_are_raised_to_the_caller(autojump_clock: MockClock, actor: ActorInfo) -> None:
    with pytest.raises(RestartIntensityExceeded, match=r"one crashed more than 3 times in 60 s") as caught:
        await supervise(actor, crashing(4), POLICY)
    assert isinstance(caught.value.__cause__, ValueError)
    assert (actor.state, actor.restarts) == (ActorState.STOPPED, 3)


async def test_crashes_that_lie_far_apart_never_exceed(autojump_clock: MockClock, actor: ActorInfo) -> None:
    crashes_left = 20

    async def child() -> None:
        nonlocal crashes_left
        await trio.sleep(30)
        crashes_left -= 1
        if crashes_left:
            raise ValueError("boom")

    await supervise(actor, child, POLICY)
    assert actor.restarts == 19


async def test_a_group_of_exceptions_is_a_crash(autojump_clock: MockClock, actor: ActorInfo) -> None:
    await supervise(actor, crashing(1, lambda: ExceptionGroup("two", [KeyError("k"), OSError("o")])), POLICY)
    assert actor.restarts == 1
    assert actor.last_crash is not None
    assert actor.last_crash.error == "KeyError: 'k'"


async def test_cancelled_passes(actor: ActorInfo) -> None:
    with trio.CancelScope() as scope:

        async def child() -> None:
            scope.cancel()
            await trio.sleep_forever()

        await supervise(actor, child, POLICY)
    assert scope.cancelled_caught
    assert (actor.state, actor.last_crash) == (ActorState.STOPPED, None)


async def test_cancelled_during_the_pause_passes(actor: ActorInfo) -> None:
    with trio.CancelScope() as scope:

        async def cancel(_: Exception) -> None:
            scope.cancel()

        await supervise(actor, crashing(1), POLICY, on_crash=cancel)
    assert scope.cancelled_caught
    assert actor.state == ActorState.STOPPED


async def test_a_crash_while_being_cancelled_is_logged_and_ends_nobody_else(actor: ActorInfo) -> None:
    async def stubborn() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("in clean-up")

    async def child() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stubborn)
            nursery.start_soon(trio.sleep_forever)
            await trio.lowlevel.checkpoint()
            scope.cancel()

    with trio.CancelScope() as scope, structlog.testing.capture_logs() as logs:
        await supervise(actor, child, POLICY)
    assert scope.cancelled_caught
    assert actor.last_crash is not None
    assert actor.last_crash.error == "ValueError: in clean-up"
    assert len(logs) == 1


async def test_a_refusal_is_no_crash_and_passes(actor: ActorInfo) -> None:
    with pytest.raises(PermissionError):
        await supervise(actor, crashing(1, lambda: PermissionError("not ours")), POLICY, refusals=(PermissionError,))
    assert (actor.state, actor.restarts, actor.last_crash) == (ActorState.STOPPED, 0, None)


async def test_what_is_no_exception_passes(actor: ActorInfo) -> None:
    async def child() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await supervise(actor, child, POLICY)


async def test_on_crash_hears_each_crash_and_its_own_failure_changes_nothing(
    autojump_clock: MockClock, actor: ActorInfo
) -> None:
    heard: list[Exception] = []

    async def on_crash(error: Exception) -> None:
        heard.append(error)
        raise RuntimeError("the recorder is gone")

    with structlog.testing.capture_logs() as logs:
        await supervise(actor, crashing(2), POLICY, on_crash=on_crash)
    assert [str(error) for error in heard] == ["boom", "boom"]
    assert sum(entry["event"] == "crash could not be reported" for entry in logs) == 2


async def test_neighbours_live_on_until_the_intensity_is_exceeded(autojump_clock: MockClock, actor: ActorInfo) -> None:
    beats = 0

    async def neighbour() -> None:
        nonlocal beats
        while True:
            await trio.sleep(0.5)
            beats += 1

    with pytest.RaisesGroup(RestartIntensityExceeded):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(neighbour)
            nursery.start_soon(supervise, actor, crashing(100), POLICY)
    assert beats >= 4


async def test_a_supervised_child_tells_once_that_it_has_started(autojump_clock: MockClock, actor: ActorInfo) -> None:
    starts = 0

    async def run(*, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
        status = StartedOnce(task_status)

        async def child() -> None:
            nonlocal starts
            starts += 1
            status.started(f"start {starts}")
            await trio.sleep(1)
            if starts < 3:
                raise ValueError("boom")

        await supervise(actor, child, POLICY)

    async with trio.open_nursery() as nursery:
        assert await nursery.start(run) == "start 1"
    assert starts == 3
