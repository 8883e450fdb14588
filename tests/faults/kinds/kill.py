"""kill -9 at random moments, as the OOM killer does: mostly while everything goes on, at times during the start."""

import signal

import trio

from tests.faults.kinds.kind import Kind
from tests.faults.world import World

DURING_START = 0.15


async def inflict(world: World) -> None:
    """Each time the books are held together as the dead left them."""
    for _ in range(world.extent.kills):
        # Whatever it is at then: the moment is what is tried here.
        if world.rng.random() < DURING_START:
            await trio.sleep(world.rng.uniform(0.3, 1.0))
        else:
            await world.keeper.ready()
            await trio.sleep(world.rng.uniform(0.05, 0.9))
        with world.keeper.held():
            await world.keeper.end(signal.SIGKILL)
            world.judge()


KIND = Kind("kill", inflict)
