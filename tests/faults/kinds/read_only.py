"""A file system that turns read-only, as ext4 does after an error, and the start on one that is mounted so.

The kernel remounts nothing read-only that somebody has open for writing; what a running daemon sees then (EROFS) comes
from the library, and the mount itself is tried while the daemon is down.
"""

import errno
import signal

from tests.faults.kinds.kind import Kind
from tests.faults.kinds.store_trouble import check_trouble
from tests.faults.small_disk import read_only
from tests.faults.world import World


async def inflict(world: World) -> None:
    with world.prober.excusing("store"):
        with world.library.failing(writes=errno.EROFS, syncs=errno.EROFS):
            await check_trouble(world, "disk fails")
        await world.prober.until_well()
    with world.keeper.held():
        await world.keeper.end(signal.SIGKILL)
        with read_only(world.home.state):
            async with world.home.process(env=world.library.environ) as refused:
                code = await refused.ended()
            world.check(code == 1, f"it does not start on a read-only disk: {code}")
            world.check("Traceback" not in refused.output, f"it says why in words:\n{refused.output}")


KIND = Kind("read_only", inflict, frozenset({"disk", "library"}))
