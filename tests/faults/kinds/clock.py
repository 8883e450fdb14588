"""A wall clock that is set an hour forward, and an hour back, under the running daemon."""

import trio

from tests.daemon.books import messages_in
from tests.faults.kinds.kind import Kind
from tests.faults.world import World

HOUR_S = 3600


async def inflict(world: World) -> None:
    life = await world.keeper.ready()
    for by_s in (HOUR_S, -HOUR_S):
        began_s = trio.current_time()
        before = len(messages_in(world.home.database))
        with world.library.clock_set(by_s):
            await world.ledger.more(100)
        await world.ledger.more(50)
        elapsed_ms = (trio.current_time() - began_s) * 1000
        took = [row["total_latency_ms"] or 0 for row in messages_in(world.home.database)[before:]]
        world.check(max(took) <= elapsed_ms + 1000, f"a latency of {max(took)} ms within {elapsed_ms:.0f} ms")
    world.check(life.code is None, "it went on")


KIND = Kind("clock", inflict, frozenset({"library"}))
