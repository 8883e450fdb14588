"""Lines that are cut, servers that fall silent, receipts that come late, twice and out of order."""

import os

import pytest

from pombal.control.client import Client
from tests.fakes.whatsapp_driver import FakeWhatsApp
from tests.web.world import (
    ANA,
    ME,
    World,
    events_until,
    last_seq,
    until_all,
    until_message,
    until_status,
)

pytestmark = pytest.mark.system("libmagic.so.1")

# The daemon's own defaults take up to 40 s (.ci/long); in CI the questions come sooner.
PROBE_S = float(os.environ.get("POMBAL_WEB_PROBE_S", "2"))


async def test_a_silent_server_is_noticed_and_sends_are_kept(world: World, fake: FakeWhatsApp) -> None:
    """The socket is open, and nothing comes: asked for a sign of life, it stays silent, and the session says so."""
    world.home.configure(world.settings({"link": {"probe_after_s": PROBE_S, "probe_timeout_s": PROBE_S}}))
    await fake.do("person", user=ANA)
    async with world.daemon() as daemon, daemon.client() as client:
        await world.link(client)
        await world.round_trip(client)
        seq = await last_seq(client)
        await fake.do("stall", account=ME)
        kept = await client.message_send("vendas", ANA, text="guardada")
        await until_status(client, "vendas", "disconnected", after=seq)
        await until_status(client, "vendas", "ready", after=seq)
        await until_message(client, kept.message_id, "delivered")
        await daemon.stop()


async def test_sends_are_kept_while_the_network_is_down(world: World, fake: FakeWhatsApp) -> None:
    await fake.do("person", user=ANA)
    async with world.daemon() as daemon, daemon.client() as client:
        await world.link(client)
        await fake.do("network", up=False)
        names = {f"m{number}" for number in range(20)}
        for name in names:
            answer = await client.message_send("vendas", ANA, text=name, message_id=name)
            assert answer.status == "queued"
        await fake.do("network", up=True)
        await until_all(client, names, "delivered")
        book = (await fake.do("book", account=ME))["outbound"]
        assert len(book) == len(names)
        await daemon.stop()


async def test_receipts_late_twice_and_out_of_order(world: World, fake: FakeWhatsApp) -> None:
    """Each message ends read, its status never goes down, and nothing is told twice."""
    await fake.do("person", user=ANA)
    async with world.daemon() as daemon, daemon.client() as client:
        await world.link(client)
        await fake.do("receipts", account=ME, read=True, double=True, reorder=True, delay_ms=[0, 300])
        names = {f"m{number}" for number in range(30)}
        for name in names:
            await client.message_send("vendas", ANA, text=name, message_id=name)
        await until_all(client, names, "read")
        await _statuses_only_rise(client, names)
        await fake.do("receipts", account=ME, read=False, double=False, reorder=False, delay_ms=[0, 0], drop_rate=1.0)
        lonely = await client.message_send("vendas", ANA, text="sem recibo")
        await until_message(client, lonely.message_id, "sent")
        await daemon.stop()


async def _statuses_only_rise(client: Client, names: set[str]) -> None:
    rank = ["queued", "sent", "delivered", "read"]
    now = await last_seq(client)
    told: dict[str, list[str]] = {name: [] for name in names}
    for event in await events_until(client, lambda event: event["seq"] >= now - 5, types=["message.status"]):
        told[event["data"]["message_id"]].append(event["data"]["status"])
    for statuses in told.values():
        assert statuses == sorted(set(statuses), key=rank.index), statuses


async def test_a_message_without_the_servers_answer_is_overdue_and_goes_again(world: World, fake: FakeWhatsApp) -> None:
    """The server took it and said nothing: the caller is told, and it is never sent under another id."""
    world.home.configure(world.settings({"outbox": {"ack_timeout_s": 1.0, "messages_per_second": 1000.0}}))
    await fake.do("person", user=ANA)
    async with world.daemon() as daemon, daemon.client() as client:
        await world.link(client)
        await fake.do("silence", account=ME, count=1)
        await fake.do("receipts", account=ME, delivered=False)
        sent = await client.message_send("vendas", ANA, text="ouviu?")
        await events_until(
            client, lambda event: event["data"]["message_id"] == sent.message_id, types=["message.overdue"]
        )
        await fake.do("receipts", account=ME, delivered=True)
        await fake.do("receipt", account=ME, sender=ANA, ids=[sent.link_id])
        await until_message(client, sent.message_id, "delivered")
        book = (await fake.do("book", account=ME))["outbound"]
        assert {entry["id"] for entry in book} == {sent.link_id}
        await daemon.stop()
