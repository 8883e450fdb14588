"""Clients that read nothing, close their half, or flood, on every door, while others send."""

import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

import psutil  # type: ignore[import-untyped]
import trio

from tests.api.hostile import GET_ROOT
from tests.faults.kinds.kind import Kind
from tests.faults.world import World

DEAF = 20
FLOODS = 2
GROWTH_MAX_BYTES = 128 * 1_048_576


async def inflict(world: World) -> None:
    life = await world.keeper.ready()
    process = psutil.Process(life.running.pid)
    before = process.memory_info().rss
    host, _, port = life.url.removeprefix("http://").rpartition(":")
    over_http = partial(trio.open_tcp_stream, host, int(port))
    over_socket = partial(trio.open_unix_socket, str(world.home.socket))
    subscribe = json.dumps({"id": 1, "method": "events.subscribe", "params": {"after": 0}}).encode() + b"\n"
    async with AsyncExitStack() as open_ones, trio.open_nursery() as nursery:
        deaf = ((over_socket, subscribe), (over_http, _upgrade(world)), (over_http, b"GET / H"))
        for _ in range(DEAF):
            for door, said in deaf:
                stream = await door()
                open_ones.push_async_callback(trio.aclose_forcefully, stream)
                await stream.send_all(said)
        await _half_closed(await over_http(), b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 200")
        await _half_closed(await over_socket(), b'{"id": 1, "method": "daemon.status"}\n', b'"result"')
        for _ in range(FLOODS):
            nursery.start_soon(_flood, over_socket, b"\x00\xff{}\n" * 5000)
            nursery.start_soon(_flood, over_socket, b'{"id": 1, "method": "daemon.status"}\n' * 1000)
            nursery.start_soon(_flood, over_http, b"\x00\xff" * 10_000)
            nursery.start_soon(_flood, over_http, GET_ROOT * 1000)
        await world.ledger.more(60)
        nursery.cancel_scope.cancel()
    grown = process.memory_info().rss - before
    world.check(grown < GROWTH_MAX_BYTES, f"{grown / 1e6:.0f} MB more, after clients that do not read")
    world.check(life.code is None, "it went on")


def _upgrade(world: World) -> bytes:
    target = "/ws/whatsapp/?" + f"token={world.load.token}&after=0"
    return (
        f"GET {target} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode()


async def _half_closed(stream: trio.SocketStream, request: bytes, answer: bytes) -> None:
    """Who has said all there is to say is answered all the same."""
    async with stream:
        await stream.send_all(request)
        await stream.send_eof()
        heard = b""
        with trio.fail_after(60):
            while data := await stream.receive_some(65_536):
                heard += data
    assert answer in heard, heard[:500]


async def _flood(door: Callable[[], Awaitable[trio.SocketStream]], data: bytes) -> None:
    """Until the daemon has had enough, again and again."""
    while True:
        stream = await door()
        try:
            while True:
                await stream.send_all(data)
        except trio.BrokenResourceError:
            await trio.sleep(0.01)
        finally:
            await trio.aclose_forcefully(stream)


KIND = Kind("clients", inflict)
