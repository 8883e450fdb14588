"""What signals mean, with real signals."""

import os
import signal

import pytest
import structlog
import trio
from trio.testing import wait_all_tasks_blocked

from pombal.ops.signals import handle_signals


async def told_by(*numbers: signal.Signals, fails: bool = False) -> list[str]:
    told: list[str] = []

    def reload() -> None:
        told.append("reload")
        if fails:
            raise ValueError("no such key")

    async with trio.open_nursery() as nursery:
        await nursery.start(
            lambda task_status: handle_signals(
                drain=lambda: told.append("drain"),
                cancel=lambda: told.append("cancel"),
                reload=reload,
                task_status=task_status,
            )
        )
        for number in numbers:
            os.kill(os.getpid(), number)
            await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return told


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_the_first_drains_and_the_second_cancels(first: signal.Signals, second: signal.Signals) -> None:
    assert await told_by(first) == ["drain"]
    assert await told_by(first, second) == ["drain", "cancel"]


async def test_hangup_reloads_while_draining_too() -> None:
    assert await told_by(signal.SIGHUP, signal.SIGHUP, signal.SIGTERM, signal.SIGHUP) == [
        "reload", "reload", "drain", "reload",
    ]  # fmt: skip


async def test_a_reload_that_fails_stops_nothing() -> None:
    with structlog.testing.capture_logs() as logs:
        assert await told_by(signal.SIGHUP, signal.SIGTERM, fails=True) == ["reload", "drain"]
    assert logs[0]["event"] == "reload failed"


async def test_handlers_are_given_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
    await told_by(signal.SIGHUP)
    assert before == [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
