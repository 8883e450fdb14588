"""A disk that is full, and has room again after a while."""

from tests.faults.kinds.kind import Kind
from tests.faults.kinds.store_trouble import check_trouble
from tests.faults.small_disk import full
from tests.faults.world import World


async def inflict(world: World) -> None:
    with world.prober.excusing("store"):
        with full(world.home.state):
            await check_trouble(world, "full")
        await world.prober.until_well()


KIND = Kind("disk_full", inflict, frozenset({"disk"}))
