"""SIGTERM under load: it drains, ends with 0, and what was accepted is there in the next life."""

import signal

import trio

from tests.faults.kinds.kind import Kind
from tests.faults.world import World


async def inflict(world: World) -> None:
    await trio.sleep(world.rng.uniform(0.05, 0.5))
    with world.keeper.held():
        code = await world.keeper.end(signal.SIGTERM)
        world.check(code == 0, f"SIGTERM ended it with {code}")
        world.judge()


KIND = Kind("terminate", inflict)
