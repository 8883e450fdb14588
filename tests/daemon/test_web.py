"""Sessions on WhatsApp Web as the daemon keeps them, over a gateway process without WhatsApp behind it."""

import hashlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from pombal.control.client import Client, RemoteError
from pombal.control.client_media import put_media
from pombal.model.daemon_results import ActorFacts
from tests.daemon.harness import WAIT_S, Home, ready_session, until, until_all, until_status

ROOT = Path(__file__).parents[2]
ANA = "5511987654321"
GATEWAY = [sys.executable, "-m", "tests.fakes.gateway"]
ENV = {"env": {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}}


def web(**more: Any) -> dict[str, dict[str, Any]]:
    return {
        "sessions": {"default_link": "web"},
        "outbox": {"messages_per_second": 1000.0, "burst": 100},
        "web": {"gateway_command": GATEWAY, "start_timeout_s": WAIT_S} | more,
    }


async def gateways(client: Client) -> list[ActorFacts]:
    return (await client.daemon_actors(kind="gateway")).results


async def test_a_message_each_way_and_the_gateway_among_the_actors(home: Home) -> None:
    home.configure(web())
    async with home.daemon(**ENV) as daemon, daemon.client() as client:
        await ready_session(client, "vendas")
        sent = await client.message_send("vendas", ANA, text="answer me!")
        await until_all(client, "vendas", {sent.message_id}, "sent")
        received = await until(client, lambda event: True, types=["message.received"])
        assert received["data"]["text_content"] == "here I am"
        (gateway,) = await gateways(client)
        assert (gateway.name, gateway.state, gateway.restarts) == ("gateway-1", "running", 0)
        shown = await client.session_get("vendas")
        assert shown.link_alive
        assert (home.root / "run/gateways").stat().st_mode & 0o777 == 0o700
        await daemon.stop()
        assert daemon.logged("fake gateway starts")
    assert list((home.root / "run/gateways").iterdir()) == []


async def test_a_gateway_that_is_killed_is_replaced_and_the_session_says_so(home: Home) -> None:
    home.configure(web())
    async with home.daemon(**ENV) as daemon, daemon.client() as client:
        await ready_session(client, "vendas")
        before = (await client.daemon_status()).last_event_seq
        (process,) = [entry["pid"] for entry in daemon.logged("gateway answers")]
        os.kill(process, signal.SIGKILL)
        await until_status(client, "vendas", "ready", after=before)
        shown = await client.session_get("vendas")
        assert shown.error_count >= 1
        assert "messages may have been lost" in (shown.last_error or "")
        assert "SIGKILL" in (shown.last_error or "")
        (gateway,) = await gateways(client)
        assert gateway.restarts == 1
        assert "SIGKILL" in (gateway.last_crash or "")
        sent = await client.message_send("vendas", ANA, text="oi")
        await until_all(client, "vendas", {sent.message_id}, "sent")
        await daemon.stop()


async def test_a_gateway_that_hangs_is_replaced(home: Home) -> None:
    home.configure(web(ping_every_s=0.5, ping_timeout_s=3.0, stop_timeout_s=0.4))
    async with home.daemon(**ENV) as daemon, daemon.client() as client:
        await ready_session(client, "vendas")
        before = (await client.daemon_status()).last_event_seq
        os.kill(daemon.logged("gateway answers")[-1]["pid"], signal.SIGSTOP)
        lost = await until_status(client, "vendas", "disconnected", after=before)
        assert "said nothing for 3 s" in lost["data"]["last_error"]
        await until_status(client, "vendas", "ready", after=lost["seq"])
        await daemon.stop()


async def test_a_gateway_that_cannot_be_started_is_said_on_the_session(home: Home) -> None:
    home.configure(web(gateway_command=[*GATEWAY, "--behaviour", "fails"]))
    async with home.daemon(**ENV) as daemon, daemon.client() as client:
        await client.session_create("vendas")
        told = await until(client, lambda event: bool(event["data"].get("last_error")), types=["session.status"])
        assert "the library is not installed" in told["data"]["last_error"]
        assert told["data"]["status"] in {"connecting", "disconnected"}
        await daemon.stop()


async def test_deleting_a_session_removes_its_keys_now_or_at_the_next_start(home: Home) -> None:
    home.configure(web())
    kept = home.state / "web"
    async with home.daemon(**ENV) as daemon, daemon.client() as client:
        await ready_session(client, "vendas")
        session = await client.session_get("vendas")
        (kept / session.id).mkdir(parents=True)
        (kept / session.id / "keys.db").write_text("secret")
        await client.session_delete("vendas")
        with trio.fail_after(WAIT_S):
            while (kept / session.id).exists():  # noqa: ASYNC110  # it tells nobody
                await trio.sleep(0.01)
        await daemon.stop()
    (kept / session.id).mkdir()
    async with home.daemon(**ENV) as daemon, daemon.client() as client:
        await ready_session(client, "suporte")
        assert not (kept / session.id).exists()
        await daemon.stop()


async def test_settings_of_a_session_are_checked_when_it_is_created_and_when_it_is_changed(home: Home) -> None:
    home.configure(web())
    async with home.daemon(**ENV) as daemon, daemon.client() as client:
        bad = {"proxy": "ftp://me:secret@proxy:1"}
        with pytest.raises(RemoteError) as refused:
            await client.session_create("vendas", settings=bad)
        assert refused.value.kind == "invalid"
        assert "settings.proxy: must be http" in refused.value.message
        assert "secret" not in refused.value.message
        await client.session_create("vendas", settings={"burst": 3}, start=False)
        with pytest.raises(RemoteError):
            await client.session_update("vendas", settings=bad)
        await daemon.stop()


async def test_a_file_goes_out_with_its_message(home: Home) -> None:
    home.configure(web())
    async with home.daemon(**ENV) as daemon, daemon.client() as client:
        await ready_session(client, "vendas")
        data = os.urandom(2_000_000)
        stored = await put_media(client, data, lambda _: None)
        assert stored.sha256 == hashlib.sha256(data).hexdigest()
        media = {"sha256": stored.sha256, "mime_type": "image/jpeg"}
        sent = await client.message_send("vendas", ANA, type="image", media=media)
        await until_all(client, "vendas", {sent.message_id}, "sent")
        await daemon.stop()
