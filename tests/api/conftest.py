"""An application whose health a test can change, and a server for it on a free port."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest
import trio
from fastapi import FastAPI
from starlette.types import ASGIApp

from pombal.api.app import create_app
from pombal.api.context import Api
from pombal.api.rate_limit import RateLimit
from pombal.api.server import HttpServer
from pombal.auth.keys import Keys
from pombal.auth.tokens import Tokens
from pombal.config.settings import AuthSettings, HttpSettings, Settings
from pombal.model.health import WELL, Check, Health
from tests.control.support import FakeService
from tests.fakes.rooms import OWN_SECRET

WELL_AND_READY = Health(
    checks={"writer": WELL, "store": WELL},
    is_started=True,
    is_draining=False,
    simulator=False,
    version="1.2.3",
    uptime_s=61.23456,
)


@dataclass
class World:
    """What the application is shown of the daemon, and what it counted."""

    health: Health = WELL_AND_READY
    settings: Settings = field(default_factory=Settings)
    tokens: Tokens = field(default_factory=lambda: Tokens(Keys(OWN_SECRET), AuthSettings))
    counted: list[tuple[str, str, int]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def fails(self, name: str, detail: str) -> None:
        self.health = replace(self.health, checks={**self.health.checks, name: Check(False, detail)})

    def count(self, route: str, method: str, code: int, seconds: float) -> None:
        self.counted.append((route, method, code))
        self.seconds.append(seconds)

    def app(self) -> FastAPI:
        return create_app(self.api(), self.count)

    def api(self) -> Api:
        return Api(
            service=FakeService(),
            tokens=self.tokens,
            settings=lambda: self.settings,
            health=lambda: self.health,
            render_metrics=lambda accept: (f"# for {accept}\n".encode(), "text/plain; version=0.0.4; charset=utf-8"),
            rate_limit=RateLimit(lambda: self.settings.http.requests_per_minute),
        )


@pytest.fixture
def world() -> World:
    return World()


@dataclass
class Served:
    url: str
    server: HttpServer

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.partition("://")[2].rpartition(":")
        return host, int(port)


Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture
def serving() -> Serve:
    """A server of an application, with these settings of [http]; drained at the end."""

    @asynccontextmanager
    async def serving_app(
        app: ASGIApp, bind: str = "127.0.0.1:0", drain_within_s: float = 5, **settings: Any
    ) -> AsyncIterator[Served]:
        server = HttpServer(app, HttpSettings(**settings))
        async with trio.open_nursery() as nursery:
            urls = await nursery.start(partial(server.serve, bind))
            yield Served(urls[0], server)
            server.drain(drain_within_s)

    return serving_app
