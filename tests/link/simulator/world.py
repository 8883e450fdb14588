"""What the simulator's tests share: a clock that goes by trio's, a network in its nursery, and a reader of a link."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import trio

from pombal.config.settings import SimulatorSettings
from pombal.link.base import Delivery, Link, LinkContext, LinkEvent, OpenLink, Outgoing, Ready
from pombal.link.simulator import SimulatedNetwork
from pombal.model.clock import Stamp
from pombal.model.message import MessageType

E = TypeVar("E")

WALL_MS = 1_750_000_000_000


class TrioClock:
    """Both clocks go by trio's; the wall clock can be turned."""

    def __init__(self) -> None:
        self.turned_ms = 0

    def __call__(self) -> Stamp:
        mono_ms = round(trio.current_time() * 1000)
        return Stamp(WALL_MS + self.turned_ms + mono_ms, mono_ms)


@asynccontextmanager
async def running(
    durable_path: Path | None = None, clock: TrioClock | None = None, **settings: Any
) -> AsyncIterator[SimulatedNetwork]:
    """A network with these settings under [simulator]; paired at once unless they say otherwise."""
    simulator = SimulatorSettings.model_validate({"enabled": True, "auto_scan_ms": 0} | settings)
    network = SimulatedNetwork(simulator, clock or TrioClock(), durable_path)
    async with trio.open_nursery() as nursery:
        await nursery.start(network.run)
        yield network
        nursery.cancel_scope.cancel()


def context(name: str = "ana", **fields: Any) -> LinkContext:
    return LinkContext(
        **({"session_id": f"id-{name}", "session_name": name, "identity": None, "phone_number": None} | fields),
        device_name="Pombal",
    )


@asynccontextmanager
async def online(open_link: OpenLink, name: str = "ana", **fields: Any) -> AsyncIterator["Reader"]:
    """An open link that has been read, and acknowledged, up to Ready."""
    async with open_link(context(name, **fields)) as link:
        reader = Reader(link)
        await reader.until(Ready)
        yield reader


class Reader:
    """Reads a link as an actor does; acknowledges everything unless told not to."""

    def __init__(self, link: Link, *, acknowledges: bool = True) -> None:
        self.link = link
        self.acknowledges = acknowledges
        self.seen: list[Delivery] = []
        self._waiting: list[Delivery] = []

    async def next(self) -> LinkEvent:
        with trio.fail_after(100_000):
            while not self._waiting:
                self._waiting += await self.link.receive()
        delivery = self._waiting.pop(0)
        self.seen.append(delivery)
        if self.acknowledges:
            self.link.acknowledge(delivery.seq)
        return delivery.event

    async def until(self, kind: type[E]) -> E:
        """The next event of a kind; those before it are passed over."""
        while True:
            event = await self.next()
            if isinstance(event, kind):
                return event

    async def take(self, kind: type[E], count: int) -> list[E]:
        return [await self.until(kind) for _ in range(count)]

    async def within(self, seconds: float) -> list[LinkEvent]:
        """All that comes in this time."""
        events = []
        with trio.move_on_after(seconds):
            while True:
                events.append(await self.next())
        return events


def outgoing(link_id: str = "3EB0AA", to: str = "5511987654321", text: str = "oi") -> Outgoing:
    return Outgoing(link_id, f"{to}@s.whatsapp.net", to, MessageType.TEXT, text)
