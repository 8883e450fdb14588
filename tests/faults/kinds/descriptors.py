"""A process that has no descriptor left, and gets some again: prlimit on the running daemon."""

import resource
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager

import psutil  # type: ignore[import-untyped]
import trio

from tests.faults.kinds.kind import Kind
from tests.faults.world import World

CLIENTS = 40


@contextmanager
def limited(pid: int, count: int) -> Iterator[None]:
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (count, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


async def inflict(world: World) -> None:
    life = await world.keeper.ready()
    process = psutil.Process(life.running.pid)
    # The last places are taken by clients, of whom the others wait in the kernel.
    async with AsyncExitStack() as waiting:
        with limited(life.running.pid, process.num_fds() + CLIENTS // 2):
            for _ in range(CLIENTS):
                stream = await trio.open_unix_socket(str(world.home.socket))
                waiting.push_async_callback(trio.aclose_forcefully, stream)
            await world.ledger.more(100)
        world.check(process.num_fds() > 0, "it is there")
    async with world.client() as client:
        await client.daemon_status()
    world.check(life.code is None, "it went on")


KIND = Kind("descriptors", inflict)
