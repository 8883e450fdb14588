"""Events over the control socket: cursors that move when the client reads."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.lowlevel
from trio.testing import wait_all_tasks_blocked

from pombal.control import connection as connection_module
from pombal.model.caller import Role
from pombal.model.events import Event, EventType
from tests.control.support import FakeService, Lines, event, request, running, until

Feed = trio.MemorySendChannel[Sequence[Event]]


def fed() -> tuple[Feed, FakeService]:
    send, receive = trio.open_memory_channel[Sequence[Event]](1000)
    return send, FakeService(feed=receive)


async def test_the_answer_comes_before_the_first_event(tmp_path: Path) -> None:
    feed, service = fed()
    feed.send_nowait([event(1), event(2)])
    async with running(tmp_path, service) as server, await server.connect() as stream:
        await stream.send_all(request("events.subscribe", 7, after=0, sessions=["a"], types=["gap"], log_id="x"))
        answer, first, second = await Lines(stream).take(3)
    assert answer["result"] == {"subscription": "1", "log_id": "log-1"}
    assert first == {"jsonrpc": "2.0", "method": "event", "params": {"subscription": "1", "event": event(1).object()}}
    assert second["params"]["event"]["seq"] == 2
    asked = service.subscriptions[0]
    assert (asked["after"], asked["sessions"], asked["log_id"]) == (0, ["a"], "x")
    assert (asked["types"], asked["transport"]) == ([EventType.GAP], "control")


async def test_unsubscribe_ends_it(tmp_path: Path) -> None:
    feed, service = fed()
    async with running(tmp_path, service) as server, await server.connect() as stream:
        lines = Lines(stream)
        await stream.send_all(request("events.subscribe", 1))
        assert (await lines.next())["result"]["subscription"] == "1"
        await stream.send_all(request("events.unsubscribe", 2, subscription="1"))
        assert (await lines.next())["result"] == {}
        await until(lambda: service.ended_subscriptions)
        feed.send_nowait([event(1)])
        await stream.send_all(request("events.unsubscribe", 3, subscription="1"))
        assert (await lines.next())["error"]["data"]["kind"] == "not_found"


async def test_there_is_a_limit_to_them(tmp_path: Path) -> None:
    _feed, service = fed()
    async with running(tmp_path, service, max_subscriptions=2) as server, await server.connect() as stream:
        await stream.send_all(b"".join(request("events.subscribe", number) for number in range(3)))
        answers = await Lines(stream).take(3)
    assert sorted("error" in answer for answer in answers) == [False, False, True]
    assert [answer["error"]["data"]["kind"] for answer in answers if "error" in answer] == ["conflict"]


async def test_a_reader_sees_events_without_their_codes(tmp_path: Path) -> None:
    feed, service = fed()
    feed.send_nowait([event(1, EventType.SESSION_QR, {"code": "2@secret", "expires_at": "x"})])
    async with running(tmp_path, service, role=Role.READER) as server, await server.connect() as stream:
        await stream.send_all(request("events.subscribe"))
        _, notification = await Lines(stream).take(2)
    assert notification["params"]["event"]["data"] == {"code": None, "expires_at": "x"}


async def test_a_client_that_does_not_read_is_asked_no_events_for(tmp_path: Path) -> None:
    feed, service = fed()
    for seq in range(100):
        feed.send_nowait([event(seq, data={"text": "x" * 100_000})])
    async with running(tmp_path, service) as server, await server.connect() as stream:
        lines = Lines(stream)
        await stream.send_all(request("events.subscribe"))
        await lines.next()
        await wait_all_tasks_blocked(0.05)
        assert service.subscription is not None
        assert service.subscription.asked < 20
        seen = [(await lines.next())["params"]["event"]["seq"] for _ in range(100)]
    assert seen == list(range(100))


async def test_the_end_of_events_ends_the_connection(tmp_path: Path) -> None:
    feed, service = fed()
    async with running(tmp_path, service) as server, await server.connect() as stream:
        lines = Lines(stream)
        await stream.send_all(request("events.subscribe"))
        await lines.next()
        feed.close()
        await lines.closed()


async def test_a_crash_of_a_subscription_ends_the_connection_only(tmp_path: Path) -> None:
    feed, service = fed()
    bad: Any = [None]
    async with running(tmp_path, service) as server, await server.connect() as stream:
        lines = Lines(stream)
        await stream.send_all(request("events.subscribe"))
        await lines.next()
        feed.send_nowait(bad)
        await lines.closed()
        async with await server.connect() as other:
            await other.send_all(request("daemon.status"))
            assert "result" in await Lines(other).next()


async def test_subscribing_and_closing_at_once_is_answered_and_ends(tmp_path: Path) -> None:
    _feed, service = fed()
    async with running(tmp_path, service) as server, await server.connect() as stream:
        await stream.send_all(request("events.subscribe"))
        await stream.send_eof()
        assert [answer["id"] for answer in await Lines(stream).rest()] == [1]
    assert service.ended_subscriptions == 1


async def test_a_vanished_subscriber_is_let_go(tmp_path: Path) -> None:
    _feed, service = fed()
    async with running(tmp_path, service) as server:
        async with await server.connect() as stream:
            await stream.send_all(request("events.subscribe"))
            await Lines(stream).next()
        await until(lambda: not server.server.connections)
    assert service.ended_subscriptions == 1


async def test_drain_tells_what_there_is_and_ends_subscriptions(tmp_path: Path) -> None:
    feed, service = fed()
    async with running(tmp_path, service) as server, await server.connect() as stream:
        lines = Lines(stream)
        await stream.send_all(request("events.subscribe"))
        await lines.next()
        server.server.drain()
        feed.send_nowait([event(1)])
        assert (await lines.next())["params"]["event"]["seq"] == 1
        feed.close()  # as the hub does once it has handed out everything
        await lines.closed()


async def test_drain_is_not_held_up_by_a_subscription(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "WRITE_OUT_S", 0.01)
    _feed, service = fed()
    async with running(tmp_path, service) as server, await server.connect() as stream:
        lines = Lines(stream)
        await stream.send_all(request("events.subscribe"))
        await lines.next()
        server.server.drain()
        await lines.closed()
