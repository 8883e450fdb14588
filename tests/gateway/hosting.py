"""The gateway's server in the test's own process, over a real Unix socket, with a fake client behind it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from pombal.gateway import listening
from pombal.gateway.options import Listen, Options
from pombal.gateway.server import Server
from tests.gateway.driving import Line, connected
from tests.gateway.fake_client import FakeFactory


class Hosted:
    def __init__(self, factory: FakeFactory, options: Options, server: Server) -> None:
        self.factory = factory
        self.options = options
        self.server = server

    @property
    def socket(self) -> Path:
        assert self.options.listen.socket is not None
        return self.options.listen.socket

    @asynccontextmanager
    async def line(self, session_id: str = "s1", *, acknowledges: bool = True, **settings: Any) -> AsyncIterator[Line]:
        """Greeted, and greeted back."""
        async with connected(self.socket, session_id, acknowledges=acknowledges) as line:
            await line.greet(session_id, **settings)
            await line.until(lambda: line.hello)
            yield line


@asynccontextmanager
async def hosted(directory: Path, factory: FakeFactory | None = None, **options: Any) -> AsyncIterator[Hosted]:
    factory = factory or FakeFactory()
    given = Options(state_dir=directory / "web", listen=Listen(socket=directory / "g.sock"), **options)
    server = Server(factory, given, None)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, await listening.listeners(given.listen))
        yield Hosted(factory, given, server)
        server.stop()
        nursery.cancel_scope.cancel()
