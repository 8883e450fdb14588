"""Housekeeping on the real rooms, in the trio thread, with time that is jumped."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from pombal.app import housekeeping
from pombal.app.housekeeping import EVERY_S, SPREAD_EVERY_S, SPREAD_SLICE, Housekeeping
from pombal.model.changes import Change, SpreadRollups
from pombal.model.errors import Kind, PombalError
from pombal.model.removal_changes import ClearCodes
from pombal.store.offline import check_database
from pombal.store.writer import CommitReport
from tests.fakes.rooms import World, running
from tests.store.building import receive


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as built:
        yield built


def recent(world: World) -> int:
    (count,) = world.connection.execute("SELECT count(*) FROM latency_recent").fetchone()
    return int(count)


async def receive_many(world: World, name: str) -> None:
    """A hundred, each in a minute of its own: two rows for the session, two for its owner, two for all."""
    at, key = world.clock(), world.seat().key
    await world.recorder.commit_all(
        [receive(at, key, f"{name}{n}", sent_at_ms=at.wall_ms - 60_000 * n) for n in range(100)]
    )


async def until_spread(world: World) -> None:
    with trio.fail_after(1000):  # of seconds that are jumped
        while recent(world):  # noqa: ASYNC110  # a slice tells nobody of itself
            await trio.sleep(0.1)


@asynccontextmanager
async def at_work(world: World) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Housekeeping(world.recorder, world.reader, world.registry, world.live, world.clock).run)
        yield
        nursery.cancel_scope.cancel()


async def test_latencies_are_spread_once_a_minute_in_slices(autojump_clock: MockClock, world: World) -> None:
    await world.create()
    await receive_many(world, "first")
    assert recent(world) == 600 > 2 * SPREAD_SLICE
    async with at_work(world):
        await until_spread(world)
        await receive_many(world, "second")
        began_s = trio.current_time()
        await trio.sleep(SPREAD_EVERY_S / 2)
        assert recent(world) == 600
        await until_spread(world)
        assert trio.current_time() - began_s <= SPREAD_EVERY_S + EVERY_S
    assert check_database(world.path / "pombal.db", progress=lambda step: None) == []


async def test_a_step_that_fails_keeps_no_other_from_its_turn(
    autojump_clock: MockClock, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_: object) -> None:
        raise PombalError(Kind.UNAVAILABLE, "no descriptor is left")

    monkeypatch.setattr(world.reader, "run", refuse)
    await world.create()
    await receive_many(world, "first")
    async with at_work(world):
        await until_spread(world)


async def test_codes_are_emptied_while_much_is_spread(
    autojump_clock: MockClock, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.create()
    await receive_many(world, "first")
    commit, changed = world.store.commit, list[type[Change]]()

    async def slowly(batch: Sequence[Change]) -> CommitReport:
        await trio.sleep(housekeeping.SPREAD_AT_MOST_S / 2)
        changed.extend(map(type, batch))
        return await commit(batch)

    monkeypatch.setattr(world.store, "commit", slowly)
    async with at_work(world):
        await until_spread(world)
    assert changed == [ClearCodes, SpreadRollups] * 3


async def test_a_store_that_is_down_puts_it_off(autojump_clock: MockClock, world: World) -> None:
    await world.create()
    await receive_many(world, "first")
    world.store.down = "the disk is full"
    async with at_work(world):
        await trio.sleep(3 * EVERY_S)
        assert recent(world) == 600
        world.store.down = None
        await until_spread(world)
