"""Applications to attack, and a client that says exactly what it is told to."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress

import h11
import trio
from starlette.types import ASGIApp, Receive, Scope, Send

WAIT_S = 60.0

GET_ROOT = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    with trio.fail_after(WAIT_S):
        while not condition():  # noqa: ASYNC110  # of many different things, none of which tells
            await trio.sleep(0.005)


class Raw:
    """A TCP connection; what is read is kept until somebody asks for it."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.heard = b""

    async def say(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def rest(self) -> bytes:
        """Everything up to the end of the connection, however it ends."""
        with trio.fail_after(WAIT_S), suppress(trio.BrokenResourceError):
            while data := await self.stream.receive_some(65_536):
                self.heard += data
        return self.heard

    async def until(self, part: bytes) -> bytes:
        """Everything up to part; the rest is kept."""
        with trio.fail_after(WAIT_S):
            while part not in self.heard:
                data = await self.stream.receive_some(65_536)
                assert data, f"ended after {self.heard!r}"
                self.heard += data
        told, found, self.heard = self.heard.partition(part)
        return told + found

    async def frame(self) -> tuple[int, bytes]:
        """The next WebSocket frame: (opcode, payload)."""
        first, second = await self._bytes(2)
        size = second & 0x7F
        if size >= 126:
            size = int.from_bytes(await self._bytes(2 if size == 126 else 8))
        return first & 0x0F, await self._bytes(size)

    async def _bytes(self, count: int) -> bytes:
        with trio.fail_after(WAIT_S):
            while len(self.heard) < count:
                data = await self.stream.receive_some(65_536)
                assert data, "the connection ended"
                self.heard += data
        taken, self.heard = self.heard[:count], self.heard[count:]
        return taken


@asynccontextmanager
async def raw(address: tuple[str, int]) -> AsyncIterator[Raw]:
    stream = await trio.open_tcp_stream(*address)
    try:
        yield Raw(stream)
    finally:
        await trio.aclose_forcefully(stream)


@asynccontextmanager
async def websocket(address: tuple[str, int], more: bytes = b"") -> AsyncIterator[Raw]:
    """A connection whose handshake is done."""
    async with raw(address) as client:
        await client.say(UPGRADE + more + b"\r\n")
        assert (await client.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        yield client


def answers(data: bytes, methods: Iterable[bytes] = (b"GET",)) -> list[tuple[int, bytes]]:
    """The answers in data, as (status, body)."""
    found = []
    connection = h11.Connection(h11.CLIENT)
    connection.receive_data(data)
    connection.receive_data(b"")
    for method in methods:
        connection.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
        connection.send(h11.EndOfMessage())
        status, body = 0, b""
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
        found.append((status, body))
        if connection.our_state is h11.DONE and connection.their_state is h11.DONE:
            connection.start_next_cycle()
    return found


def frame(payload: bytes, opcode: int = 1, *, final: bool = True, masked: bool = True, bits: int = 0) -> bytes:
    """A client's frame; its mask is zero, which is a mask as well."""
    first = (0x80 if final else 0) | bits | opcode
    size = len(payload)
    mask = 0x80 if masked else 0
    if size < 126:
        head = bytes((first, mask | size))
    elif size < 65_536:
        head = bytes((first, mask | 126)) + size.to_bytes(2)
    else:
        head = bytes((first, mask | 127)) + size.to_bytes(8)
    return head + (b"\0\0\0\0" if masked else b"") + payload


async def early(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers before it has read anything, and never reads."""
    await answer(send, b"early")


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """The body of a request, or each frame of a WebSocket, back."""
    if scope["type"] == "websocket":
        await echo_frames(receive, send)
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    await answer(send, body)


async def echo_frames(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        if message["text"] == "close":
            await send({"type": "websocket.close", "code": 4000, "reason": "as you say"})
            return
        await send({"type": "websocket.send", "text": message["text"], "bytes": message["bytes"]})


async def answer(send: Send, body: bytes, status: int = 200) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def endless(chunk: bytes) -> ASGIApp:
    """An answer that does not end."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})

    return app
