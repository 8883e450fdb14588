"""What outlives the process: sessions come back by themselves, queues go out, readers resume without gap or double."""

import signal
from collections.abc import Callable

import pytest
import trio

from pombal.control.client import Disconnected
from tests.daemon.books import check_database, messages_in
from tests.daemon.harness import (
    WAIT_S,
    Event,
    Home,
    Running,
    Settings,
    events_until,
    ready_session,
    until_all,
    until_status,
)

ANA = "5511987654321"
KEPT: Settings = {"simulator": {"durable": True, "auto_scan_ms": 60_000}}
NAMES = ("vendas", "suporte", "agenda")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_sessions_come_back_without_a_scan(home_with: Callable[[Settings], Home], number: signal.Signals) -> None:
    home = home_with(KEPT)
    async with home.daemon() as daemon, daemon.client() as client:
        for name in (*NAMES, "stopped", "never-paired"):
            await client.session_create(name)
            if name != "never-paired":
                await until_status(client, name, "qrcode")
                await client.simulator_scan(name)
                await until_status(client, name, "ready")
        await client.session_stop("stopped")
        seq = (await client.daemon_status()).last_event_seq
        daemon.signal(number)
        assert await daemon.ended() == (0 if number == signal.SIGTERM else -9), daemon.output
    async with home.daemon() as daemon, daemon.client() as client:
        for name in NAMES:
            back = await events_until(
                client, lambda event: event["data"]["status"] == "ready", after=seq, sessions=[name],
                types=["session.status"],
            )  # fmt: skip
            assert "qrcode" not in [event["data"]["status"] for event in back]
        await until_status(client, "never-paired", "qrcode", after=seq)
        assert (await client.session_get("stopped")).status_reason == "stopped"
        await daemon.stop()
    check_database(home.database)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_what_was_queued_goes_out_after_a_restart(
    home_with: Callable[[Settings], Home], number: signal.Signals
) -> None:
    home = home_with({"simulator": {"durable": True}})
    names = {f"m{place}" for place in range(100)}
    async with home.daemon() as daemon, daemon.client() as client:
        await ready_session(client)
        await client.simulator_fault("vendas", "restricted")
        await until_status(client, "vendas", "error")
        async for answer in client.pipeline(
            ("message.send", {"session": "vendas", "to": ANA, "text": name, "message_id": name}) for name in names
        ):
            assert not isinstance(answer, Exception)
            assert answer["status"] == "queued"
        daemon.signal(number)
        await daemon.ended()
    # A restriction is WhatsApp's: the session waits for its end, which the simulator kept in memory only.
    async with home.daemon() as daemon, daemon.client() as client:
        await client.session_restart("vendas")
        await until_all(client, "vendas", names, "read")
        await daemon.stop()
    check_database(home.database)
    assert sorted(row["message_id"] for row in messages_in(home.database)) == sorted(names)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_reader_resumes_where_it_was(home_with: Callable[[Settings], Home], number: signal.Signals) -> None:
    """Its daemon goes away under load, twice; the reader sees every event once and in order all the same."""
    home = home_with({"simulator": {"durable": True, "inbound_rate": 200}})
    seen: list[Event] = []
    for life in range(3):
        async with home.daemon() as daemon, trio.open_nursery() as nursery:
            if life == 0:
                async with daemon.client() as client:
                    await ready_session(client)
            with trio.fail_after(WAIT_S):
                await nursery.start(_read_until_disconnected, daemon, seen, 150)
                daemon.signal(number)
                await daemon.ended()
    check_database(home.database)
    async with home.daemon() as daemon:
        async with daemon.client() as client:
            last = (await client.daemon_status()).last_event_seq
            seen += await events_until(client, lambda event: event["seq"] >= last, after=seen[-1]["seq"])
        await daemon.stop()
    assert [event["seq"] for event in seen] == list(range(1, len(seen) + 1))
    assert "gap" not in {event["type"] for event in seen}


async def _read_until_disconnected(
    daemon: Running, seen: list[Event], enough: int, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Started once it has seen enough; goes on until the daemon is gone."""
    enough += len(seen)
    async with daemon.client() as client, client.events(after=seen[-1]["seq"] if seen else 0) as events:
        with pytest.raises(Disconnected):
            async for event in events:
                seen.append(event)
                if len(seen) == enough:
                    task_status.started()
