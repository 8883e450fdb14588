"""A database that somebody holds: refused with the reason, healed by itself, nothing acknowledged lost.

What else a store may suffer, under load, is in tests/faults: a full disk, one that fails, stands still, is read-only.
"""

import signal
from collections.abc import Callable
from typing import Any

import httpx2
import trio

from pombal.control.client import Client, RemoteError
from tests.daemon.books import check_database, messages_in
from tests.daemon.harness import WAIT_S, Home, Running, Settings, ready_session, until, until_all
from tests.faults.kinds.locked import held

ANA = "5511987654321"
SOON: Settings = {"recorder": {"busy_timeout_ms": 20, "retry_max_s": 0.2}}


async def send_until_refused(client: Client) -> tuple[set[str], str]:
    """The ids of the sends that were accepted, and why the first that was not was refused."""
    accepted: set[str] = set()
    with trio.fail_after(WAIT_S):
        while True:
            try:
                sent = await client.message_send("vendas", ANA, text="x" * 2000)
            except RemoteError as refusal:
                if refusal.kind != "unavailable":
                    raise
                return accepted, refusal.message
            accepted.add(sent.message_id)


async def health(daemon: Running, path: str = "/api/v1/health/") -> tuple[int, dict[str, Any]]:
    async with httpx2.AsyncClient(timeout=WAIT_S) as http:
        answer = await http.get(f"{daemon.url}{path}")
    return answer.status_code, answer.json()


async def check_trouble(daemon: Running, client: Client, reason: str) -> set[str]:
    """What holds while nothing can be recorded; the sends that had been accepted before."""
    accepted, told = await send_until_refused(client)
    assert reason in told
    assert "what was accepted before is safe" in told
    code, body = await health(daemon)
    assert (code, body["failing"]) == (503, ["store"])
    assert reason in body["checks"]["store"]["detail"]
    assert (await health(daemon, "/livez"))[0] == 200, "a restart would not help"
    # People write on; their messages wait for room, and reading goes on.
    assert (await client.simulator_inject("vendas", ANA, text="while it was full", count=20)).injected == 20
    assert (await client.message_list(direction="inbound")).results == []
    assert (await client.session_get("vendas")).is_connected
    return accepted


async def check_recovery(daemon: Running, client: Client, accepted: set[str]) -> None:
    """Everything goes on by itself."""
    await until(client, lambda event: event["data"]["id"] == _newest(daemon), types=["message.received"])
    await until_all(client, "vendas", accepted, "read")
    again = await client.message_send("vendas", ANA, text="again")
    await until_all(client, "vendas", {again.message_id}, "read")
    assert (await health(daemon))[0] == 200
    assert len(daemon.logged("store unavailable")) == 1
    assert len(daemon.logged("store available again")) == 1
    assert daemon.logged("actor crashed") == []
    await daemon.stop()
    check_database(daemon.home.database)
    assert {row["message_id"] for row in messages_in(daemon.home.database)} >= {*accepted, again.message_id}
    assert len(messages_in(daemon.home.database, "inbound")) == 20


def _newest(daemon: Running) -> int:
    inbound = messages_in(daemon.home.database, "inbound")
    return int(inbound[-1]["id"]) if len(inbound) == 20 else -1


async def test_a_database_that_another_process_holds(home_with: Callable[[Settings], Home]) -> None:
    async with home_with(SOON).daemon() as daemon, daemon.client() as client:
        await ready_session(client)
        with held(daemon.home.database):
            accepted = await check_trouble(daemon, client, "locked")
        await check_recovery(daemon, client, accepted)


async def test_a_stop_while_nothing_can_be_recorded_ends_at_its_deadline(home_with: Callable[[Settings], Home]) -> None:
    """What the network was not told is recorded comes again in the next life."""
    home = home_with({**SOON, "daemon": {"drain_s": 0.5}, "simulator": {"durable": True}})
    async with home.daemon() as daemon, daemon.client() as client:
        await ready_session(client)
        with held(home.database):
            accepted = await check_trouble(daemon, client, "locked")
            daemon.signal(signal.SIGTERM)
            assert await daemon.ended() == 1
        assert "drain took too long" in daemon.output
    async with home.daemon() as daemon, daemon.client() as client:
        await until(client, lambda event: event["data"]["id"] == _newest(daemon), types=["message.received"])
        await until_all(client, "vendas", accepted, "read")
        await daemon.stop()
    check_database(home.database)
    assert len(messages_in(home.database, "inbound")) == 20


async def test_a_start_while_another_process_holds_the_database(home: Home) -> None:
    async with home.daemon() as daemon:
        await daemon.stop()
    with held(home.database):
        async with home.process() as daemon:
            assert await daemon.ended() == 1
            assert "is locked by another program" in daemon.output
            assert "end that program and start again" in daemon.output
    async with home.daemon() as daemon:
        await daemon.stop()
