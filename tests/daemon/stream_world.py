"""A daemon with sessions of two owners, and tokens for them; what streams tell is compared with its log."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio

from pombal.control.client import Client
from tests.daemon.harness import WAIT_S, Home, Running, Settings, merged, ready_session
from tests.daemon.streams import token_for

SECRET = "of the platform, which signs its own tokens"


class World:
    """A session `vendas` of ana's and `suporte` of bia's; tokens for both, and for an admin."""

    def __init__(self, home: Home, daemon: Running, client: Client, ana: str, bia: str, admin: str) -> None:
        self.home = home
        self.daemon = daemon
        self.client = client
        self.ana = ana
        self.bia = bia
        self.admin = admin

    async def last_seq(self) -> int:
        return (await self.client.daemon_status()).last_event_seq

    async def log(self, after: int = 0) -> list[dict[str, Any]]:
        return same((await self.client.events_list(after=after, limit=1000)).results)

    async def inject(self, session: str, count: int, text: str = "oi") -> int:
        """Messages come in; the number of the last event of theirs."""
        before = await self.last_seq()
        await self.client.simulator_inject(session, "5511988887777", text=text, count=count)
        with trio.fail_after(WAIT_S):
            while await self.last_seq() < before + count:  # noqa: ASYNC110
                await trio.sleep(0.01)
        return before + count


def same(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is the same of an event whenever it is shown: a session's counters are those of the moment one looks."""
    return [{**event, "data": None} if event["type"].startswith("session.") else event for event in events]


@asynccontextmanager
async def world_of(home: Home, settings: Settings | None = None) -> AsyncIterator[World]:
    """The daemon takes tokens signed with SECRET as well, to the second, and logs all it ever would."""
    (home.root / "secret").touch(0o600)
    (home.root / "secret").write_text(SECRET)
    auth: Settings = {"auth": {"secret_file": str(home.root / "secret"), "leeway_s": 0}, "log": {"level": "debug"}}
    home.configure(merged(auth, settings or {}))
    async with home.daemon() as daemon, daemon.client() as client:
        ana, bia = [await token_for(client, owner) for owner in ("ana", "bia")]
        admin = await token_for(client, "root", "admin")
        await ready_session(client, "vendas", owner="ana")
        await ready_session(client, "suporte", owner="bia")
        yield World(home, daemon, client, ana, bia, admin)
