"""The application over the real rooms, and clients that ask it in somebody's name, without a network."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from pombal.api.app import create_app
from pombal.api.context import Api
from pombal.api.rate_limit import RateLimit
from pombal.model.caller import Role
from tests.api.conftest import WELL_AND_READY
from tests.fakes.rooms import World
from tests.service.world import simulated

BASE = "/api/v1/whatsapp"
TO = "5511987654321"
PROBLEM = "application/problem+json"


def app_of(world: World) -> FastAPI:
    api = Api(
        service=world.service,
        tokens=world.tokens,
        settings=lambda: world.live.current,
        health=lambda: WELL_AND_READY,
        render_metrics=lambda accept: (b"# metrics\n", "text/plain; version=0.0.4; charset=utf-8"),
        rate_limit=RateLimit(lambda: world.live.current.http.requests_per_minute),
    )
    return create_app(api, lambda *_: None)


class _Body(httpx2.AsyncByteStream):
    """A body that may be left unread: httpx2's own is a generator, and trio complains of one that is not exhausted."""

    def __init__(self, body: bytes) -> None:
        self._pieces = [body[start : start + 65_536] for start in range(0, len(body), 65_536)]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.pop(0)


class _Transport(httpx2.ASGITransport):
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.stream = _Body(await request.aread())
        return await super().handle_async_request(request)


class Http(httpx2.AsyncClient):
    """A client in the name of an owner. Paths below BASE may be given without it."""

    def __init__(self, app: FastAPI, token: str | None, host: str = "127.0.0.1") -> None:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        transport = _Transport(app, client=(host, 40000))
        super().__init__(transport=transport, base_url="http://pombal:8001", headers=headers, timeout=None)

    async def ok(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        """The JSON of an answer that has this status."""
        answer = await self.request(method, below(path), **options)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
        return answer.json()

    async def refused(self, method: str, path: str, status: int, kind: str, **options: Any) -> Any:
        """The problem of an answer that has this status and kind."""
        answer = await self.request(method, below(path), **options)
        assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), answer.text
        shown = answer.json()
        assert (shown["status"], shown["kind"]) == (status, kind)
        return shown


def below(path: str) -> str:
    return path if path.startswith(("http", "/api", "/metrics", "/livez", "/readyz")) else BASE + path


class Platform:
    """The application, and whoever asks it."""

    def __init__(self, world: World, app: FastAPI) -> None:
        self.world = world
        self.app = app
        self._clients: list[Http] = []

    def client(self, owner: str = "ana", role: Role = Role.USER, host: str = "127.0.0.1") -> Http:
        return self.with_token(self.world.tokens.create(owner, role, 3600)[0], host)

    def with_token(self, token: str | None, host: str = "127.0.0.1") -> Http:
        made = Http(self.app, token, host)
        self._clients.append(made)
        return made

    async def aclose(self) -> None:
        for client in self._clients:
            await client.aclose()


@asynccontextmanager
async def platform(path: Path, *, sections: dict[str, Any] | None = None, **profile: Any) -> AsyncIterator[Platform]:
    async with simulated(path, sections=sections, **profile) as world:
        made = Platform(world, app_of(world))
        try:
            yield made
        finally:
            await made.aclose()
