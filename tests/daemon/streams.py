"""Clients of the event streams over HTTP, and the tokens they come with."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

import h11
import httpx2
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from pombal.control.client import Client
from tests.daemon.harness import WAIT_S, Life

STREAM_PATH = "/api/v1/events/stream/"
LIVES_S = (2, 4, 8, 16, 32)
"""Of tokens that are to expire under a stream: the next, where a busy machine took as long to open it."""
Frame = dict[str, Any]


async def token_for(client: Client, owner: str, role: str = "user") -> str:
    """Good for a day: a suite on a busy machine may take its time."""
    return (await client.token_create(owner, role=role, expires_s=86_400)).token


def address(daemon: Life, **query: Any) -> str:
    return daemon.url.replace("http", "ws", 1) + "/ws/whatsapp/?" + urlencode(query)


class Socket:
    """A WebSocket whose frames are JSON."""

    def __init__(self, connection: WebSocketConnection) -> None:
        self._connection = connection

    async def frame(self) -> Frame:
        with trio.fail_after(WAIT_S):
            found: Frame = json.loads(await self._connection.get_message())
            return found

    async def is_greeted(self) -> bool:
        """Whether the first frame is a greeting; else it was closed before."""
        try:
            return bool((await self.frame())["type"] == "hello")
        except ConnectionClosed:
            return False

    async def event(self) -> Frame:
        """The next frame that answers nothing."""
        while (frame := await self.frame())["type"] in ("result", "error"):
            pass
        return frame

    async def events(self, upto: int) -> list[Frame]:
        """Frame by frame, up to the event with that number."""
        found = [await self.event()]
        while found[-1]["seq"] < upto:
            found.append(await self.event())
        return found

    async def batches(self, upto: int) -> list[list[Frame]]:
        """The same, of frames that hold several."""
        found: list[list[Frame]] = []
        while not found or found[-1][-1]["seq"] < upto:
            frame = await self.frame()
            assert frame["type"] == "events"
            found.append(frame["events"])
        return found

    async def ask(self, command: dict[str, Any]) -> Frame:
        """A command, and its answer."""
        await self.say(json.dumps(command))
        return await self.answer()

    async def answer(self) -> Frame:
        """The next frame that answers a command; events in between are left out."""
        while (frame := await self.frame())["type"] not in ("result", "error"):
            pass
        return frame

    async def say(self, data: str | bytes) -> None:
        await self._connection.send_message(data)

    async def closed(self) -> tuple[int, str]:
        """Why it was closed, once it has been."""
        with trio.fail_after(WAIT_S):
            try:
                while True:
                    await self._connection.get_message()
            except ConnectionClosed as error:
                reason = error.reason
        assert reason is not None
        return reason.code, reason.reason or ""


@asynccontextmanager
async def open_socket(url: str, headers: dict[str, str] | None = None) -> AsyncIterator[Socket]:
    """Before its first frame."""
    extra = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    parts = urlsplit(url)
    stream = await trio.open_tcp_stream(parts.hostname or "", parts.port or 80)
    try:
        async with trio.open_nursery() as nursery:
            connection = await wrap_client_stream(
                nursery, stream, parts.netloc, f"{parts.path}?{parts.query}",
                extra_headers=extra, max_message_size=16_777_216,
            )  # fmt: skip
            yield Socket(connection)
            nursery.cancel_scope.cancel()  # no goodbye: trio-websocket fails where a ping meets its close
    finally:
        await trio.aclose_forcefully(stream)  # trio-websocket leaves that open where the server closes


@asynccontextmanager
async def listening(daemon: Life, token: str, **query: Any) -> AsyncIterator[tuple[Socket, Frame]]:
    """(a client that has been greeted, the greeting)."""
    async with open_socket(address(daemon, token=token, **query)) as client:
        hello = await client.frame()
        assert hello["type"] == "hello"
        yield client, hello


async def refused(url: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    """The close code and reason of a client that does not get as far as a greeting."""
    async with open_socket(url, headers) as client:
        return await client.closed()


async def denied(
    daemon: Life, headers: dict[str, str], *, path: str = "/ws/whatsapp/", **query: Any
) -> httpx2.Response:
    """The answer to a handshake that is refused as HTTP."""
    upgrade = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }  # fmt: skip
    async with httpx2.AsyncClient(base_url=daemon.url, timeout=WAIT_S) as http:
        return await http.get(path, params=query, headers=upgrade | headers)


@asynccontextmanager
async def event_source(
    daemon: Life, bearer: str | None, headers: dict[str, str] | None = None, **query: Any
) -> AsyncIterator["Source"]:
    """An EventSource that has its answer's head."""
    url = urlsplit(daemon.url)
    authorization = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
    stream = await trio.open_tcp_stream(url.hostname or "", url.port or 80)
    try:
        source = Source(stream)
        await source.ask(f"{STREAM_PATH}?{urlencode(query)}", {"Host": url.netloc} | authorization | (headers or {}))
        yield source
    finally:
        await trio.aclose_forcefully(stream)


class Source:
    """Reads what is between two empty lines. httpx2 would leave an async generator behind for each that is left."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._http = h11.Connection(h11.CLIENT)
        self._unread = b""
        self.status = 0
        self.headers: dict[str, str] = {}

    async def ask(self, target: str, headers: dict[str, str]) -> None:
        request = h11.Request(method="GET", target=target, headers=list(headers.items()))
        for event in (request, h11.EndOfMessage()):
            await self._stream.send_all(self._http.send(event) or b"")
        response = await self._next()
        assert isinstance(response, h11.Response)
        self.status = response.status_code
        self.headers = {name.decode(): value.decode() for name, value in response.headers}

    async def block(self) -> list[str] | None:
        """The lines of the next block, a comment's too; None at the end."""
        while b"\n\n" not in self._unread:
            event = await self._next()
            if not isinstance(event, h11.Data):
                assert isinstance(event, h11.EndOfMessage)
                return None
            self._unread += bytes(event.data)
        block, _, self._unread = self._unread.partition(b"\n\n")
        return block.decode().split("\n")

    async def event(self) -> tuple[int, Frame] | None:
        """(id, event); None at the end."""
        while (lines := await self.block()) is not None:
            fields = dict(line.split(": ", 1) for line in lines if ": " in line)
            if "data" in fields:
                return int(fields["id"]), json.loads(fields["data"])
        return None

    async def _next(self) -> Any:
        with trio.fail_after(WAIT_S):
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._http.receive_data(bytes(await self._stream.receive_some(65_536)))
        return event
