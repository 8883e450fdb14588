"""SIGSTOP: a process that gets no time, as under a hypervisor that moves it. It goes on where it was.

Where the watchdog is shorter than that, systemd ends it and starts it anew.
"""

import signal

import trio

from tests.faults.kinds.kind import Kind
from tests.faults.world import World


async def inflict(world: World) -> None:
    life = await world.keeper.ready()
    life.running.signal(signal.SIGSTOP)
    try:
        await trio.sleep(world.extent.freeze_s)
    finally:
        life.running.signal(signal.SIGCONT)
    await world.ledger.more(20)
    world.check(life.code is None, "it went on where it was")
    life.running.signal(signal.SIGSTOP)
    with world.keeper.held():
        code = await world.keeper.bitten(life)
        world.check(code in (-signal.SIGABRT, -signal.SIGKILL), f"the watchdog ended it: {code}")
        world.judge()


KIND = Kind("freeze", inflict)
