"""Events: over Server-Sent Events and over the WebSocket, on and on, from where one was."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
import trio
from trio_websocket import WebSocketConnection, WebSocketRequest, serve_websocket

from pombal.http_client import ApiError, AsyncClient, Event
from pombal.http_client import following as following_module
from pombal.http_client.following import Backoff, Cursor
from pombal.http_client.websocket import TOO_MANY_PAUSE_S
from tests.cli import objects
from tests.http_client.conftest import Script, client, problem

WAIT_S = 60.0
HELLO = {"type": "hello", "log_id": "L1", "last_seq": 7}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following_module, "FIRST_S", 0.002)
    monkeypatch.setattr(following_module, "MAX_S", 0.002)


def told(seq: int) -> dict[str, Any]:
    return objects.event(seq, "message.received", {"id": seq})


def taken(cursor: Cursor, *frames: Any) -> list[int]:
    return [event.seq for frame in frames for event in cursor.take(json.dumps(frame))]


class TestCursor:
    def test_from_now_goes_on_from_where_the_log_ended_at_first(self) -> None:
        cursor = Cursor(None, None, ("suporte", "vendas"), ("message.received",))
        assert cursor.query() == {"session": "suporte,vendas", "types": "message.received"}
        assert taken(cursor, HELLO) == []
        assert cursor.query() == {
            "after": "7", "log_id": "L1", "session": "suporte,vendas", "types": "message.received",
        }  # fmt: skip

    def test_from_the_beginning_is_not_from_now(self) -> None:
        cursor = Cursor(0, None, (), ())
        assert taken(cursor, HELLO) == []
        assert cursor.query() == {"after": "0", "log_id": "L1"}

    def test_events_alone_and_in_batches_and_what_is_none(self) -> None:
        cursor = Cursor(0, None, (), ())
        frames = [told(1), {"type": "events", "events": [told(2), told(3)]}, {"type": "cursor", "seq": 9},
                  {"type": "result", "ref": 1}]  # fmt: skip
        assert taken(cursor, *frames) == [1, 2, 3]
        assert cursor.after == 9

    def test_a_gap_is_an_event(self) -> None:
        (gap,) = Cursor(3, "L0", (), ()).take(json.dumps({"type": "gap", "seq": 8, "data": {"from": 4, "to": 8}}))
        assert gap == Event(8, "gap", {"from": 4, "to": 8})

    def test_a_token_that_expired_is_asked_for_once_more(self) -> None:
        backoff = Backoff()
        expired = ApiError(401, "unauthorized", "")
        assert [backoff.helps(expired), backoff.helps(expired)] == [True, False]
        backoff.reset()
        assert backoff.helps(expired)
        assert not backoff.helps(ApiError(403, "forbidden", ""))
        assert backoff.helps(ApiError(503, "shutting_down", ""))

    def test_it_waits_for_as_long_as_it_was_told_to(self) -> None:
        backoff = Backoff()
        assert backoff.next_s(7.0) == 7.0
        assert backoff.next_s(None) < 7.0


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """For how long the daemon asked to wait, each time; nobody waits."""
    asked: list[float | None] = []

    def next_s(_: Backoff, asked_for_s: float | None = None) -> float:
        asked.append(asked_for_s)
        return 0.0

    monkeypatch.setattr(Backoff, "next_s", next_s)
    return asked


LOG = httpx2.Response(200, json={"results": [], "next": None, "last_seq": 7, "log_id": "L1"})


def sent(*frames: dict[str, Any]) -> httpx2.Response:
    """A stream that ends behind these."""
    body = ": hi\n\n" + "".join(f"id: {frame.get('seq', '')}\ndata: {json.dumps(frame)}\n\n" for frame in frames)
    return httpx2.Response(200, content=body.encode(), headers={"content-type": "text/event-stream"})


class TestServerSentEvents:
    def test_goes_on_over_lost_connections_with_nothing_lost_or_twice(self) -> None:
        script = Script(
            LOG, httpx2.ReadError("broken"), sent(told(8), told(9)), httpx2.ReadError("broken"),
            problem(503, "shutting_down"), sent(told(10), {"type": "cursor", "seq": 20}), sent(told(21)),
        )  # fmt: skip
        events = client(script).events()
        assert [next(events).seq for _ in range(4)] == [8, 9, 10, 21]
        streams = script.asked[1:]
        assert [asked.query.get("after") for asked in streams] == ["7", "7", "9", "9", "9", "20"]
        assert {asked.query.get("log_id") for asked in streams} == {"L1"}
        assert streams[0].headers["accept"] == "text/event-stream"

    def test_after_a_gap_it_asks_anew_which_log_it_is(self) -> None:
        gap = {"type": "gap", "seq": 3, "data": {"from": 1, "to": 3}}
        other = httpx2.Response(200, json={"results": [], "last_seq": 3, "log_id": "L2"})
        script = Script(sent(gap), other, sent(told(4)))
        events = client(script).events(after=9, log_id="L1")
        assert [next(events).seq for _ in range(2)] == [3, 4]
        assert script.asked[-1].query == {"after": "3", "log_id": "L2"}

    def test_too_many_requests_and_a_daemon_that_is_away_behind_its_proxy_are_waited_for(
        self, pauses: list[float | None]
    ) -> None:
        script = Script(
            problem(429, "rate_limited", retry_after="7"), httpx2.Response(502, text="Bad Gateway"), sent(told(1))
        )
        assert next(client(script).events(after=0, log_id="L1")).seq == 1
        assert pauses == [7.0, None]

    def test_a_refusal_ends_it(self) -> None:
        with pytest.raises(ApiError, match="403"):
            next(client(Script(problem(403, "forbidden"))).events(after=0))

    def test_an_expired_token_is_replaced(self) -> None:
        script = Script(problem(401, "unauthorized"), sent(told(1)), problem(401, "unauthorized"))
        tokens = iter(["old", "new", "old", "old"])
        events = client(script, lambda: next(tokens)).events(after=0, log_id="L1")
        assert next(events).seq == 1
        with pytest.raises(ApiError, match="401"):
            next(events)
        assert script.asked[1].headers["authorization"] == "Bearer new"


Handler = Callable[[WebSocketConnection, dict[str, str]], Awaitable[None]]


@asynccontextmanager
async def served(*handlers: Handler) -> AsyncIterator[tuple[str, list[dict[str, str]]]]:
    """A server of as many connections, one handler each; its URL, and what was asked for."""
    waiting, asked = list(handlers), list[dict[str, str]]()

    async def handle(request: WebSocketRequest) -> None:
        query = dict(parse_qsl(urlsplit(request.path).query))
        asked.append(query | {name.decode().lower(): value.decode() for name, value in request.headers})
        handler = waiting.pop(0)
        if handler is reject:
            await request.reject(401, body=json.dumps({"kind": "unauthorized", "detail": "who are you"}).encode())
            return
        await handler(await request.accept(), query)

    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(serve_websocket, handle, "127.0.0.1", 0, ssl_context=None))
        yield f"http://127.0.0.1:{server.port}", asked
        nursery.cancel_scope.cancel()


async def reject(socket: WebSocketConnection, query: dict[str, str]) -> None:
    raise AssertionError("it is refused before")


def tells(*frames: dict[str, Any], code: int | None = 1001) -> Handler:
    async def handler(socket: WebSocketConnection, query: dict[str, str]) -> None:
        for frame in frames:
            await socket.send_message(json.dumps(frame))
        if code is None:
            await trio.sleep_forever()
        await socket.aclose(code, "bye")

    return handler


async def first(client: AsyncClient, count: int, **wanted: Any) -> list[int]:
    with trio.fail_after(WAIT_S):
        async with client.events(**wanted) as events:
            return [(await anext(events)).seq for _ in range(count)]


class TestWebSocket:
    async def test_goes_on_over_lost_connections_with_nothing_lost_or_twice(self) -> None:
        handlers = (
            tells(HELLO, {"type": "events", "events": [told(8), told(9)]}),
            tells(HELLO, code=1011),
            tells(HELLO, told(10), {"type": "cursor", "seq": 20}),
            tells(HELLO, told(21), code=None),
        )
        async with served(*handlers) as (url, asked), AsyncClient(url, "T") as pombal:
            assert await first(pombal, 4, sessions=("suporte",)) == [8, 9, 10, 21]
        assert [each.get("after") for each in asked] == [None, "9", "9", "20"]
        assert {each["session"] for each in asked} == {"suporte"}
        assert {each["authorization"] for each in asked} == {"Bearer T"}

    async def test_a_daemon_that_is_away_is_waited_for(self) -> None:
        listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
        port = listener.socket.getsockname()[1]
        await listener.aclose()
        has_seen = trio.Event()

        async def follow() -> None:
            async with AsyncClient(f"http://127.0.0.1:{port}", "T") as pombal:
                assert await first(pombal, 1) == [1]
            has_seen.set()

        async def handle(request: WebSocketRequest) -> None:
            await tells(told(1), code=None)(await request.accept(), {})

        with trio.fail_after(WAIT_S):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(follow)
                await trio.testing.wait_all_tasks_blocked()
                async with trio.open_nursery() as server:
                    server.start_soon(partial(serve_websocket, handle, "127.0.0.1", port, ssl_context=None))
                    await has_seen.wait()
                    server.cancel_scope.cancel()

    async def test_a_bad_request_does_not_get_better_by_being_repeated(self) -> None:
        async with served(tells(code=4400)) as (url, asked), AsyncClient(url, "T") as pombal:
            with pytest.raises(ApiError, match="422 invalid: bye"):
                await first(pombal, 1)
        assert len(asked) == 1

    async def test_too_many_streams_or_requests_are_waited_for(self, pauses: list[float | None]) -> None:
        async with (
            served(tells(code=4429), tells(HELLO, told(8), code=None)) as (url, _),
            AsyncClient(url, "T") as pombal,
        ):
            assert await first(pombal, 1) == [8]
        assert pauses == [TOO_MANY_PAUSE_S]

    async def test_a_refusal_reaches_whoever_iterates(self) -> None:
        async with served(reject, reject) as (url, _), AsyncClient(url, "T") as pombal:
            with pytest.raises(ApiError, match="who are you") as caught:
                await first(pombal, 1)
        assert caught.value.kind == "unauthorized"

    async def test_an_expired_token_is_replaced(self) -> None:
        tokens = iter(["old", "new"])
        handlers = (tells(HELLO, code=4401), tells(HELLO, told(8), code=None))
        async with served(*handlers) as (url, asked), AsyncClient(url, lambda: next(tokens)) as pombal:
            assert await first(pombal, 1) == [8]
        assert [each["authorization"] for each in asked] == ["Bearer old", "Bearer new"]

    async def test_what_its_user_raises_comes_out_as_it_is(self) -> None:
        async with served(tells(HELLO, told(8), code=None)) as (url, _), AsyncClient(url, "T") as pombal:
            with pytest.raises(ZeroDivisionError):
                async with pombal.events() as events:
                    async for event in events:
                        raise ZeroDivisionError(event.seq)

    async def test_a_reader_that_takes_its_time_holds_nothing_in_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It reads on only when it is read from; the rest waits at the daemon."""
        monkeypatch.setattr("pombal.http_client.websocket.EVENTS_WAITING", 5)
        sent_frames = 0

        async def pour(socket: WebSocketConnection, query: dict[str, str]) -> None:
            nonlocal sent_frames
            while True:
                await socket.send_message(json.dumps(told(sent_frames + 1) | {"data": {"pad": "x" * 100_000}}))
                sent_frames += 1

        async with served(pour) as (url, _), AsyncClient(url, "T") as pombal:
            with trio.fail_after(WAIT_S):
                async with pombal.events(after=0) as events:
                    first_one = await anext(events)
                    before = -1
                    while before != sent_frames:  # until it is held back
                        before = sent_frames
                        await trio.sleep(0.2)
                    assert sent_frames < 1000
                    more = [await anext(events) for _ in range(sent_frames + 20)]
        assert [event.seq for event in (first_one, *more)] == list(range(1, len(more) + 2))
