"""Clients of the WebSocket that only listen, many in one process, and note how late each event is.

They look for the few fields that they need in the bytes as they come: a client that took each event apart would be what
is measured. Late is the wall clock when an event has been read, less the time written in it, in whole milliseconds.
"""

import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import trio

_EVENT = rb'"seq":(\d+),"type":"message\.received".{1,1500}?"%b":"([^"]*)"'
RECEIVED, COMMITTED = (re.compile(_EVENT % stamp) for stamp in (b"received_at", b"at"))
"""From which time on an event is late: the link's receiving the message, or right before the commit."""

_UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {token}\r\n\r\n"
)
_READ_BYTES = 65_536
_EVENT_MAX_BYTES = 4096


@dataclass
class Heard:
    """What one client has heard: the numbers of the messages' events, and how late each was (milliseconds)."""

    seqs: list[int] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)
    since: re.Pattern[bytes] = RECEIVED
    _rest: bytes = b""

    def take(self, data: bytes) -> None:
        now_ms = time.time() * 1000
        data = self._rest + data
        end = 0
        for found in self.since.finditer(data):
            self.seqs.append(int(found[1]))
            self.late_ms.append(now_ms - datetime.fromisoformat(found[2].decode()).timestamp() * 1000)
            end = found.end()
        self._rest = data[max(end, len(data) - _EVENT_MAX_BYTES) :]

    @property
    def is_whole(self) -> bool:
        """Every number once, in order."""
        return self.seqs == sorted(set(self.seqs))


@asynccontextmanager
async def listening(
    clients: int, port: int, path: str, token: str, since: re.Pattern[bytes] = RECEIVED
) -> AsyncIterator[Sequence[Heard]]:
    """So many clients that listen until the block ends."""
    heard = [Heard(since=since) for _ in range(clients)]
    async with trio.open_nursery() as nursery:
        for each in heard:
            await nursery.start(_listen, port, path, token, each)
        yield heard
        nursery.cancel_scope.cancel()


async def _listen(
    port: int, path: str, token: str, heard: Heard, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    async with opened(port, path, token) as stream:
        task_status.started()
        await listen(stream, heard)


@asynccontextmanager
async def opened(port: int, path: str, token: str) -> AsyncIterator[trio.SocketStream]:
    """A WebSocket after its handshake. Raises ConnectionError where there is none."""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(_UPGRADE.format(path=path, host=f"127.0.0.1:{port}", token=token).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += await stream.receive_some(1)
        if not head.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(f"no WebSocket at {path}: {head.decode(errors='replace')}")
        yield stream


async def listen(stream: trio.SocketStream, heard: Heard) -> None:
    """Until the other side ends it."""
    while data := await stream.receive_some(_READ_BYTES):
        heard.take(bytes(data))


@dataclass(frozen=True)
class Window:
    """What all clients together heard within some seconds."""

    late_ms: list[float]
    events_per_s: float
    """Of one client, on the average."""


async def window(heard: Sequence[Heard], seconds: float) -> Window:
    before = [len(each.late_ms) for each in heard]
    began = trio.current_time()
    await trio.sleep(seconds)
    took_s = trio.current_time() - began
    late = [ms for each, start in zip(heard, before, strict=True) for ms in each.late_ms[start:]]
    return Window(late, len(late) / len(heard) / took_s)
