"""A gateway as a process, met as a daemon meets it: over its socket, through the protocol's own codec."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from pombal.link.base import Delivery, LinkEvent
from pombal.link.wire import DaemonEnd, WireError
from pombal.link.wire import frames as wire
from pombal.link.wire.commands import Command, GetMedia, PutMedia, Result
from pombal.link.wire.daemon_end import Answered, Declined
from pombal.link.wire.limits import CHUNK_MAX_BYTES, FRAME_MAX_BYTES, PATH

WAIT_S = 120.0
LOOK_S = 0.05
T = TypeVar("T")


class Line:
    """One connection, as the daemon's end. ``events`` are all that were told; acknowledged at once, if it does."""

    def __init__(self, websocket: WebSocketConnection, *, acknowledges: bool) -> None:
        self._websocket = websocket
        self._end = DaemonEnd()
        self._acknowledges = acknowledges
        self._news = trio.Event()
        self.said: list[str | bytes] = []
        self.heard: list[Any] = []
        self.deliveries: list[Delivery] = []
        self.answers: dict[int, Answered | Declined] = {}
        self.arrived: dict[int, bytearray] = {}
        self.closed: int | None = None
        self._pings = 0

    @property
    def events(self) -> list[LinkEvent]:
        return [each.event for each in self.deliveries]

    @property
    def hello(self) -> wire.GatewayHello | None:
        return self._end.gateway

    async def read(self) -> None:
        try:
            while True:
                await self._take(await self._websocket.get_message())
        except ConnectionClosed:
            assert self._websocket.closed is not None
            self.closed = self._websocket.closed.code
            self._tell()

    async def _take(self, payload: str | bytes) -> None:
        self.said.append(payload)
        try:
            heard = self._end.receive(payload)
        except WireError:  # what a test provoked by hand is looked for in ``said``
            return self._tell()
        match heard:
            case Delivery():
                if self._acknowledges:
                    await self.say(self._end.ack(heard.seq))
                self.deliveries.append(heard)
            case Answered() | Declined():
                self.answers[heard.id] = heard
            case wire.Chunk(transfer, data):
                self.arrived.setdefault(transfer, bytearray()).extend(data)
                await self.say(self._end.taken(transfer, len(data)))
            case wire.Ping(n):
                await self.say(self._end.pong(n))
            case _:
                self.heard.append(heard)
        return self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()

    async def say(self, frame: str | bytes | None) -> None:
        if frame is not None:
            await self._websocket.send_message(frame)

    async def greet(self, session_id: str, **settings: Any) -> None:
        session = wire.SessionInfo(id=session_id, name="vendas", device_name="Vendas", settings=settings)
        await self.say(self._end.hello("test", session))

    async def acknowledge(self, seq: int) -> None:
        await self.say(self._end.ack(seq))

    async def until(self, found: Callable[[], T | None], within_s: float = WAIT_S) -> T:
        """The first thing that ``found`` finds, true by itself; waits for it."""
        with trio.fail_after(within_s):
            while not (result := found()):
                assert self.closed is None, f"closed with {self.closed}"
                with trio.move_on_after(LOOK_S):  # some things that are waited for are not told here
                    await self._news.wait()
        return result

    async def event(self, kind: type[T], matches: Callable[[T], bool] = lambda _: True, within_s: float = WAIT_S) -> T:
        """The first event of this kind that matches."""
        return await self.until(
            lambda: next((each for each in self.events if isinstance(each, kind) and matches(each)), None), within_s
        )

    async def settled(self) -> None:
        """Until the gateway has worked off all that was said to it."""
        self._pings += 1
        wanted = wire.Pong(self._pings)
        await self.say(self._end.ping(self._pings))
        await self.until(lambda: wanted in self.heard)

    async def until_closed(self) -> int:
        with trio.fail_after(WAIT_S):
            while self.closed is None:
                await self._news.wait()
        return self.closed

    async def start(self, command: Command) -> int:
        id_, frame = self._end.command(command)
        await self.say(frame)
        return id_

    async def ask(self, command: Command) -> Result:
        """The answer; an AssertionError for a refusal."""
        id_ = await self.start(command)
        answer = await self.until(lambda: self.answers.get(id_))
        assert isinstance(answer, Answered), answer
        return answer.result

    async def refusal(self, command: Command) -> Declined:
        id_ = await self.start(command)
        answer = await self.until(lambda: self.answers.get(id_))
        assert isinstance(answer, Declined), answer
        return answer

    async def put(self, sha256: str, data: bytes) -> int:
        """Start a put_media and send the bytes; the command's id."""
        transfer = self._end.next_transfer()
        id_ = await self.start(PutMedia(sha256, len(data), transfer))
        for offset in range(0, len(data), CHUNK_MAX_BYTES):
            chunk = data[offset : offset + CHUNK_MAX_BYTES]
            while self._end.room_bytes(transfer) < len(chunk) and id_ not in self.answers:
                await self._news.wait()
            await self.say(self._end.chunk(transfer, chunk))
        await self.say(self._end.chunk(transfer, b""))
        return id_

    async def get(self, sha256: str) -> bytes:
        transfer = self._end.next_transfer()
        await self.ask(GetMedia(sha256, transfer))
        return bytes(self.arrived.get(transfer, b""))

    async def close(self, code: int = 1000) -> None:
        await self._websocket.aclose(code)


@asynccontextmanager
async def connected(socket: Path, session_id: str, *, acknowledges: bool = True) -> AsyncIterator[Line]:
    """A WebSocket on the gateway's socket, on which nothing has been said."""
    async with await trio.open_unix_socket(socket) as stream, trio.open_nursery() as nursery:
        websocket = await wrap_client_stream(
            nursery,
            stream,
            "localhost",
            PATH + session_id,
            max_message_size=FRAME_MAX_BYTES,
        )
        line = Line(websocket, acknowledges=acknowledges)
        nursery.start_soon(line.read)
        yield line
        nursery.cancel_scope.cancel()


class GatewayProcess:
    """``socket`` is there once it serves."""

    def __init__(self, process: trio.Process, socket: Path, log: Path, before: int) -> None:
        self.process = process
        self.socket = socket
        self.log = log
        self._before = before  # what an earlier process on the same directory has said

    def logged(self) -> str:
        return self.log.read_text()[self._before :]

    async def until_ready(self) -> None:
        with trio.fail_after(WAIT_S):
            while "gateway ready" not in self.logged():
                assert self.process.poll() is None, self.logged()
                await trio.sleep(0.02)

    async def ended(self) -> int:
        with trio.fail_after(WAIT_S):
            return await self.process.wait()

    @asynccontextmanager
    async def session(
        self, session_id: str = "s1", *, acknowledges: bool = True, **settings: Any
    ) -> AsyncIterator[Line]:
        """A line for this session, greeted."""
        async with connected(self.socket, session_id, acknowledges=acknowledges) as line:
            await line.greet(session_id, **settings)
            await line.until(lambda: line.hello)
            yield line


POMBAL = [sys.executable, "-m", "pombal", "gateway", "web"]


@asynccontextmanager
async def gateway_process(
    directory: Path,
    command: list[str] | None = None,
    *,
    env: dict[str, str] | None = None,
    options: tuple[str, ...] = (),
) -> AsyncIterator[GatewayProcess]:
    """Started as the daemon starts it; ended with the block, however that ends."""
    directory.mkdir(exist_ok=True)
    socket, log = directory / "g.sock", directory / "log"
    arguments = ["--socket", str(socket), "--state", str(directory / "web"), "--log-format", "json", *options]
    log.touch()
    before = len(log.read_text())
    with log.open("ab") as stderr:
        process = await trio.lowlevel.open_process(
            [*(command or POMBAL), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr,
            env={**os.environ, **(env or {})},
        )  # fmt: skip
    try:
        yield GatewayProcess(process, socket, log, before)
    finally:
        with trio.CancelScope(shield=True):
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            await process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    await stream.aclose()
