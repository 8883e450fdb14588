"""Writes and fsyncs that fail, all of them for a while and then some of them; and a kill in the midst of it.

A transaction whose fsync failed may be found whole by the next life, though its sends were refused. Such a send was not
acknowledged, and may be there once.
"""

import errno
import signal

from tests.faults.kinds.kind import Kind
from tests.faults.kinds.store_trouble import check_trouble
from tests.faults.world import World

# Of all calls. A transaction under load makes a hundred of them and more, and is undone by one that fails.
SHARE = 0.004


async def inflict(world: World) -> None:
    library = world.library
    with world.prober.excusing("store"):
        with library.failing(syncs=errno.EIO):
            await check_trouble(world, "disk fails")
        await world.ledger.more(20)
        with library.failing(writes=errno.EIO):
            await check_trouble(world, "disk fails")
        await world.ledger.more(20)
        before = library.failed
        with library.failing(writes=errno.EIO, syncs=errno.EIO, share=SHARE):
            await world.ledger.refusals(1)
            await world.ledger.more(20)
            with world.keeper.held():
                await world.keeper.end(signal.SIGKILL)
        world.check(library.failed > before, "calls have failed")
        await world.prober.until_well()


KIND = Kind("io_errors", inflict, frozenset({"library"}))
