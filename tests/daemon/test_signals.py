"""Signals: SIGTERM and SIGINT drain, a second one ends at once, SIGHUP reads the configuration again."""

import signal
from collections.abc import Callable

import pytest
import trio

from pombal.control.client import Client, Disconnected, RemoteError
from tests.daemon.books import check_database, messages_in
from tests.daemon.harness import WAIT_S, Event, Home, Running, Settings, ready_session
from tests.daemon.test_store_trouble import SOON
from tests.faults.kinds.locked import held

ANA = "5511987654321"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_drain_answers_what_it_accepted_and_tells_all_of_it(home: Home, number: signal.Signals) -> None:
    events: list[Event] = []
    async with home.daemon() as daemon, daemon.client() as client, trio.open_nursery() as nursery:
        await ready_session(client)
        await nursery.start(_listen, daemon, events)
        pending = [
            client.request("message.send", {"session": "vendas", "to": ANA, "text": "x", "message_id": f"m{place}"})
            for place in range(800)
        ]
        await pending[100].wait()
        daemon.signal(number)
        answers = [await _outcome(each.wait) for each in pending]
        assert await daemon.ended() == 0, daemon.output
        assert "STOPPING" in (await daemon.notify.until("STOPPING"))
    accepted = {f"m{place}" for place, answer in enumerate(answers) if answer == "ok"}
    assert set(answers) <= {"ok", "shutting_down", "unavailable"}
    assert len(accepted) > 100
    assert {row["message_id"] for row in messages_in(home.database)} == accepted
    (drained,) = daemon.logged("drained")
    assert [event["seq"] for event in events] == list(range(1, drained["last_event_seq"] + 1))
    check_database(home.database)


async def _outcome(wait: Callable[[], object]) -> str:
    """``ok``, or the kind of the refusal (that of a closed connection is `unavailable`)."""
    try:
        await wait()  # type: ignore[misc]
    except (RemoteError, Disconnected) as error:
        return error.kind
    return "ok"


async def _listen(
    daemon: Running, events: list[Event], task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    async with daemon.client() as client, client.events(after=0) as stream:
        task_status.started()
        with pytest.raises(Disconnected):
            async for event in stream:
                events.append(event)


async def test_a_second_signal_ends_it_at_once(home_with: Callable[[Settings], Home]) -> None:
    home = home_with({**SOON, "daemon": {"drain_s": 600.0}})
    async with home.daemon() as daemon, daemon.client() as client:
        await ready_session(client)
        with held(home.database):
            await client.simulator_inject("vendas", ANA, text="cannot be recorded now")
            daemon.signal(signal.SIGTERM)
            with trio.fail_after(WAIT_S):
                await daemon.notify.until("STOPPING")
            daemon.signal(signal.SIGTERM)
            assert await daemon.ended() == 1
        assert len(daemon.logged("stopping at once")) == 1
        assert "Traceback" not in daemon.output
    check_database(home.database)


# SIGHUP


async def reloaded(daemon: Running) -> None:
    """SIGHUP, and wait for the end of the reload as systemd does."""
    daemon.signal(signal.SIGHUP)
    with trio.fail_after(WAIT_S):
        told = await daemon.notify.until("RELOADING")
        assert int(told["MONOTONIC_USEC"]) > 0
        await daemon.notify.until("READY")


async def is_acceptable(client: Client, message_id: str) -> bool | None:
    """What is made of a message of some five milliseconds."""
    async with client.events(types=["message.status"]) as events:
        await client.message_send("vendas", ANA, text="x", message_id=message_id)
        with trio.fail_after(WAIT_S):
            async for event in events:
                if event["data"]["status"] == "delivered":
                    return bool(event["data"]["is_latency_acceptable"])
    return None


async def test_a_reload_changes_what_may_change_and_names_what_waits(home: Home) -> None:
    async with home.daemon() as daemon, daemon.client() as client:
        await ready_session(client)
        assert await is_acceptable(client, "before") is True
        home.configure({"latency": {"acceptable_ms": 1}, "recorder": {"queue_capacity": 99}, "log": {"level": "debug"}})
        await reloaded(daemon)
        (entry,) = daemon.logged("configuration reloaded")
        assert sorted(entry["changed"]) == ["latency.acceptable_ms", "log.level", "recorder.queue_capacity"]
        assert entry["needs_restart"] == ["recorder.queue_capacity"]
        assert await is_acceptable(client, "after") is False
        report = await client.daemon_reload()
        assert (report.changed, report.needs_restart) == (["recorder.queue_capacity"], ["recorder.queue_capacity"])
        assert (await client.session_get("vendas")).restart_count == 0
        await daemon.stop()


async def test_a_reload_of_a_bad_file_changes_nothing(home: Home) -> None:
    async with home.daemon() as daemon, daemon.client() as client:
        await ready_session(client)
        home.configure({"latency": {"acceptable_ms": 1, "acceptible_ms": 2}})
        await reloaded(daemon)
        with trio.fail_after(WAIT_S):  # systemd is told before the log is
            while "latency.acceptible_ms: unknown key" not in daemon.output:  # noqa: ASYNC110
                await trio.sleep(0.01)
        assert daemon.logged("configuration reloaded") == []
        with pytest.raises(
            RemoteError, match=r"latency\.acceptible_ms: unknown key; did you mean latency\.acceptable_ms"
        ):
            await client.daemon_reload()
        assert await is_acceptable(client, "after") is True
        home.config.unlink()
        await reloaded(daemon)
        assert await is_acceptable(client, "without") is True
        home.configure({})
        await daemon.stop()
