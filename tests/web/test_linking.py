"""From nothing to ready, and back there after whatever ends."""

import signal
from pathlib import Path

import pytest

from pombal.control.client import Client
from tests.fakes.whatsapp_driver import FakeWhatsApp
from tests.web.world import (
    ANA,
    ME,
    World,
    gateways,
    last_seq,
    received,
    until_message,
    until_status,
    until_true,
)

pytestmark = pytest.mark.system("libmagic.so.1")


async def test_by_qr_to_ready_and_a_message_each_way_with_all_its_times(world: World, fake: FakeWhatsApp) -> None:
    await fake.do("person", user=ANA)
    async with world.daemon() as daemon, daemon.client() as client:
        await world.link(client)
        session = await client.session_get("vendas")
        assert (session.phone_number, session.is_connected, session.link_alive) == (ME, True, True)
        sent = await client.message_send("vendas", ANA, text="bom dia")
        await until_message(client, sent.message_id, "delivered")
        assert sent.link_id is not None
        await fake.do("receipt", account=ME, sender=ANA, ids=[sent.link_id], type="read")
        read = await until_message(client, sent.message_id, "read")
        stamps = [read.queued_at, read.dispatched_at, read.sent_at, read.delivered_at, read.read_at]
        assert None not in stamps
        assert stamps == sorted(stamps, key=lambda stamp: stamp or 0)
        assert read.latency_to_sent_ms is not None
        assert read.total_latency_ms == read.latency_to_delivered_ms
        assert (await fake.until("message", id=sent.link_id))["content"] == {"type": "text", "text": "bom dia"}
        got = (await fake.do("inbound", account=ME, sender=ANA, text="tudo bem?"))["ids"][0]
        came = await received(client, got)
        assert (came.text_content, came.contact_number, came.contact_name) == ("tudo bem?", ANA, f"Peer {ANA}")
        assert None not in (came.sent_at, came.received_at, came.delivered_at, came.total_latency_ms)
        await client.message_mark_read("vendas", [came.message_id])
        await fake.do("wait", account=ME, read=1)
        await daemon.stop()


async def test_by_a_code_through_its_own_proxy_then_unlinked_and_linked_anew(world: World, fake: FakeWhatsApp) -> None:
    """The session's own setting wins over the daemon's, which leads nowhere; logout and delete leave no keys behind."""
    world.home.configure(world.settings({"web": {"proxy": "http://127.0.0.1:9"}}))
    await fake.do("person", user=ANA)
    async with world.daemon() as daemon, daemon.client() as client:
        proxy = fake.listening["proxy"].replace("http://", "socks5://")
        session = await client.session_create("vendas", settings={"proxy": proxy})
        await until_status(client, "vendas", "qrcode")
        code = (await client.session_pair_code("vendas", ME)).code
        await fake.do("enter_code", user=ME, code=code)
        await until_status(client, "vendas", "ready")
        await world.round_trip(client)
        keys = world.home.state / "web" / session.id
        assert keys.stat().st_mode & 0o777 == 0o700
        await client.session_logout("vendas")
        await fake.until("unlinked", user=ME)
        await until_status(client, "vendas", "disconnected", reason="stopped")
        seq = await last_seq(client)
        await client.session_start("vendas")
        await world.scan(client, "vendas", ME, after=seq)
        await client.session_delete("vendas")
        await until_true(lambda: _is_gone(fake, keys))
        await daemon.stop()


async def _is_gone(fake: FakeWhatsApp, keys: Path) -> bool:
    linked = (await fake.do("status"))["people"][ME]
    return linked == [] and not keys.exists()


async def test_it_comes_back_without_a_new_scan(world: World, fake: FakeWhatsApp) -> None:
    """After the end of the gateway, of the daemon, of both, by SIGTERM and by kill -9; and after the server's 503."""
    await fake.do("person", user=ANA)
    async with world.daemon() as daemon, daemon.client() as client:
        await world.link(client)
        for end in (signal.SIGTERM, signal.SIGKILL):
            seq = await last_seq(client)
            gateways(daemon)[0].signal(end)
            await _back(client, seq)
            await world.round_trip(client)
        seen = len(fake.events)
        await fake.do("stream_error", account=ME, code=503)
        await fake.until("login", user=ME, after=seen)
        await world.round_trip(client)
        seq = await last_seq(client)
        daemon.signal(signal.SIGKILL)
        await daemon.ended()
    async with world.daemon() as daemon, daemon.client() as client:
        await _back(client, seq)
        await world.round_trip(client)
        seq = await last_seq(client)
        for gateway in gateways(daemon):
            gateway.signal(signal.SIGKILL)
        await daemon.kill()
    async with world.daemon() as daemon, daemon.client() as client:
        await _back(client, seq)
        await world.round_trip(client)
        await daemon.stop()
    assert not fake.all("refused")


async def _back(client: Client, seq: int) -> None:
    seen = await until_status(client, "vendas", "ready", after=seq)
    assert "qrcode" not in [event["data"]["status"] for event in seen]
