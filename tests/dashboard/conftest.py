"""The dashboard over ASGI, without a browser: real rooms beneath it, whose time is jumped."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from trio.testing import MockClock

from pombal.auth.cookies import COOKIE
from pombal.dashboard.app import create_router
from pombal.dashboard.guard import FORM_TOKEN, form_token
from pombal.dashboard.pages import all_pages
from pombal.dashboard.site import Site
from pombal.model.caller import Role
from pombal.model.health import WELL, Health
from tests.fakes.rooms import World
from tests.service.world import simulated

DAY_S = 86_400
HEALTH = Health(
    checks=dict.fromkeys(("loop", "writer", "store", "links"), WELL),
    is_started=True, is_draining=False, simulator=True, version="1.2.3", uptime_s=1.0,
)  # fmt: skip


@dataclass
class Browser:
    """Somebody signed in. ``post`` fills in the form's token as the page would have."""

    http: httpx2.AsyncClient
    token: str
    world: World

    async def get(self, path: str, status: int = 200, **headers: str) -> str:
        answer = await self.http.get(path, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.text

    async def post(self, path: str, data: dict[str, str] | None = None, **options: object) -> httpx2.Response:
        fields = {FORM_TOKEN: form_token(self.token)} | (data or {})
        return await self.http.post(path, data=fields, **options)  # type: ignore[arg-type]


@pytest.fixture
async def world(tmp_path: Path, autojump_clock: MockClock) -> AsyncIterator[World]:
    async with simulated(tmp_path) as built:
        yield built


@pytest.fixture
def app(world: World) -> FastAPI:
    made = FastAPI()
    site = Site(world.service, world.deps.tokens, world.live, lambda: HEALTH, world.clock)
    made.include_router(create_router(site, all_pages()))
    return made


Sign = Callable[..., Browser]


@pytest.fixture
async def sign_in(app: FastAPI, world: World) -> AsyncIterator[Sign]:
    """A browser of an owner; without one, of an administrator; None: of nobody."""
    opened: list[httpx2.AsyncClient] = []

    def sign(owner: str | None = "root", role: Role = Role.ADMIN, language: str = "en") -> Browser:
        token = "" if owner is None else world.deps.tokens.create(owner, role, DAY_S)[0]
        http = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app, raise_app_exceptions=True),
            base_url="http://pombal.test",
            cookies={} if owner is None else {COOKIE: token},
            headers={"Accept-Language": language},
        )
        opened.append(http)
        return Browser(http, token, world)

    yield sign
    for http in opened:
        await http.aclose()


@pytest.fixture
def admin(sign_in: Sign) -> Browser:
    return sign_in()
