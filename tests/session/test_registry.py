"""The registry, and what happens between the turns of tasks."""

import gc
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pombal.model.errors import Kind, PombalError
from pombal.model.params import SessionDeleteParams, SessionNameParams, SessionUpdateParams
from tests.fakes.link import FakeNetwork
from tests.fakes.rooms import World, outcome, running


async def test_a_session_is_found_by_name_and_by_id(autojump_clock: MockClock, world: World) -> None:
    await world.create("ana", start=False)
    seat = world.registry.find("ana")
    assert world.registry.find(seat.id) is seat
    assert world.registry.by_key(seat.key) is seat
    assert list(world.registry) == [seat]
    with pytest.raises(PombalError) as unknown:
        world.registry.find("x" * 1000)
    assert unknown.value.kind == Kind.NOT_FOUND
    assert len(unknown.value.message) < 200


async def test_counts_by_status_and_link(autojump_clock: MockClock, world: World) -> None:
    await world.ready("ana")
    await world.create("bia", start=False)
    assert world.registry.census.counts() == {("ready", "simulator"): 1, ("disconnected", "simulator"): 1}
    await world.send()
    assert world.registry.census.queued == 1
    await world.call("session.delete", SessionDeleteParams(name="ana"))
    await wait_all_tasks_blocked()
    assert world.registry.census.counts() == {("disconnected", "simulator"): 1}
    assert world.registry.census.queued == 0


async def test_an_update_is_followed_though_whoever_asked_has_gone(autojump_clock: MockClock, world: World) -> None:
    await world.ready("ana")
    held = world.store.held = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.call, "session.update", SessionUpdateParams(name="ana", owner="loja"))
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    held.set()
    await world.until_true(lambda: world.row().owner == "loja")
    assert world.seat().owner == "loja"


class BetweenTurns(trio.abc.Instrument):
    """Does what the recorder and the registry's watch do, after each turn of any task."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.errors: list[Exception] = []
        self.turns = 0

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        connection = self.world.seat().connection
        if connection is None:
            return
        self.turns += 1
        try:
            connection.wake_dispatcher()
            connection.watch(self.world.clock(), self.world.live.current)
        except Exception as error:
            self.errors.append(error)


@pytest.mark.parametrize("end", ["lost", "stop", "drain", "crash"])
async def test_a_link_may_end_between_any_two_turns(autojump_clock: MockClock, world: World, end: str) -> None:
    """A nursery that has closed takes no tasks, and says so by a RuntimeError in whoever tries."""
    world.network.answers = False
    link = await world.ready()
    for number in range(40):
        await world.send(message_id=f"m{number}")
    await wait_all_tasks_blocked()
    between = BetweenTurns(world)
    trio.lowlevel.add_instrument(between)
    match end:
        case "lost":
            link.lose()
        case "crash":
            link.fail(ValueError("boom"))
        case "stop":
            await world.call("session.stop", SessionNameParams(name="ana"))
        case _:
            await world.drain()
    await trio.sleep(0.1)
    trio.lowlevel.remove_instrument(between)
    assert between.errors == []
    assert between.turns


async def test_the_mailboxes_of_all_are_closed_by_the_drain(autojump_clock: MockClock, world: World) -> None:
    for number in range(3):
        await world.create(f"s{number}", start=False)
    world.registry.close_mailboxes()
    await wait_all_tasks_blocked()
    for number in range(3):
        start = SessionNameParams(name=f"s{number}")
        assert await outcome(world.call("session.start", start)) == Kind.SHUTTING_DOWN
    assert len(world.registry) == 3


async def test_starting_and_stopping_leaves_nothing_behind(autojump_clock: MockClock, world: World) -> None:
    ana = SessionNameParams(name="ana")
    await world.ready()
    await wait_all_tasks_blocked()

    def tasks() -> int:
        return trio.lowlevel.current_statistics().tasks_living

    before = tasks()
    for _ in range(200):
        await world.call("session.stop", ana)
        await world.call("session.start", ana)
        await world.until("ana", "ready")
    await wait_all_tasks_blocked()
    assert tasks() == before
    assert len(world.registry) == 1
    assert len(world.tree.page("session")) == 1


async def test_creating_and_deleting_leaves_nothing_behind(autojump_clock: MockClock, world: World) -> None:
    await wait_all_tasks_blocked()
    before = trio.lowlevel.current_statistics().tasks_living
    for _ in range(30):
        await world.ready()
        await world.call("session.delete", SessionDeleteParams(name="ana"))
    await wait_all_tasks_blocked()
    assert trio.lowlevel.current_statistics().tasks_living == before
    assert (len(world.registry), world.tree.page("session"), world.network.accounts) == (0, [], {})


async def test_an_idle_session_costs_few_objects(autojump_clock: MockClock, tmp_path: Path) -> None:
    """Ten thousand of them must fit: three tasks each, and no queue, timer or buffer of its own."""
    async with running(tmp_path, network=FakeNetwork()) as world:
        await world.ready("first")
        await wait_all_tasks_blocked()
        gc.collect()
        tasks, objects = trio.lowlevel.current_statistics().tasks_living, len(gc.get_objects())
        for number in range(50):
            await world.create(f"s{number}")
        await world.until("s49", "ready")
        await wait_all_tasks_blocked()
        world.reports.clear()
        world.store.writer._sessions.clear()
        world.hub.ring.first_seq += len(world.hub.ring._items)
        world.hub.ring._items.clear()
        gc.collect()
        assert (trio.lowlevel.current_statistics().tasks_living - tasks) / 50 == 3
        assert (len(gc.get_objects()) - objects) / 50 < 160
