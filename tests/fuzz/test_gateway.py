"""A gateway that has lost its mind, and the daemon that listens to it: other sessions do not notice."""

import os

import trio

from pombal.control.client import Client
from tests.daemon.books import rows
from tests.daemon.harness import Home
from tests.fuzz.gateway import hostile_gateway
from tests.fuzz.state import GROWTH_MAX_BYTES, anonymous_bytes, nobody_crashed, telling_faults, works

FRAMES = int(os.environ.get("POMBAL_FUZZ_FRAMES", "20000")) // 20
SEED = int(os.environ.get("POMBAL_FUZZ_SEED", "1"))
WAIT_S = 250.0


async def start_again(client: Client, session: str) -> None:
    """Whenever its link has ended for good: a gateway can say that, and then a person decides."""
    async with client.events(after=0, sessions=[session], types=["session.status"]) as events:
        async for event in events:
            if event["data"]["status"] in ("error", "disconnected"):
                await client.session_start(session)


async def test_a_gateway_that_says_anything(home: Home) -> None:
    home.configure({"log": {"level": "warning"}})
    async with (
        hostile_gateway(SEED, FRAMES) as (gateway, url),
        home.daemon() as daemon,
        daemon.client() as client,
        trio.open_nursery() as nursery,
    ):
        before = anonymous_bytes(daemon)
        with telling_faults(daemon):
            await client.session_create("mad", link="web", settings={"gateway_url": url})
            nursery.start_soon(start_again, client, "mad")
            with trio.fail_after(WAIT_S):
                while not gateway.done.is_set():
                    await works(client, "sane")
                    await nobody_crashed(client)
                    with trio.move_on_after(0.5):
                        await gateway.done.wait()
            await works(client, "sane")
            await nobody_crashed(client)
            assert anonymous_bytes(daemon) - before < GROWTH_MAX_BYTES
            nursery.cancel_scope.cancel()
            await daemon.stop()
    recorded = rows(home.database, "SELECT count(*) AS n FROM messages WHERE direction = 'inbound'")[0]["n"]
    rejected = rows(home.database, "SELECT count(*) AS n FROM rejected")[0]["n"]
    assert gateway.connections > 1
    assert recorded > FRAMES / 100
    assert rejected > FRAMES / 20
