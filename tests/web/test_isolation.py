"""Sessions do not disturb each other: in processes of their own, and ten in one."""

import os
import random
import signal

import pytest

from tests.fakes.whatsapp_driver import FakeWhatsApp
from tests.web.world import ANA, World, account, gateways, last_seq, until_status

pytestmark = pytest.mark.system("libmagic.so.1")

ROUNDS = int(os.environ.get("POMBAL_WEB_ROUNDS", "10"))
SEED = int(os.environ.get("POMBAL_KILL_SEED", "4711"))
TEN = [f"s{number}" for number in range(10)]
MEANWHILE = 30


async def test_a_killed_gateway_leaves_the_other_session_alone(world: World, fake: FakeWhatsApp) -> None:
    await fake.do("person", user=ANA)
    async with world.daemon() as daemon, daemon.client() as client:
        await world.link(client, "killed", account(0))
        first = gateways(daemon)
        await world.link(client, "other", account(1))
        assert len(gateways(daemon)) == 2
        await world.round_trip(client, "other", account(1))
        before, seq = await client.session_get("other"), await last_seq(client)
        first[0].signal(signal.SIGKILL)
        for _ in range(MEANWHILE):
            await world.round_trip(client, "other", account(1))
        await until_status(client, "killed", "ready", after=seq)
        page = await client.events_list(after=seq, sessions=["other"], types=["session.status"])
        assert page.results == []
        after = await client.session_get("other")
        assert (after.error_count, after.restart_count) == (before.error_count, before.restart_count)
        await world.round_trip(client, "killed", account(0))
        await daemon.stop()


async def test_ten_sessions_in_one_process_start_and_stop_in_any_order(world: World, fake: FakeWhatsApp) -> None:
    """Clients that start and stop at once would end the whole process (`concurrent map writes`)."""
    world.home.configure(world.settings({"web": {"sessions_per_process": 10}}))
    rng = random.Random(SEED)
    await fake.do("person", user=ANA)
    async with world.daemon() as daemon, daemon.client() as client:
        for number, name in enumerate(TEN):
            await world.link(client, name, account(number))
        process = gateways(daemon)
        assert len(process) == 1
        for _ in range(ROUNDS):
            seq = await last_seq(client)
            for name in rng.sample(TEN, len(TEN)):
                await client.session_stop(name)
            for name in rng.sample(TEN, len(TEN)):
                await client.session_start(name)
            for name in TEN:
                await until_status(client, name, "ready", after=seq)
        assert gateways(daemon) == process
        for number in (0, 9):
            await world.round_trip(client, f"s{number}", account(number))
        await daemon.stop()
