"""The server over real Unix sockets, with a service that does as it is told."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.lowlevel
from trio.testing import wait_all_tasks_blocked

from pombal.control import connection as connection_module
from pombal.control.connection import PAGES_MAX
from pombal.model.caller import Caller, Role
from pombal.model.errors import Kind, PombalError
from pombal.model.params import SendParams
from pombal.model.results import EventPage, MessagePage
from pombal.service.base import SendReply
from pombal.service.catalog import METHODS
from tests.control.support import (
    FakeService,
    Lines,
    Running,
    answering,
    message,
    raising,
    request,
    running,
    send_request,
    until,
)


async def ask(server: Running, *lines: bytes) -> list[dict[str, Any]]:
    """Write it all, close our side, and read everything."""
    async with await server.connect() as stream:
        await stream.send_all(b"".join(lines))
        await stream.send_eof()
        return await Lines(stream).rest()


async def test_every_request_is_answered_under_its_id(tmp_path: Path) -> None:
    async with running(tmp_path, FakeService()) as server:
        answers = await ask(server, request("daemon.status", "a"), request("daemon.reload", 2))
        assert {answer["id"]: answer["result"]["changed"] for answer in answers} == {
            "a": ["daemon.status"],
            2: ["daemon.reload"],
        }
        assert sorted(server.counted) == [("daemon.reload", "ok"), ("daemon.status", "ok")]


async def test_a_bad_line_is_answered_and_the_connection_goes_on(tmp_path: Path) -> None:
    bad = [b"hello\n", b'{"id": 1}\n', b"\xff\xfe\n", b"[]\n", b"[" * 50_000 + b"\n", request("no.such", 5)]
    async with running(tmp_path, FakeService()) as server, await server.connect() as stream:
        lines = Lines(stream)
        for line in bad:
            await stream.send_all(line)
            assert "error" in await lines.next()
        await stream.send_all(request("daemon.status", 9))
        assert (await lines.next())["id"] == 9
        assert server.counted.count(("unknown", "invalid")) == 5
        assert server.counted[-2:] == [("unknown", "unsupported"), ("daemon.status", "ok")]


async def test_a_notification_is_carried_out_and_not_answered(tmp_path: Path) -> None:
    service = FakeService()
    async with running(tmp_path, service) as server:
        notification = json.dumps({"method": "daemon.reload"}).encode() + b"\n"
        broken = json.dumps({"method": "session.get", "params": {}}).encode() + b"\n"
        answers = await ask(server, notification, broken, request("daemon.status", 1))
        assert [answer["id"] for answer in answers] == [1]
        assert len(service.callers) == 2


async def flood(stream: trio.SocketStream, data: bytes) -> None:
    with pytest.raises(trio.BrokenResourceError):
        await stream.send_all(data)


@pytest.mark.parametrize("end", [b"\n", b""], ids=["ended", "endless"])
async def test_a_line_over_the_limit_is_told_so_and_ends_the_connection(tmp_path: Path, end: bytes) -> None:
    service = FakeService()
    async with running(tmp_path, service) as server, await server.connect() as stream, trio.open_nursery() as nursery:
        nursery.start_soon(flood, stream, send_request(1) + b"x" * 1_400_000 + end + send_request(2) + b"y" * 9_000_000)
        answers = await Lines(stream).rest()
    assert answers[0]["id"] == 1
    assert answers[1]["id"] is None
    assert answers[1]["error"]["data"]["kind"] == "too_large"
    assert len(answers) == 2
    assert len(service.sent) == 1


async def test_half_a_line_at_the_end_is_dropped(tmp_path: Path) -> None:
    service = FakeService()
    async with running(tmp_path, service) as server:
        answers = await ask(server, send_request(1), send_request(2)[:-5])
    assert [answer["id"] for answer in answers] == [1]
    assert len(service.sent) == 1


async def test_a_thousand_sends_in_one_write_keep_their_order(tmp_path: Path) -> None:
    service = FakeService()
    async with running(tmp_path, service) as server:
        answers = await ask(server, *(send_request(number, f"text {number}") for number in range(1000)))
    assert [send.text for send in service.sent] == [f"text {number}" for number in range(1000)]
    assert [answer["id"] for answer in answers] == list(range(1000))
    assert answers[7]["result"]["text_content"] == "text 7"


async def test_sends_that_come_together_get_their_places_together_and_before_what_is_asked_behind_them(
    tmp_path: Path,
) -> None:
    class Asked(FakeService):
        async def call(self, method: str, params: Any, caller: Caller) -> Any:
            seen.append(list(self.placed))
            return await super().call(method, params, caller)

    seen: list[list[int]] = []
    service = Asked(hold=True)
    async with running(tmp_path, service) as server, await server.connect() as stream:
        await stream.send_all(
            send_request(1) + send_request(2) + request("daemon.status", 3) + send_request(4) + send_request(5)
        )
        await until(lambda: len(service.sent) == 4)
        assert (await Lines(stream).next())["id"] == 3
    assert service.placed == [2, 2]
    assert seen[0][0] == 2


async def test_sends_that_fill_the_window_get_their_places_all_the_same(tmp_path: Path) -> None:
    service = FakeService()
    async with running(tmp_path, service, max_in_flight=3) as server:
        answers = await ask(server, *(send_request(number) for number in range(10)))
    assert [answer["id"] for answer in answers] == list(range(10))
    assert max(service.placed) == 3


async def test_a_thousand_other_requests_in_one_write_are_all_answered(tmp_path: Path) -> None:
    async with running(tmp_path, FakeService()) as server:
        answers = await ask(server, *(request("session.get", number, name="a") for number in range(1000)))
    assert sorted(answer["id"] for answer in answers) == list(range(1000))


async def test_a_send_is_answered_only_after_its_commit_and_others_overtake_it(tmp_path: Path) -> None:
    service = FakeService(hold=True)
    async with running(tmp_path, service) as server, await server.connect() as stream:
        lines = Lines(stream)
        await stream.send_all(send_request(1) + request("daemon.status", 2))
        assert (await lines.next())["id"] == 2
        service.commit()
        assert (await lines.next())["id"] == 1


async def test_a_refused_send_is_answered_be_it_before_or_after_its_place(tmp_path: Path) -> None:
    class Refusing(FakeService):
        def refuse(self, params: SendParams) -> None:
            if params.text == "now":
                raise PombalError(Kind.NOT_READY, "it is stopped", session="suporte")
            if params.text == "crash":
                raise RuntimeError("secret text")

        def take(self, params: SendParams, reply: SendReply) -> None:
            reply(PombalError(Kind.CONFLICT, "other content"))

    async with running(tmp_path, Refusing()) as server:
        answers = await ask(server, *(send_request(i, text) for i, text in enumerate(["now", "later", "crash"])))
    kinds = {answer["id"]: answer["error"]["data"]["kind"] for answer in answers}
    assert kinds == {0: "not_ready", 1: "conflict", 2: "crashed"}
    assert "secret" not in json.dumps(answers)
    assert sorted(server.counted) == [("message.send", kind) for kind in ("conflict", "crashed", "not_ready")]


async def test_a_crash_in_one_request_leaves_the_others_alone(tmp_path: Path) -> None:
    service = FakeService(
        handlers={"session.get": raising(RuntimeError("boom")), "session.list": raising(ValueError())}
    )
    async with running(tmp_path, service) as server:
        answers = await ask(server, request("session.get", 1, name="a"), request("daemon.status", 2))
        assert {answer["id"]: answer.get("error", {}).get("code") for answer in answers} == {1: -32603, 2: None}
        assert (await ask(server, request("daemon.status", 3)))[0]["id"] == 3


async def test_a_result_that_cannot_be_encoded_is_a_crash_of_that_request(tmp_path: Path) -> None:
    page = EventPage(results=[{"text": "\ud800"}], last_seq=1, log_id="x")
    async with running(tmp_path, FakeService(handlers={"events.list": answering(page)})) as server:
        answers = await ask(server, request("events.list", 1))
    assert answers[0]["error"]["data"]["kind"] == "crashed"


async def test_what_is_in_flight_when_the_client_closes_its_side_is_answered(tmp_path: Path) -> None:
    service = FakeService(hold=True)
    async with running(tmp_path, service) as server, await server.connect() as stream:
        await stream.send_all(send_request(1) + send_request(2))
        await stream.send_eof()
        await until(lambda: len(service.uncommitted) >= 2)
        service.commit()
        assert [answer["id"] for answer in await Lines(stream).rest()] == [1, 2]


async def test_a_client_that_vanishes_leaves_what_it_asked_for_to_be_done(tmp_path: Path) -> None:
    service = FakeService(hold=True)
    async with running(tmp_path, service) as server:
        async with await server.connect() as stream:
            await stream.send_all(b"".join(send_request(number) for number in range(50)))
            await until(lambda: len(service.uncommitted) >= 50)
        service.commit()
        await until(lambda: not server.server.connections)
        assert len(await ask(server, request("daemon.status"))) == 1


async def test_a_client_that_never_reads_stops_being_read(tmp_path: Path) -> None:
    """Its answers fill the socket and then the bound; what it asks beyond waits in its own process."""
    big = MessagePage(results=[message(1, "x" * 50_000)], next=None, last_seq=1)
    service = FakeService(handlers={"message.list": answering(big)})
    async with (
        running(tmp_path, service, max_in_flight=100) as server,
        await server.connect() as stuck,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(stuck.send_all, b"".join(request("message.list", number) for number in range(20_000)))
        await wait_all_tasks_blocked(0.05)
        # Written to the socket's buffer before it was full, then as many as may wait for their answers to be written.
        assert 0 < len(service.callers) < 150
        assert len(await ask(server, request("daemon.status"))) == 1
        nursery.cancel_scope.cancel()


async def test_answers_unwritten_are_bounded_in_bytes_too(tmp_path: Path) -> None:
    big = MessagePage(results=[message(1, "x" * 1_000_000)], next=None, last_seq=1)
    service = FakeService(handlers={"message.list": answering(big)})
    async with running(tmp_path, service) as server, await server.connect() as stuck:
        await stuck.send_all(b"".join(request("message.list", number) for number in range(100)))
        await wait_all_tasks_blocked(0.05)
        assert PAGES_MAX <= len(service.callers) <= PAGES_MAX + 8
        answers = await Lines(stuck).take(100)
    assert sorted(answer["id"] for answer in answers) == list(range(100))


async def test_one_connection_too_many_is_told_so(tmp_path: Path) -> None:
    async with running(tmp_path, FakeService(), max_connections=2) as server:
        first, second = await server.connect(), await server.connect()
        for stream in (first, second):
            await stream.send_all(request("daemon.status"))
            await Lines(stream).next()
        async with await server.connect() as third:
            said = await Lines(third).rest()
        assert [answer["error"]["data"]["kind"] for answer in said] == ["unavailable"]
        assert "too many connections" in said[0]["error"]["message"]
        await first.aclose()
        await until(lambda: server.server.connections == 1)
        assert len(await ask(server, request("daemon.status"))) == 1
        await second.aclose()


async def test_a_stranger_is_told_so_and_turned_away(tmp_path: Path) -> None:
    service = FakeService()
    stranger = PombalError(Kind.FORBIDDEN, "not you")
    async with running(tmp_path, service, error=stranger) as server, await server.connect() as stream:
        said = await Lines(stream).rest()
    assert [(answer["id"], answer["error"]["data"]["kind"]) for answer in said] == [(None, "forbidden")]
    assert not service.callers


MINIMAL: dict[str, dict[str, Any]] = {
    "session.create": {"name": "a"},
    "session.update": {"name": "a", "owner": "b"},
    "session.pair_code": {"name": "a", "phone_number": "5511999999999"},
    "message.send": {"session": "a", "to": "5511999999999", "text": "oi"},
    "message.get": {"id": 1},
    "message.mark_read": {"session": "a", "message_ids": ["m"]},
    "chat.list": {"session": "a"},
    "message.cancel": {"session": "a", "message_id": "m"},
    "message.resend": {"session": "a", "message_id": "m"},
    "contact.check": {"session": "a", "numbers": ["5511999999999"]},
    "contact.export": {"number": "5511999999999"},
    "contact.export_chunk": {"export": "x"},
    "contact.erase": {"number": "5511999999999"},
    "contact.erasure": {"erasure": "x"},
    "events.unsubscribe": {"subscription": "1"},
    "media.put": {"data": "", "sha256": "0" * 64},
    "media.get": {"sha256": "0" * 64},
    "token.create": {"owner": "ana"},
    "simulator.inject": {"name": "a", "from": "5511999999999"},
    "simulator.fault": {"name": "a", "kind": "crash"},
}
READABLE = {
    "daemon.status", "daemon.actors", "daemon.internals", "session.figures", "chat.list", "latency.series",
    "session.get", "session.list", "session.metrics", "message.get", "message.list", "message.high_latency",
    "contact.check", "latency.stats", "events.subscribe", "events.unsubscribe", "events.list", "media.get",
}  # fmt: skip


def minimal(method: str) -> dict[str, Any]:
    by_name = {"name": "a"} if "name" in METHODS[method].params.model_fields else {}
    return MINIMAL.get(method, by_name)


async def test_a_reader_may_look_and_nothing_else(tmp_path: Path) -> None:
    send, receive = trio.open_memory_channel[Any](0)
    service = FakeService(feed=receive)
    send.close()
    kinds: dict[str, str | None] = {}
    async with running(tmp_path, service, role=Role.READER) as server:
        for method in METHODS:
            answer = (await ask(server, request(method, 1, **minimal(method))))[0]
            kinds[method] = answer.get("error", {}).get("data", {}).get("kind")
    assert {method for method, kind in kinds.items() if kind == "forbidden"} == METHODS.keys() - READABLE
    assert {kind for method, kind in kinds.items() if method in READABLE} == {None, "not_found"}
    assert kinds["events.unsubscribe"] == "not_found"
    assert not service.sent


@pytest.mark.parametrize(("role", "code"), [(Role.READER, None), (Role.ADMIN, "2@abc")])
async def test_a_reader_finds_no_code_in_the_event_log(tmp_path: Path, role: Role, code: str | None) -> None:
    qr = {"seq": 1, "type": "session.qr", "data": {"code": "2@abc", "expires_at": None}}
    other = {"seq": 2, "type": "session.status", "data": {"status": "ready"}}
    page = EventPage(results=[qr, other], last_seq=2, log_id="x")
    async with running(tmp_path, FakeService(handlers={"events.list": answering(page)}), role=role) as server:
        found = (await ask(server, request("events.list")))[0]["result"]["results"]
    assert found == [qr | {"data": {"code": code, "expires_at": None}}, other]


async def test_drain_answers_what_is_in_flight_and_accepts_no_more(tmp_path: Path) -> None:
    service = FakeService(hold=True)
    async with running(tmp_path, service) as server, await server.connect() as busy, await server.connect() as idle:
        await busy.send_all(send_request(1))
        await idle.send_all(request("daemon.status"))
        idle_lines = Lines(idle)
        await idle_lines.next()
        await until(lambda: service.uncommitted)
        server.server.drain()
        await idle_lines.closed()
        with pytest.raises(OSError, match="refused"):
            await server.connect()
        service.commit()
        assert [answer["id"] for answer in await Lines(busy).rest()] == [1]


async def test_drain_refuses_what_has_come_but_not_begun(tmp_path: Path) -> None:
    class Slow(FakeService):
        gate = trio.Event()
        entered = trio.Event()

        async def room(self) -> None:
            self.entered.set()
            await self.gate.wait()

    service = Slow()
    async with running(tmp_path, service) as server, await server.connect() as stream:
        await stream.send_all(send_request(1) + request("daemon.status", 2))
        await service.entered.wait()
        server.server.drain()
        service.gate.set()
        answers = await Lines(stream).rest()
    assert "result" in answers[0]
    assert answers[1]["error"]["data"]["kind"] == "shutting_down"


async def test_drain_is_not_held_up_by_a_client_that_never_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "WRITE_OUT_S", 0.01)
    big = MessagePage(results=[message(1, "x" * 500_000)], next=None, last_seq=1)
    service = FakeService(handlers={"message.list": answering(big)})
    async with running(tmp_path, service, max_in_flight=20) as server, await server.connect() as stuck:
        await stuck.send_all(b"".join(request("message.list", number) for number in range(100)))
        await until(lambda: len(service.callers) >= PAGES_MAX)
        server.server.drain()
        await until(lambda: not server.server.connections)


async def test_connections_come_and_go_without_a_trace(tmp_path: Path) -> None:
    async with running(tmp_path, FakeService()) as server:

        async def visit() -> None:
            await ask(server, request("daemon.status"))
            await until(lambda: not server.server.connections)

        await visit()
        before = len(os.listdir("/proc/self/fd")), trio.lowlevel.current_statistics().tasks_living
        for _ in range(100):
            await visit()
        assert (len(os.listdir("/proc/self/fd")), trio.lowlevel.current_statistics().tasks_living) == before
