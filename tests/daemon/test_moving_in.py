"""A user of the platform moves in: their history is there, and their calls work as they always did."""

import json
from pathlib import Path

import pytest

from pombal.control.client import Client as Control
from pombal.http_client import ApiError, AsyncClient
from tests.daemon.harness import Home, until_status
from tests.store.django.dumps import inbound, message, session, written

USER = "ana@dx.com.br"  # no session can be called so, and none of the platform's calls names one


async def test_history_comes_along_and_life_goes_on(home: Home) -> None:
    await move_in(home)
    async with home.daemon() as daemon, daemon.client() as control:
        token = (await control.token_create(USER)).token
        async with AsyncClient(daemon.url, token) as ana:
            await see_the_history(ana)
            await go_on(ana, control)
        stranger = (await control.token_create("someone")).token
        async with AsyncClient(daemon.url, stranger) as other:
            assert [each async for each in other.messages()] == []
        await daemon.stop()
    checked = await home.command("db", "check", "--state-dir", str(home.state))
    assert checked.code == 0, checked.err


async def move_in(home: Home) -> None:
    waiting = {"status": "queued", "sent_at": None, "delivered_at": None, "read_at": None}
    dump = written(
        Path(home.root) / "dump.json",
        session(1, usuario=[USER], total_messages_sent=900),
        message(1, message_id="OUT"),
        inbound(2, message_id="IN", text_content="Cadê meu pedido?"),
        message(3, message_id="WAITING", **waiting),
    )
    report = await home.command("db", "import-django", str(dump), "--config", str(home.config), "--json")
    assert json.loads(report.out)["messages"]["added"] == 3, report.err


async def see_the_history(ana: AsyncClient) -> None:
    assert (await ana.session_status()).status == "disconnected"
    found = {each.message_id: each async for each in ana.messages(origin="history")}
    assert {name: str(each.status) for name, each in found.items()} == {
        "OUT": "read", "IN": "delivered", "WAITING": "uncertain",
    }  # fmt: skip
    assert [each.message_id async for each in ana.messages(search="cade pedido")] == ["IN"]
    assert (await ana.latency_stats(since="3650d")).measured_messages == 0
    with pytest.raises(ApiError, match="423 not_ready"):
        await ana.send("5511988888888", "Oi")


async def go_on(ana: AsyncClient, control: Control) -> None:
    """Start, send, and what waited in the app does not go out by itself."""
    started = await ana.start_session()
    await until_status(control, started.name, "ready")
    sent = await ana.send("5511988888888", "Já está a caminho", message_id="NEW")
    async with ana.events(after=0, types=("message.status",)) as events:
        async for event in events:
            if event.data["id"] == sent.id and event.data["status"] == "delivered":
                break
    status = await ana.session_status()
    assert status.total_messages_sent == 901
    assert [each.message_id async for each in ana.messages(status="uncertain")] == ["WAITING"]
    assert (await ana.latency_stats(since="1h")).measured_messages == 1
    (resent,) = [await ana.resend(each.id) async for each in ana.messages(status="uncertain")]
    assert resent.status == "queued"
