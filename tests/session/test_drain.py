"""The daemon stops: nothing more is read or sent, what was read is committed and acknowledged, and nothing is loud."""

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pombal.link.base import Ended, EndKind, LinkLost
from pombal.model.errors import Kind
from pombal.model.params import ContactCheckParams, SessionNameParams
from tests.fakes.link import FakeLink, FakeNetwork, incoming, paired
from tests.fakes.rooms import World, outcome, running

Logs = list[MutableMapping[str, Any]]
ANA = SessionNameParams(name="ana")


def loud(logs: Logs) -> list[Any]:
    """But for what was asked so late that no audit log takes it any more."""
    found = [entry for entry in logs if entry["log_level"] in ("warning", "error", "critical")]
    return [entry for entry in found if entry["event"] != "call not in the audit log"]


async def drained(world: World) -> None:
    with trio.fail_after(20):
        await world.drain()
        while world.recorder.queue_depth:
            await world.hub.news()


async def test_what_was_read_is_acknowledged_over_the_open_link(
    autojump_clock: MockClock, world: World, logs: Logs
) -> None:
    link = await world.ready()
    before = link.acknowledged
    held = world.store.held = trio.Event()
    link.tell(incoming("a"))
    await wait_all_tasks_blocked()
    await world.drain()
    link.tell(incoming("too late"))
    await wait_all_tasks_blocked()
    assert not link.is_closed
    assert link.acknowledged == before
    held.set()
    await world.until_true(lambda: world.row().total_messages_received)
    await wait_all_tasks_blocked()
    assert link.acknowledged == before + 1
    assert not link.is_closed
    world.registry.stop()
    await wait_all_tasks_blocked()
    assert link.is_closed
    assert [event.link_id for event in world.account().unacknowledged] == ["too late"]
    assert loud(logs) == []


async def test_nothing_more_is_sent(autojump_clock: MockClock, world: World, logs: Logs) -> None:
    world.network.answers = False
    link = await world.ready()
    for number in range(40):
        await world.send(message_id=f"m{number}")
    await wait_all_tasks_blocked()
    assert len(link.sent) == 32
    await drained(world)
    assert await outcome(world.send(message_id="late")) == Kind.SHUTTING_DOWN
    await trio.sleep(100)
    assert len(link.sent) == 32
    assert loud(logs) == []


async def test_commands_are_refused_and_one_that_runs_may_finish(
    autojump_clock: MockClock, world: World, logs: Logs
) -> None:
    link = await world.ready()
    gate = link.gates["check_contacts"] = trio.Event()
    answers: list[Any] = []

    async def ask(method: str, params: Any) -> None:
        answers.append(await outcome(world.call(method, params)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, "contact.check", ContactCheckParams(session="ana", numbers=["5511999999999"]))
        await wait_all_tasks_blocked()
        nursery.start_soon(ask, "session.start", ANA)
        await wait_all_tasks_blocked()
        await drained(world)
        await wait_all_tasks_blocked()
        assert answers == [Kind.SHUTTING_DOWN]
        gate.set()
    assert len(answers[1].results) == 1
    assert await outcome(world.call("session.stop", ANA)) == Kind.SHUTTING_DOWN
    assert loud(logs) == []


async def test_a_stop_that_cannot_be_recorded_any_more_is_answered_so(
    autojump_clock: MockClock, tmp_path: Path, logs: Logs
) -> None:
    async with running(tmp_path, sections={"recorder": {"queue_capacity": 1}}) as world:
        await world.ready()
        held = world.store.held = trio.Event()
        answers: list[Any] = []

        async def stop() -> None:
            answers.append(await outcome(world.call("session.stop", ANA)))

        async with trio.open_nursery() as nursery:
            for number in range(2):
                nursery.start_soon(world.create, f"other{number}")
                await wait_all_tasks_blocked()
            nursery.start_soon(stop)
            await wait_all_tasks_blocked()
            await world.drain()
            await wait_all_tasks_blocked()
            assert answers == [Kind.SHUTTING_DOWN]
            nursery.cancel_scope.cancel()
        held.set()
        await wait_all_tasks_blocked()
    assert loud(logs) == []


LAST_WORDS = ["lost", "ended", "crash"]


@pytest.mark.parametrize("last_word", LAST_WORDS)
async def test_a_link_that_goes_during_the_drain(
    autojump_clock: MockClock, world: World, logs: Logs, last_word: str
) -> None:
    link = await world.ready()
    await drained(world)
    if last_word == "lost":
        link.lose()
    elif last_word == "ended":
        link.tell(Ended(EndKind.LOGGED_OUT))
    else:
        link.fail(ValueError("boom"))
    await trio.sleep(100)
    assert loud(logs) == []
    assert len(world.account().links) == 1


@pytest.mark.parametrize("last_word", LAST_WORDS)
async def test_a_link_that_goes_in_the_very_moment_of_the_drain(
    autojump_clock: MockClock, world: World, logs: Logs, last_word: str
) -> None:
    link = await world.ready()
    link.tell(incoming("a"))
    if last_word == "lost":
        link.lose()
    elif last_word == "ended":
        link.tell(Ended(EndKind.LOGGED_OUT, "gone"))
    else:
        link.fail(ValueError("boom"))
    await drained(world)
    await trio.sleep(100)
    told = [entry["event"] for entry in loud(logs)]
    assert told in ([], ["session ended by WhatsApp"], ["actor crashed"])
    assert len(world.account().links) == 1


async def test_one_that_is_connecting(autojump_clock: MockClock, tmp_path: Path, logs: Logs) -> None:
    network = FakeNetwork()

    async def slowly(link: FakeLink) -> None:
        await trio.sleep(5)
        link.tell(paired())

    network.on_open = slowly
    async with running(tmp_path, network=network) as world:
        await world.create("ana")
        await trio.sleep(1)
        await drained(world)
        await trio.sleep(100)
        assert world.row().status == "connecting"
    assert loud(logs) == []


async def test_one_that_waits_to_connect_again_or_rests_after_crashes(
    autojump_clock: MockClock, tmp_path: Path, logs: Logs
) -> None:
    network = FakeNetwork()

    async def fail(link: FakeLink) -> None:
        raise LinkLost("down") if link.context.session_name == "ana" else ValueError("boom")

    network.on_open = fail
    async with running(tmp_path, network=network) as world:
        await world.create("ana")
        await world.create("bia")
        await world.until("bia", "error", "crash_loop")
        logs.clear()
        await drained(world)
        tried = len(world.account("ana").links)
        await trio.sleep(1000)
        assert len(world.account("ana").links) <= tried + 1
        assert world.row("bia").status_reason == "crash_loop"
    assert loud(logs) == []


async def test_a_session_created_in_the_last_moment_is_there_after_the_restart(
    autojump_clock: MockClock, tmp_path: Path, logs: Logs
) -> None:
    async with running(tmp_path) as world:
        held = world.store.held = trio.Event()
        answers: list[Any] = []

        async def create() -> None:
            answers.append(await outcome(world.create()))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(create)
            await wait_all_tasks_blocked()
            await world.drain()
            held.set()
        assert answers == [Kind.SHUTTING_DOWN]
    assert loud(logs) == []
    async with running(tmp_path) as world:
        await world.until("ana", "ready")


async def test_a_full_disk_does_not_hold_up_the_drain_of_the_links(
    autojump_clock: MockClock, tmp_path: Path, logs: Logs
) -> None:
    """Whoever waits for a place in the recorder's queue lets go of it; the link brings it again."""
    async with running(tmp_path, sections={"recorder": {"queue_capacity": 1}}) as world:
        link = await world.ready()
        world.store.down = "the disk is full"
        for number in range(5):
            link.tell(incoming(f"m{number}"))
            await wait_all_tasks_blocked()
        with trio.fail_after(1):
            await world.drain()
        world.store.down = None
        await trio.sleep(10)
        assert world.row().total_messages_received == 2
        assert [delivery.seq for delivery in link._kept] != []
    assert [entry["event"] for entry in loud(logs)] == ["store unavailable"]
