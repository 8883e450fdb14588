"""Links that drop, crash, hang, fall silent, refuse, and say what nobody can read; receipts are doubled and reordered
all the time. Each mends itself.
"""

from contextlib import suppress

import trio

from pombal.control.client import RemoteError
from tests.faults.kinds.kind import Kind
from tests.faults.world import DEDUPLICATING, FORGETFUL, World

FAULTS = ("disconnect", "hang", "stall", "garbage", "crash", "nack")
TIMES = 2


async def inflict(world: World) -> None:
    for _ in range(TIMES):
        faults = list(FAULTS)
        world.rng.shuffle(faults)
        async with world.client() as client:
            for fault in faults:
                session = world.rng.choice([*DEDUPLICATING, *FORGETFUL])
                world.ledger.garbage += fault == "garbage"
                world.ledger.nacks += fault == "nack"
                with suppress(RemoteError):  # not connected just now
                    await client.simulator_fault(session, fault)
                await trio.sleep(world.rng.uniform(0, 0.1))
        await world.ledger.more(40)


KIND = Kind("links", inflict)
