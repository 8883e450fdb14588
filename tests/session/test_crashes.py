"""Crashes: one for one, told, counted, rested from, and never a silent end."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pombal.actors.tree import ActorState
from pombal.model.errors import Kind
from pombal.model.params import ContactCheckParams, Params, SessionDeleteParams, SessionNameParams
from pombal.model.session import Session
from tests.fakes.link import FakeLink, log_in
from tests.fakes.rooms import World, outcome

ANA = SessionNameParams(name="ana")
CHECK = ContactCheckParams(session="ana", numbers=["5511999999999"])


async def crash_at_opening(_: FakeLink) -> None:
    raise ValueError("boom")


async def loop(world: World) -> None:
    """Bring a session into crash_loop."""
    world.network.on_open = crash_at_opening
    world.link().fail(ValueError("boom"))
    await world.until("ana", "error", "crash_loop")
    await wait_all_tasks_blocked()


async def restarted(world: World, times: int) -> None:
    await world.until_true(lambda: world.row().restart_count == times)


async def test_a_crash_is_told_counted_and_followed_by_a_restart(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready("ana")
    neighbour = await world.ready("bia")
    link.fail(ValueError("boom"))
    await world.until("ana", "disconnected", "link_lost")
    await world.until("ana", "ready")
    row = world.row()
    assert (row.restart_count, row.error_count, row.last_error) == (1, 1, "crashed: ValueError: boom")
    assert world.restarts == [("simulator", "crash")]
    (info,) = [info for info in world.tree.page("session") if info.name == "ana"]
    assert (info.state, info.restarts) == (ActorState.RUNNING, 1)
    assert info.last_crash is not None
    assert info.last_crash.error == "ValueError: boom"
    assert link.is_closed
    assert not neighbour.is_closed
    assert world.row("bia").restart_count == 0


async def test_a_crash_among_lost_links_is_a_crash(autojump_clock: MockClock, world: World) -> None:
    """Both leave the link's nursery in one group: the expected half must not hide the other."""
    link = await world.ready()
    link.failing["send"] = ValueError("boom")
    gate = link.gates["send"] = trio.Event()
    await world.send(message_id="m1")
    await wait_all_tasks_blocked()
    gate.set()
    link.lose()
    await world.until("ana", "disconnected", "link_lost")
    await world.until_status("m1", "sent")
    assert world.row().restart_count == 1


async def test_a_command_that_an_actor_dies_at_is_answered_and_not_tried_again(
    autojump_clock: MockClock, world: World
) -> None:
    link = await world.ready()
    link.failing["check_contacts"] = ValueError("boom")
    assert await outcome(world.call("contact.check", CHECK)) == Kind.CRASHED
    await world.until("ana", "disconnected", "link_lost")
    await world.until("ana", "ready")
    assert link.called.count("check_contacts") == 1
    assert "check_contacts" not in world.link().called


async def test_commands_that_wait_outlive_the_crash(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    link.hung.add("check_contacts")
    answers: list[object] = []

    async def ask(method: str, params: Params) -> None:
        answers.append(await outcome(world.call(method, params)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, "contact.check", CHECK)
        await wait_all_tasks_blocked()
        nursery.start_soon(ask, "session.start", ANA)
        await wait_all_tasks_blocked()
        link.fail(ValueError("boom"))
    assert answers[0] == Kind.CRASHED
    assert isinstance(answers[1], Session)


async def test_too_many_crashes_are_followed_by_a_rest_and_then_it_is_tried_again(
    autojump_clock: MockClock, world: World
) -> None:
    await world.ready()
    await loop(world)
    looped_at = trio.current_time()
    assert world.seat().actor.state == ActorState.COOLING_DOWN
    assert world.row().restart_count == 6
    world.network.on_open = log_in
    assert (await world.send(message_id="m1")).message.status == "queued"
    await world.until("ana", "ready")
    assert trio.current_time() - looped_at == 300
    assert world.seat().actor.state == ActorState.RUNNING
    await world.until_status("m1", "sent")


async def test_a_loop_that_goes_on_rests_again_and_again(autojump_clock: MockClock, world: World) -> None:
    await world.ready()
    await loop(world)
    await trio.sleep(1000)
    assert world.states().count(("error", "crash_loop")) >= 3
    world.network.on_open = log_in
    await world.until("ana", "ready")


@pytest.mark.parametrize("command", ["start", "restart"])
async def test_a_start_during_the_rest_works_at_once(autojump_clock: MockClock, world: World, command: str) -> None:
    await world.ready()
    await loop(world)
    world.network.on_open = log_in
    looped_at = trio.current_time()
    await world.call(f"session.{command}", ANA)
    await world.until("ana", "ready")
    assert trio.current_time() == looped_at
    assert world.seat().actor.state == ActorState.RUNNING
    await trio.sleep(1000)
    assert len(world.account().links) == 7  # the first, five more that crashed, and this one
    assert world.states()[-1] == ("ready", None)


async def test_a_stop_during_the_rest_stays(autojump_clock: MockClock, world: World) -> None:
    await world.ready()
    await loop(world)
    stopped = await world.call("session.stop", ANA)
    assert (stopped.status_reason, stopped.is_active) == ("stopped", False)
    await wait_all_tasks_blocked()
    assert world.seat().actor.state == ActorState.RUNNING
    await trio.sleep(1000)
    assert world.row().status_reason == "stopped"


async def test_a_deletion_during_the_rest(autojump_clock: MockClock, world: World) -> None:
    await world.ready()
    await loop(world)
    await world.call("session.delete", SessionDeleteParams(name="ana"))
    await wait_all_tasks_blocked()
    assert len(world.registry) == 0
    assert world.tree.page("session") == []


async def test_crashes_that_come_seldom_are_no_loop(autojump_clock: MockClock, world: World) -> None:
    await world.ready()
    for crash in range(1, 12):
        world.link().fail(ValueError("boom"))
        await restarted(world, crash)
        await world.until("ana", "ready")
        await trio.sleep(30)
    assert ("error", "crash_loop") not in world.states()


async def test_a_crash_loses_no_message_and_sends_none_twice(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    for number in range(50):
        await world.send(message_id=f"m{number}")
        if number == 25:
            link.fail(ValueError("boom"))
    await world.until_status("m49", "sent")
    assert len(world.account().received) == 50
    assert set(world.account().received.values()) == {1}
