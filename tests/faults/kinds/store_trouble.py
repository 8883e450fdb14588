"""What must hold while nothing can be recorded, whatever the reason."""

import httpx2

from tests.faults.world import World

REFUSALS = 5


async def check_trouble(world: World, reason: str) -> None:
    """Sends are refused with the reason, and so says health; but no restart is asked for, and reading goes on."""
    life = await world.keeper.ready()
    await world.ledger.refusals(REFUSALS)
    told = await world.prober.until_failing("store")
    world.check(reason in told, f"health says {reason!r}: {told}")
    async with httpx2.AsyncClient(base_url=life.url, timeout=60) as http:
        world.check((await http.get("/livez")).status_code == 200, "/livez says that a restart would help")
    async with world.client() as client:
        await client.message_list(direction="inbound", limit=5)
    world.check(life.code is None, "it went on")
