"""All sessions lose their link at once, as when a data centre's line is cut, and reconnect at once."""

from collections.abc import Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

import trio

from pombal.control.client import Client
from pombal.model.session_state import SessionStatus
from tests.faults.changes import asked
from tests.faults.kinds.kind import Kind
from tests.faults.world import DEDUPLICATING, FORGETFUL, World

READY_S = 120.0


async def inflict(world: World) -> None:
    names = [f"crowd-{number}" for number in range(world.extent.crowd)]
    async with world.client() as client:
        await _each(client, "session.create", [{"name": name} for name in names])
        await _until_ready(client)
        await _each(client, "simulator.fault", [{"name": name, "kind": "disconnect"} for name in names])
        await world.ledger.more(40)
        await _until_ready(client)
        await _each(client, "session.delete", [{"name": name, "purge": True} for name in names])


async def _each(client: Client, method: str, params: Sequence[dict[str, Any]]) -> None:
    async with aclosing(client.pipeline((method, each) for each in params)) as answers:
        async for answer in answers:
            if isinstance(answer, Exception):
                raise answer


async def _until_ready(client: Client) -> None:
    with trio.fail_after(READY_S):
        await asked(partial(all_ready, client))


async def all_ready(client: Client) -> bool:
    """But for those under load, which are restarted and crash all the time."""
    counts = (await client.daemon_status()).sessions
    return sum(counts.values()) - counts[SessionStatus.READY] <= len(DEDUPLICATING) + len(FORGETFUL)


KIND = Kind("crowd", inflict)
