"""A link to a gateway in the test's own process, over streams in memory."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio
from trio.testing import memory_stream_pair

from pombal.config.settings import WebSettings
from pombal.link.base import LinkEvent, MediaShelf
from pombal.link.web.conversation import Conversation
from pombal.link.web.dial import Way
from pombal.link.web.link import WebLink
from pombal.link.web.pulling import Puller
from pombal.link.wire import CloseCode
from pombal.link.wire.frames import SessionInfo
from tests.fakes.gateway import FakeGateway, FakeSession
from tests.fakes.shelf import MemoryShelf

SESSION = SessionInfo("01ARZ3NDEKTSV4RRFFQ69G5FAV", "vendas")
SETTINGS = WebSettings()


def way_to(nursery: trio.Nursery, serve: Callable[[trio.abc.Stream], Awaitable[None]]) -> Way:
    async def open_stream() -> trio.abc.Stream:
        ours, theirs = memory_stream_pair()
        nursery.start_soon(serve, theirs)
        await trio.lowlevel.checkpoint()
        return ours

    return Way(open_stream, "localhost", f"/v1/sessions/{SESSION.id}")


class World:
    def __init__(self, nursery: trio.Nursery) -> None:
        self.gateway = FakeGateway()
        self.settings = SETTINGS
        self.shelf = MemoryShelf()
        self.gap: str | None = None
        self.gaps_said = 0
        self.code = CloseCode.NORMAL
        self.serve: Callable[[trio.abc.Stream], Awaitable[None]] = self.gateway.serve_stream
        self._nursery = nursery

    @property
    def session(self) -> FakeSession:
        return self.gateway.session(SESSION.id)

    @asynccontextmanager
    async def conversation(self) -> AsyncIterator[Conversation]:
        talk = Conversation(way_to(self._nursery, self.serve), SESSION, self.settings)
        self._nursery.start_soon(talk.serve)
        try:
            await talk.greeted()
            yield talk
        finally:
            await talk.close(self.code)

    @asynccontextmanager
    async def link(self, shelf: MediaShelf | None = None) -> AsyncIterator[WebLink]:
        async with self.conversation() as talk, trio.open_nursery() as nursery:
            puller = Puller(talk, shelf or self.shelf, self.settings, SESSION.name)
            nursery.start_soon(puller.run)
            yield WebLink(talk, shelf or self.shelf, self.settings, self.gap, self._said)
            nursery.cancel_scope.cancel()

    def _said(self) -> None:
        self.gaps_said += 1


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    async with trio.open_nursery() as nursery:
        yield World(nursery)
        nursery.cancel_scope.cancel()


async def events_until(link: WebLink, count: int) -> list[LinkEvent]:
    """The next events, without acknowledging any."""
    events: list[LinkEvent] = []
    while len(events) < count:
        events += [delivery.event for delivery in await link.receive()]
    return events


async def lost(read: Callable[[], Awaitable[object]]) -> str:
    """Why the link is lost, once what came before that has been read."""
    while True:
        try:
            await read()
        except Exception as error:
            return f"{type(error).__name__}: {error}"
