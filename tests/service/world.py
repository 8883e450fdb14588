"""The rooms with the simulated network beneath them, and methods called as transports call them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from pombal.config.settings import SimulatorSettings
from pombal.link.simulator import SimulatedNetwork, SimulatorSide, validate_settings
from pombal.model.caller import Caller, Role
from pombal.model.params import parse_params
from pombal.service.catalog import METHODS
from tests.fakes.rooms import ADMIN, TrioClock, World, running

ANA, BIA = Caller("ana's token", Role.USER, "ana"), Caller("bia's token", Role.USER, "bia")
READER = Caller("reader", Role.READER)


@asynccontextmanager
async def simulated(path: Path, *, sections: dict[str, Any] | None = None, **profile: Any) -> AsyncIterator[World]:
    """Sessions are scanned at once, and nobody writes by themselves, unless profile says so."""
    clock = TrioClock()
    plain: dict[str, Any] = {"enabled": True, "auto_scan_ms": 100.0}
    network = SimulatedNetwork(SimulatorSettings.model_validate(plain | profile), clock)
    async with trio.open_nursery() as nursery:
        await nursery.start(network.run)
        async with running(
            path,
            clock=clock,
            sections=sections,
            simulator=network,
            open_link=network.open,
            forget=network.forget,
            sides=[SimulatorSide(network)],
            check_settings=validate_settings,
        ) as world:
            yield world
        nursery.cancel_scope.cancel()


async def ask(world: World, method: str, caller: Caller = ADMIN, /, **raw: Any) -> Any:
    """The result as JSON, held to the catalog. Params are read as from the wire; raises PombalError for a refusal."""
    entry = METHODS[method]
    result = await world.service.call(method, parse_params(entry.params, raw), caller)
    assert isinstance(result, entry.result)
    shown = result.model_dump(mode="json")
    entry.result.model_validate_json(result.model_dump_json())
    return shown


async def ready(world: World, name: str = "ana", owner: str = "ana") -> str:
    """A session that is ready; its id."""
    shown = await ask(world, "session.create", name=name, owner=owner)
    await world.until(name, "ready")
    return str(shown["id"])


async def injected(world: World, text: str = "oi", session: str = "ana", **raw: Any) -> list[str]:
    """Message_ids of what somebody has written, newest first, once it is recorded."""
    before = world.row(session).total_messages_received
    await ask(world, "simulator.inject", name=session, text=text, **({"from": "5511922220000"} | raw))
    count = raw.get("count", 1)
    await world.until_true(lambda: world.row(session).total_messages_received >= before + count)
    page = await ask(world, "message.list", session=session, direction="inbound", limit=count)
    return [message["message_id"] for message in page["results"]]
