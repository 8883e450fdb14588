"""What strangers do to an HTTP server: each gets a clear answer, costs little, and leaves nothing behind."""

import json
import socket
from contextlib import suppress

import httpx2
import pytest
import trio
from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from pombal.api import connection, server
from pombal.api.bodies import BodyLimits
from pombal.config.settings import HttpSettings
from tests.api.conftest import Serve, World
from tests.api.hostile import GET_ROOT, WAIT_S, Raw, answer, answers, early, echo, endless, raw, until


def limited(world: World, file_max_bytes: int = 1000, **settings: int | float) -> BodyLimits:
    """The application with a route that takes any body, behind these limits."""
    app: FastAPI = world.app()

    @app.post("/take")
    async def take(request: Request) -> int:
        return len(await request.body())

    @app.post("/json")
    async def take_json(body: dict[str, object]) -> int:
        return len(body)

    return BodyLimits(app, HttpSettings(**settings), file_max_bytes)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _no_long_goodbyes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LINGER_S", 0.1)
    monkeypatch.setattr(server, "TURN_AWAY_S", 0.1)


class TestSlow:
    async def test_headers_that_stop_halfway(self, serving: Serve) -> None:
        async with serving(echo, header_timeout_s=0.1) as served, raw(served.address) as client:
            await client.say(b"GET / HTTP/1.1\r\nHo")
            [(status, body)] = answers(await client.rest())
        assert (status, json.loads(body)["kind"]) == (408, "invalid")

    async def test_headers_drop_by_drop(self, serving: Serve) -> None:
        """The time runs from the first byte: each one buys no more of it."""
        async with serving(echo, header_timeout_s=0.3) as served, raw(served.address) as client:

            async def drip(nursery: trio.Nursery) -> None:
                await client.say(b"GET / HTTP/1.1\r\nX: ")
                while True:
                    await client.say(b"x")
                    await trio.sleep(0.02)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(drip, nursery)
                told = await client.until(b"\r\n\r\n")
                nursery.cancel_scope.cancel()
        assert told.startswith(b"HTTP/1.1 408 ")

    async def test_a_second_request_that_stops_halfway(self, serving: Serve) -> None:
        async with serving(echo, header_timeout_s=0.1) as served, raw(served.address) as client:
            await client.say(GET_ROOT + b"GET /")
            first, second = answers(await client.rest(), [b"GET", b"GET"])
        assert (first, second[0]) == ((200, b""), 408)

    async def test_nothing_at_all(self, serving: Serve) -> None:
        async with serving(echo, keep_alive_s=0.1) as served, raw(served.address) as client:
            assert await client.rest() == b""

    async def test_nothing_after_an_answer(self, serving: Serve) -> None:
        async with serving(echo, keep_alive_s=1) as served, raw(served.address) as client:
            await client.say(GET_ROOT)
            assert answers(await client.rest()) == [(200, b"")]

    async def test_a_body_that_stops_halfway(self, world: World, serving: Serve) -> None:
        app = limited(world, body_timeout_s=0.1)
        async with serving(app) as served, raw(served.address) as client:
            await client.say(b"POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
            [(status, body)] = answers(await client.rest(), [b"POST"])
        assert (status, json.loads(body)["status"]) == (408, 408)

    async def test_a_body_drop_by_drop(self, world: World, serving: Serve) -> None:
        app = limited(world, body_timeout_s=0.2, body_bytes_per_second=1_000_000)
        async with serving(app) as served, raw(served.address) as client:

            async def drip() -> None:
                while True:
                    await client.say(b"x")
                    await trio.sleep(0.02)

            await client.say(b"POST /json HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(drip)
                told = await client.until(b"\r\n\r\n")
                nursery.cancel_scope.cancel()
        assert told.startswith(b"HTTP/1.1 408 ")

    async def test_a_large_body_has_the_time_its_size_needs(self, autojump_clock: object) -> None:
        pieces = 20

        async def slow_line() -> Message:
            nonlocal pieces
            pieces -= 1
            await trio.sleep(1)
            return {"type": "http.request", "body": b"x" * 1000, "more_body": pieces > 0}

        received = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            while True:
                received.append(message := await receive())
                if not message["more_body"]:
                    return

        limits = BodyLimits(app, HttpSettings(body_timeout_s=2, body_bytes_per_second=900), 0)
        await limits({"type": "http", "headers": []}, slow_line, _hears_nothing)
        assert len(received) == 20
        pieces = 20
        limits = BodyLimits(app, HttpSettings(body_timeout_s=2, body_bytes_per_second=1200), 0)
        with pytest.raises(HTTPException, match="too slowly"):
            await limits({"type": "http", "headers": []}, slow_line, _hears_nothing)
        assert limits.held_bytes == 0

    @pytest.mark.parametrize("size", [1, 3_000_000])
    async def test_an_answer_that_nobody_reads(self, serving: Serve, size: int) -> None:
        async with serving(endless(b"x" * size), write_timeout_s=0.1) as served, raw(served.address) as client:
            await client.say(GET_ROOT)
            await client.until(b"\r\n\r\n")
            await until(lambda: served.server.connections == 0)

    @pytest.mark.parametrize("body", [b"", b"x" * 3_000_000])
    async def test_requests_without_end_whose_answers_nobody_reads(self, serving: Serve, body: bytes) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await answer(send, body)

        async with serving(app, write_timeout_s=0.2) as served, raw(served.address) as client:
            with suppress(trio.BrokenResourceError):
                while True:
                    await client.say(GET_ROOT * 100)
            await until(lambda: served.server.connections == 0)


async def _hears_nothing(_: Message) -> None:
    raise AssertionError("nothing was to be said")


class TestTooLarge:
    async def test_a_body_that_says_so(self, world: World, serving: Serve) -> None:
        """It is refused before it is sent."""
        async with serving(limited(world, body_max_bytes=1000)) as served, raw(served.address) as client:
            await client.say(b"POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n")
            [(status, body)] = answers(await client.rest(), [b"POST"])
        assert (status, json.loads(body)["kind"]) == (413, "too_large")

    @pytest.mark.parametrize("path", ["/take", "/json"])
    async def test_a_body_that_does_not(self, world: World, serving: Serve, path: str) -> None:
        async with serving(limited(world, body_max_bytes=1000)) as served, raw(served.address) as client:
            await client.say(f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            await client.say(b"3e9\r\n" + b"x" * 1001 + b"\r\n")
            [(status, body)] = answers(await client.rest(), [b"POST"])
        assert (status, json.loads(body)["kind"]) == (413, "too_large")

    async def test_a_body_of_just_that_size(self, world: World, serving: Serve) -> None:
        async with (
            serving(limited(world, body_max_bytes=1000)) as served,
            httpx2.AsyncClient(base_url=served.url, timeout=WAIT_S) as http,
        ):
            assert (await http.post("/take", content=b"x" * 1000)).json() == 1000

    async def test_a_file_has_a_limit_of_its_own(self, world: World, serving: Serve) -> None:
        app = limited(world, body_max_bytes=1000, file_max_bytes=2_000_000)
        async with serving(app) as served, httpx2.AsyncClient(base_url=served.url, timeout=WAIT_S) as http:
            fits = await http.post("/take", files={"file": b"x" * 2_000_000})
            large = await http.post("/take", files={"file": b"x" * 4_000_000})
        assert (fits.status_code, large.status_code) == (200, 413)

    async def test_too_many_at_once(self, world: World, serving: Serve) -> None:
        """Whoever comes when the memory for bodies is used up is told when to come again; and then gets through."""
        app = limited(world, body_max_bytes=1000, bodies_max_bytes=1000)
        async with serving(app) as served, httpx2.AsyncClient(base_url=served.url, timeout=WAIT_S) as http:
            async with raw(served.address) as client:
                await client.say(b"POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"x" * 999)
                await until(lambda: app.held_bytes == 999)
                refused = await http.post("/take", content=b"xx")
                assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
                assert (await http.post("/take", content=b"x")).status_code == 200
            await until(lambda: app.held_bytes == 0)
            assert (await http.post("/take", content=b"x" * 1000)).status_code == 200

    async def test_a_body_that_goes_on_after_the_answer(self, serving: Serve) -> None:
        async with serving(early) as served:
            for _ in range(3):
                async with raw(served.address) as client:
                    await client.say(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n")
                    with pytest.raises(trio.BrokenResourceError):
                        while True:
                            await client.say(b"x" * 100_000)
            await until(lambda: served.server.connections == 0)

    @pytest.mark.parametrize(
        "head",
        [
            b"GET /" + b"x" * 200_000,
            b"GET / HTTP/1.1\r\n" + b"X-Y: z\r\n" * 30_000,
            b"GET / HTTP/1.1\r\nX: " + b"y" * 200_000,
        ],
    )
    async def test_headers(self, serving: Serve, head: bytes) -> None:
        async with serving(echo) as served, raw(served.address) as client:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_say_what_is_taken, client.stream, head)
                [(status, body)] = answers(await client.rest())
            await until(lambda: served.server.connections == 0)
        assert (status, json.loads(body)["kind"]) == (431, "too_large")


async def _say_what_is_taken(stream: trio.abc.SendStream, data: bytes) -> None:
    try:
        await stream.send_all(data)
    except trio.BrokenResourceError:
        return


class TestGarbage:
    @pytest.mark.parametrize(
        ("said", "status"),
        [
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
            (b"GET\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: x\r\nA b: c\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
            (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\n", 400),
            (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
            (b"GET / HTTP/1.1\r\nHost: \xff\x00\r\n\r\n", 400),
            (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 505),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ],
    )
    async def test_is_refused_as_such(self, serving: Serve, said: bytes, status: int) -> None:
        async with serving(echo) as served, raw(served.address) as client:
            await client.say(said)
            [(told, body)] = answers(await client.rest())
            assert (told, json.loads(body)["status"]) == (status, status)
            await until(lambda: served.server.connections == 0)

    async def test_an_upgrade_to_http_2_is_not_taken(self, serving: Serve) -> None:
        async with serving(echo) as served, raw(served.address) as client:
            await client.say(
                b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n"
            )
            assert answers(await client.rest()) == [(200, b"")]

    async def test_pipelined_requests_are_answered_in_order(self, serving: Serve) -> None:
        async with serving(echo) as served, raw(served.address) as client:
            for body in (b"a", b"b"):
                await client.say(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n" + body)
            await client.say(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\nc")
            assert answers(await client.rest(), [b"POST"] * 3) == [(200, b"a"), (200, b"b"), (200, b"c")]

    async def test_a_client_that_waits_to_be_told_to_go_on(self, serving: Serve) -> None:
        async with serving(echo) as served, raw(served.address) as client:
            await client.say(
                b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n"
            )
            assert (await client.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
            await client.say(b"ok")
            assert answers(await client.rest(), [b"POST"]) == [(200, b"ok")]


class TestMany:
    async def test_one_more_than_may_be_is_told_so(self, serving: Serve) -> None:
        async with serving(echo, max_connections=2) as served:
            async with raw(served.address) as first, raw(served.address) as second:
                for client in (first, second):
                    await client.say(GET_ROOT)
                    await client.until(b"\r\n\r\n")
                async with raw(served.address) as third:
                    [(status, body)] = answers(await third.rest())
                assert (status, json.loads(body)["kind"]) == (503, "unavailable")
                assert "max_connections" in json.loads(body)["detail"]
                await first.say(GET_ROOT)
                assert (await first.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            await until(lambda: served.server.connections == 0)
            async with raw(served.address) as again:
                await again.say(GET_ROOT)
                assert (await again.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")

    async def test_a_crowd_beyond_that_is_closed(self, serving: Serve) -> None:
        async with serving(echo, max_connections=1) as served, raw(served.address) as first:
            await first.say(GET_ROOT)
            await first.until(b"\r\n\r\n")
            crowd = [await trio.open_tcp_stream(*served.address) for _ in range(200)]
            ends = [await _first_words(each) for each in crowd]
            assert set(ends) <= {b"", b"HTTP/1.1 503 "}
            await first.say(GET_ROOT)
            assert (await first.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


async def _first_words(stream: trio.SocketStream) -> bytes:
    try:
        return (await Raw(stream).rest())[:13]
    finally:
        await trio.aclose_forcefully(stream)


class TestHalfOpen:
    async def test_a_client_that_ends_in_the_middle_of_its_request(self, world: World, serving: Serve) -> None:
        async with serving(limited(world)) as served, raw(served.address) as client:
            await client.say(b"POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\nhalf")
            assert isinstance(client.stream, trio.SocketStream)
            await client.stream.send_eof()
            assert not (await client.rest()).startswith(b"HTTP/1.1 2")
            await until(lambda: served.server.connections == 0)

    async def test_a_client_that_resets_in_the_middle_of_its_request(self, world: World, serving: Serve) -> None:
        async with serving(limited(world)) as served:
            async with raw(served.address) as client:
                await client.say(b"POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\nhalf")
                await until(lambda: served.server.connections == 1)
                assert isinstance(client.stream, trio.SocketStream)
                client.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            await until(lambda: served.server.connections == 0)
        assert [code for _, _, code in world.counted] == [400]  # told to nobody, and no fault of ours

    async def test_a_client_that_goes_while_it_is_being_answered(self, serving: Serve) -> None:
        gone = trio.Event()

        async def waits(scope: Scope, receive: Receive, send: Send) -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.set()

        async with serving(waits) as served:
            async with raw(served.address) as client:
                await client.say(GET_ROOT)
                await until(lambda: served.server.connections == 1)
            with trio.fail_after(60):
                await gone.wait()
            await until(lambda: served.server.connections == 0)
