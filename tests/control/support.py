"""A service that does as it is told, and a server around it."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio
from pydantic import BaseModel

from pombal.config.settings import ControlSettings
from pombal.control.bind import bind_socket
from pombal.control.peers import PeerRules
from pombal.control.server import ControlServer
from pombal.model.caller import Caller, Role
from pombal.model.daemon_results import Reloaded
from pombal.model.errors import PombalError
from pombal.model.events import Event, EventType
from pombal.model.message import Direction, Message, MessageRow, MessageStatus, MessageType, Origin, show_message
from pombal.model.params import SendParams
from pombal.model.results import MediaStored
from pombal.service.base import ReceiveChunk, SendAnswer, SendReply, Sends, Subscription

Handler = Callable[[Any, Caller], Awaitable[BaseModel]]


def row(number: int, text: str = "oi") -> MessageRow:
    return MessageRow(
        id=number,
        session_key=1,
        message_id=f"m{number}",
        link_id=f"L{number}",
        direction=Direction.OUTBOUND,
        origin=Origin.API,
        message_type=MessageType.TEXT,
        chat_id="5511999999999@s.whatsapp.net",
        status=MessageStatus.QUEUED,
        happened_at=1_700_000_000_123,
        queued_at=1_700_000_000_123,
        text_content=text,
    )


def message(number: int, text: str = "oi", session: str = "suporte") -> Message:
    return show_message(row(number, text), session)


def event(seq: int, kind: str = EventType.MESSAGE_QUEUED, data: dict[str, Any] | None = None) -> Event:
    shown = {"seq": seq, "type": kind, "session": "suporte", "owner": "operator", "data": data or {}}
    return Event(seq, kind, "suporte", "operator", "01H", json.dumps(shown).encode())


@dataclass
class FakeSubscription:
    """Hands out what ``feed`` was given, and remembers how often it was asked."""

    feed: trio.MemoryReceiveChannel[Sequence[Event]]
    log_id: str = "log-1"
    cursor: int = 0
    last_seq: int = 0
    asked: int = 0

    async def next_batch(self) -> Sequence[Event]:
        self.asked += 1
        return await self.feed.receive()


@dataclass
class FakeSends:
    service: "FakeService"
    added: list[tuple[SendParams, SendReply]] = field(default_factory=list)

    def add(self, params: SendParams, reply: SendReply) -> None:
        self.service.refuse(params)
        self.added.append((params, reply))

    async def place(self) -> None:
        if not self.added:
            return
        added, self.added = self.added, []
        self.service.placed.append(len(added))
        await self.service.room()
        for params, reply in added:
            self.service.take(params, reply)


@dataclass
class FakeService:
    """Sends are answered at once, or kept in ``uncommitted`` while ``hold`` is set."""

    handlers: dict[str, Handler] = field(default_factory=dict)
    sent: list[SendParams] = field(default_factory=list)
    uncommitted: list[tuple[SendParams, SendReply]] = field(default_factory=list)
    hold: bool = False
    placed: list[int] = field(default_factory=list)
    callers: list[Caller] = field(default_factory=list)
    subscriptions: list[dict[str, Any]] = field(default_factory=list)
    ended_subscriptions: int = 0
    feed: trio.MemoryReceiveChannel[Sequence[Event]] | None = None
    subscription: FakeSubscription | None = None

    async def call(self, method: str, params: BaseModel, caller: Caller) -> BaseModel:
        self.callers.append(caller)
        handler = self.handlers.get(method)
        return Reloaded(changed=[method], needs_restart=[]) if handler is None else await handler(params, caller)

    async def send(self, params: SendParams, caller: Caller) -> SendAnswer:
        raise AssertionError("the control socket does not wait between one send and the next")

    def sends(self, caller: Caller) -> Sends:
        return FakeSends(self)

    def refuse(self, params: SendParams) -> None:
        """Raises what refuses it before it has a place."""

    def take(self, params: SendParams, reply: SendReply) -> None:
        self.sent.append(params)
        if self.hold:
            self.uncommitted.append((params, reply))
        else:
            reply(SendAnswer(row(len(self.sent), params.text or ""), "suporte", created=True))

    async def room(self) -> None:
        """Waits for it, as a full recorder does."""
        await trio.lowlevel.checkpoint()

    def commit(self) -> None:
        waiting, self.uncommitted = self.uncommitted, []
        for number, (params, reply) in enumerate(waiting, start=1):
            reply(SendAnswer(row(number, params.text or ""), "suporte", created=True))

    async def put_media(self, receive: ReceiveChunk, caller: Caller) -> MediaStored:
        raise AssertionError("the control socket takes files in chunks")

    async def media_size(self, sha256: str) -> int:
        raise AssertionError("the control socket does not ask for that")

    def subscribe(self, **asked: Any) -> AbstractAsyncContextManager[Subscription]:
        self.subscriptions.append(asked)
        return self._subscribe()

    @asynccontextmanager
    async def _subscribe(self) -> AsyncIterator[Subscription]:
        assert self.feed is not None
        self.subscription = FakeSubscription(self.feed)
        try:
            yield self.subscription
        finally:
            self.ended_subscriptions += 1


def answering(result: BaseModel) -> Handler:
    async def handler(_params: Any, _caller: Caller) -> BaseModel:
        return result

    return handler


def raising(error: Exception) -> Handler:
    async def handler(_params: Any, _caller: Caller) -> BaseModel:
        raise error

    return handler


@dataclass
class Running:
    server: ControlServer
    path: Path
    counted: list[tuple[str, str]]

    async def connect(self) -> trio.SocketStream:
        return await trio.open_unix_socket(str(self.path))


@asynccontextmanager
async def running(
    tmp_path: Path, service: FakeService, *, role: Role = Role.ADMIN, error: PombalError | None = None, **settings: Any
) -> AsyncIterator[Running]:
    """A server on a real Unix socket; cancelled at the end, unless it was drained before."""

    def identify(_stream: trio.abc.Stream) -> Caller:
        if error is not None:
            raise error
        return Caller("test", role)

    counted: list[tuple[str, str]] = []
    server = ControlServer(
        service, ControlSettings(**settings), identify, lambda method, outcome: counted.append((method, outcome))
    )
    path = tmp_path / "control.sock"
    with bind_socket(path, PeerRules(0)) as listener:
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve, listener)
            yield Running(server, path, counted)
            nursery.cancel_scope.cancel()


async def until(condition: Callable[[], object]) -> None:
    """Let others run until condition holds; the test's own timeout is the deadline."""
    while True:
        if condition():
            return
        await trio.sleep(0.001)


class Lines:
    """What a raw client reads, line by line."""

    def __init__(self, stream: trio.abc.ReceiveStream) -> None:
        self._stream = stream
        self._buffer = b""

    async def next(self) -> dict[str, Any]:
        """Raises trio.EndOfChannel at the end of input."""
        while b"\n" not in self._buffer:
            try:
                data = await self._stream.receive_some(65_536)
            except trio.BrokenResourceError:
                data = b""  # the server closed with input unread: the kernel tells so, after all that it had written
            if not data:
                assert not self._buffer, "half a line at the end"
                raise trio.EndOfChannel
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        parsed: dict[str, Any] = json.loads(line)
        return parsed

    async def take(self, count: int) -> list[dict[str, Any]]:
        return [await self.next() for _ in range(count)]

    async def closed(self) -> None:
        """Wait for the end of input, of which nothing may be left."""
        assert await self.rest() == []

    async def rest(self) -> list[dict[str, Any]]:
        """Everything up to the end of input."""
        found = []
        while True:
            try:
                found.append(await self.next())
            except trio.EndOfChannel:
                return found


def request(method: str, request_id: Any = 1, **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}).encode() + b"\n"


def send_request(request_id: int, text: str = "oi") -> bytes:
    return request("message.send", request_id, session="suporte", to="5511999999999", text=text)
