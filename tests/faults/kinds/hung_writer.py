"""A writer thread that does not come back from the kernel: the watchdog starves, and systemd starts the daemon anew."""

import signal

from tests.faults.kinds.kind import Kind
from tests.faults.world import World

HANG_S = 1.0


async def inflict(world: World) -> None:
    # From the beginning: a slow disk may take as long for a commit.
    with world.prober.excusing("store", "writer"):
        with world.configured({"recorder": {"hang_s": HANG_S}}):
            await world.keeper.end(signal.SIGTERM)
            life = await world.keeper.ready()
            await world.ledger.more(20)
        with world.library.standstill():
            told = await world.prober.until_failing("writer")
            world.check("has not returned" in told, f"health says what hangs: {told}")
            with world.keeper.held():
                code = await world.keeper.bitten(life)
        world.check(code in (-signal.SIGABRT, -signal.SIGKILL), f"the watchdog ended it: {code}")
        world.check("watchdog no longer fed" in life.running.output, "the log says why")
        await world.prober.until_well()


KIND = Kind("hung_writer", inflict, frozenset({"library"}))
