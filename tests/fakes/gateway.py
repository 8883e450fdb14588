"""A gateway without WhatsApp behind it: sessions log in at once, and do as the test says.

In a test's own process it serves streams; as a program (``python -m tests.fakes.gateway --socket P --state D``) it is
what the daemon starts. It keeps its sessions in memory, so a new process knows nothing of what an earlier one heard.
"""

import argparse
import hashlib
import json
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream

from pombal.link.base import (
    Authenticated,
    ContactInfo,
    IncomingMessage,
    LinkEvent,
    Outgoing,
    PairCode,
    Ready,
    Sent,
)
from pombal.link.wire import CloseCode, ErrorCode, GatewayEnd, WireError, commands, frames
from pombal.link.wire.gateway_end import Asked, Heard, Misunderstood

NUMBER = "5511911110000"
LATER_MS = 4_000_000_000_000


class Refuse(Exception):
    """A command is not carried out."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(kind)
        self.kind = kind
        self.detail = detail


class FakeSession:
    """What a gateway keeps of one session."""

    def __init__(self) -> None:
        self.next_seq = 1
        self.spool: dict[int, LinkEvent] = {}
        self.acknowledged = 0
        self.asked: list[commands.Command] = []
        self.sent: list[Outgoing] = []
        self.files: dict[str, bytes] = {}  # downloaded, not taken
        self.stored: dict[str, bytes] = {}  # put by the daemon
        self.hellos: list[frames.DaemonHello] = []
        self.closed_with: list[int | None] = []
        self.connection: FakeConnection | None = None
        self.drops_chunks = False
        self.changed = trio.Condition()

    def tell(self, *events: LinkEvent) -> None:
        for event in events:
            self.spool[self.next_seq] = event
            self.next_seq += 1
        self.nudge()

    def add_file(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        self.files[sha256] = data
        if self.connection is not None:
            self.connection.say_media_waiting()
        return sha256

    def nudge(self) -> None:
        if self.connection is not None:
            self.connection.work.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with self.changed:
            while not condition():
                await self.changed.wait()

    async def notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()


class FakeGateway:
    """answer: what a command is answered with, in place of the usual; greet: what a connection is greeted with."""

    def __init__(self) -> None:
        self.sessions: dict[str, FakeSession] = {}
        self.max_unacknowledged = 1000
        self.deduplicates = True
        self.answer: Callable[[FakeSession, commands.Command], Awaitable[commands.Result | None]] | None = None
        self.greet: Callable[[WebSocketConnection], Awaitable[None]] | None = None
        self.is_silent = False  # hangs: reads, and answers nothing
        self.logs_in = True
        self.confirms = True  # chunks
        self.token: str | None = None
        self.paths: list[str] = []

    def session(self, session_id: str) -> FakeSession:
        return self.sessions.setdefault(session_id, FakeSession())

    async def serve_stream(self, stream: trio.abc.Stream) -> None:
        """One connection, from its handshake to its end."""
        try:
            async with trio.open_nursery() as nursery:
                first = await stream.receive_some()  # the daemon looks whether anybody listens
                if not first:
                    return
                request = await wrap_server_stream(nursery, _Replayed(stream, first))
                self.paths.append(request.path)
                if (
                    self.token is not None
                    and (b"authorization", f"Bearer {self.token}".encode()) not in request.headers
                ):
                    await request.reject(401)
                    return
                socket = await request.accept()
                if self.greet is not None:
                    await self.greet(socket)
                else:
                    await FakeConnection(self, socket, request.path.rpartition("/")[2]).run()
                nursery.cancel_scope.cancel()
        finally:
            await trio.aclose_forcefully(stream)


class _Replayed(trio.abc.Stream):
    """A stream of which the first bytes have been read already."""

    def __init__(self, stream: trio.abc.Stream, first: bytes | bytearray) -> None:
        self._stream = stream
        self._first = bytes(first)

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if self._first:
            first, self._first = self._first, b""
            return first
        return await self._stream.receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


class FakeConnection:
    """One connection of the daemon's."""

    def __init__(self, gateway: FakeGateway, socket: WebSocketConnection, session_id: str) -> None:
        self.gateway = gateway
        self.session = gateway.session(session_id)
        self.socket = socket
        self.end = GatewayEnd(
            "fake 1", deduplicates=gateway.deduplicates, max_unacknowledged=gateway.max_unacknowledged
        )
        self.work = trio.Event()
        self._told = 0
        self._outgoing: deque[str | bytes] = deque()
        self._incoming: dict[int, bytearray] = {}
        self._puts: dict[int, tuple[int, commands.PutMedia]] = {}
        self._nursery: trio.Nursery

    def say(self, payload: str | bytes) -> None:
        self._outgoing.append(payload)
        self.work.set()

    def say_media_waiting(self) -> None:
        items = [frames.MediaItem(sha, len(data), "image/jpeg") for sha, data in self.session.files.items()]
        self.say(self.end.media_waiting(items))

    async def run(self) -> None:
        if (older := self.session.connection) is not None:
            older.say(b"")
        self.session.connection = self
        try:
            async with trio.open_nursery() as self._nursery:
                self._nursery.start_soon(self._write)
                await self._read()
        except* ConnectionClosed as group:
            self.session.closed_with.append(_code(group))
            await self.session.notify()
        finally:
            if self.session.connection is self:
                self.session.connection = None

    async def close(self, code: CloseCode) -> None:
        await self.socket.aclose(code)
        self._nursery.cancel_scope.cancel()

    async def _write(self) -> None:
        while True:
            self.work = trio.Event()
            while self._outgoing:
                payload = self._outgoing.popleft()
                if payload == b"":
                    await self.close(CloseCode.SUPERSEDED)
                await self.socket.send_message(payload)
            if self.end.daemon is not None:
                for seq, event in list(self.session.spool.items()):
                    if seq > self._told and self.end.unacknowledged < self.gateway.max_unacknowledged:
                        self._told = seq
                        await self.socket.send_message(self.end.event(seq, event))
            await self.work.wait()

    async def _read(self) -> None:
        while True:
            try:
                heard = self.end.receive(await self.socket.get_message())
            except WireError as error:
                is_version = error.code == ErrorCode.PROTOCOL_VERSION
                if is_version:
                    refusal = self.end.refused(frames.RefusedKind.PROTOCOL_VERSION, error.detail)
                    await self.socket.send_message(refusal)
                await self.close(CloseCode.PROTOCOL_VERSION if is_version else CloseCode.GARBAGE)
                return
            if heard is not None and not self.gateway.is_silent:
                self._take(heard)
            await self.session.notify()

    def _take(self, heard: Heard) -> None:
        match heard:
            case frames.DaemonHello():
                self._greet(heard)
            case frames.Ack(seq):
                self.session.acknowledged = seq
                self.session.spool = {n: event for n, event in self.session.spool.items() if n > seq}
                self.work.set()
            case Asked(id_, command):
                self._nursery.start_soon(self._carry_out, id_, command)
            case Misunderstood(id_, kind, detail):
                self.say(self.end.refuse(id_, kind, detail))
            case frames.Ping(n):
                self.say(self.end.pong(n))
            case frames.Chunk(transfer, data):
                self._chunk(transfer, data)
            case _:
                self.work.set()

    def _greet(self, hello: frames.DaemonHello) -> None:
        self.session.hellos.append(hello)
        self.say(self.end.hello())
        self.say(self.end.facts(frames.Facts(True, LATER_MS, 50_000_000)))
        if self.session.files:
            self.say_media_waiting()
        if self.gateway.logs_in:
            self.session.tell(Authenticated(NUMBER, NUMBER, "Pombal"), Ready())

    async def _carry_out(self, id_: int, command: commands.Command) -> None:
        self.session.asked.append(command)
        try:
            made = await self.gateway.answer(self.session, command) if self.gateway.answer is not None else None
            result = made if made is not None else await self._usual(id_, command)
        except Refuse as refusal:
            self.say(self.end.refuse(id_, refusal.kind, refusal.detail))
        else:
            if result is not None:
                self.say(self.end.answer(id_, result))
        await self.session.notify()

    async def _usual(self, id_: int, command: commands.Command) -> commands.Result | None:
        match command:
            case Outgoing():
                self.session.sent.append(command)
                self.session.tell(Sent(command.link_id))
            case commands.CheckContacts(numbers):
                return commands.Contacts(tuple(ContactInfo(n, True, f"{n}@s.whatsapp.net", "1@lid") for n in numbers))
            case commands.GetPairCode():
                return PairCode("ABCD-1234", LATER_MS)
            case commands.HasMedia(sha256):
                return commands.Has(sha256 in self.session.stored)
            case commands.PutMedia(transfer=transfer):
                self._puts[transfer] = (id_, command)
                self._incoming.setdefault(transfer, bytearray())
                return None
            case commands.GetMedia(sha256, transfer):
                await self._send_file(sha256, transfer)
            case commands.MediaTaken(sha256):
                self.session.files.pop(sha256, None)
        return commands.Done()

    def _chunk(self, transfer: int, data: bytes) -> None:
        received = self._incoming.setdefault(transfer, bytearray())
        if not self.session.drops_chunks:
            received += data
        if data:
            if self.gateway.confirms and (confirmation := self.end.taken(transfer, len(data))) is not None:
                self.say(confirmation)
            return
        self._nursery.start_soon(self._stored, transfer)

    async def _stored(self, transfer: int) -> None:
        await self.session.until(lambda: transfer in self._puts)
        (id_, command), received = self._puts.pop(transfer), bytes(self._incoming.pop(transfer))
        if hashlib.sha256(received).hexdigest() != command.sha256:
            self.say(self.end.refuse(id_, "invalid", "another hash"))
        else:
            self.session.stored[command.sha256] = received
            self.say(self.end.answer(id_, commands.Done()))
        await self.session.notify()

    async def _send_file(self, sha256: str, transfer: int) -> None:
        if (data := self.session.files.get(sha256)) is None:
            raise Refuse("not_found", "no such file")
        offset = 0
        while offset < len(data):
            await self.session.until(lambda: self.end.room_bytes(transfer))
            room = self.end.room_bytes(transfer)
            chunk = self.end.chunk(transfer, data[offset : offset + room])
            assert chunk is not None
            self.say(chunk)
            offset += room
        end = self.end.chunk(transfer, b"")
        assert end is not None
        self.say(end)


def _code(group: BaseExceptionGroup[ConnectionClosed]) -> int | None:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, ConnectionClosed)
    return error.reason.code if error.reason is not None else None


# As a program

BEHAVIOURS = ("fine", "fails", "never_listens", "stays", "grows", "collects")


async def program(socket: Path, state: Path, behaviour: str) -> None:
    """fails: ends at once. stays: neither signal nor pipe ends it. grows: memory. collects: descriptors."""
    told = {"event": "fake gateway starts", "level": "info", "behaviour": behaviour, "state": str(state)}
    print(json.dumps(told), file=sys.stderr)
    if behaviour == "fails":
        print("the library is not installed", file=sys.stderr)
        sys.exit(3)
    ballast = bytearray(os.urandom(1024) * 65_536) if behaviour == "grows" else None
    kept = [os.open(os.devnull, os.O_RDONLY) for _ in range(100)] if behaviour == "collects" else []
    if behaviour == "never_listens":
        await trio.sleep_forever()
    gateway = FakeGateway()
    gateway.answer = _on_command
    with trio.open_signal_receiver(signal.SIGTERM) as signals:  # before anybody can take it for started
        listening = trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM)
        await listening.bind(str(socket))
        listening.listen(16)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, gateway.serve_stream, [trio.SocketListener(listening)])
            if behaviour == "stays":
                await trio.sleep_forever()
            nursery.start_soon(_until_signal, signals, nursery.cancel_scope)
            nursery.start_soon(_until_pipe_ends, nursery.cancel_scope)
    del ballast, kept


async def _on_command(session: FakeSession, command: commands.Command) -> commands.Result | None:
    """A text that orders something is done, not sent."""
    await trio.lowlevel.checkpoint()
    match command:
        case Outgoing(text="answer me!"):
            session.tell(IncomingMessage("in-" + command.link_id, command.chat_id, 1_750_000_000, text="here I am"))
        case commands.GetPairCode():
            return PairCode(str(os.getpid()), LATER_MS)
    return None


async def _until_signal(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    async for _ in signals:
        scope.cancel()


async def _until_pipe_ends(scope: trio.CancelScope) -> None:
    async with trio.lowlevel.FdStream(os.dup(0)) as pipe:
        with suppress(trio.BrokenResourceError):
            async for _ in pipe:
                pass
    scope.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--behaviour", choices=BEHAVIOURS, default="fine")
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    arguments = parser.parse_args()
    trio.run(program, arguments.socket, arguments.state, arguments.behaviour)
