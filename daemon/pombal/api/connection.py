"""The life of one HTTP connection: who waits for what, for how long, and that it ends whatever the other side does.

hypercorn's protocols do the talking (``http1.py``, ``frames.py``); its own TCP server does not hold: it loses a
connection whose body goes on after the answer, bounds neither connections nor writes, and cannot tell a stream from a
request when it drains.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, cast

import h11
import structlog
import trio
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from hypercorn.utils import parse_socket_addr
from starlette.types import ASGIApp
from wsproto.utilities import ProtocolError

from pombal.api.frames import WebSocketStream
from pombal.api.http1 import Http1
from pombal.config.settings import HttpSettings

if TYPE_CHECKING:
    from hypercorn.typing import TaskGroup

log = structlog.get_logger()

RECEIVE_BYTES = 65_536
# Pieces of a body, or frames, that may wait for the application; then the connection is read no further.
QUEUE_PIECES = 2
# After the last word the other side gets this long to take it: a socket that is closed with unread input resets the
# connection, and what is on its way is lost (RFC 9112, 9.6).
LINGER_S = 2.0

Message = MutableMapping[str, Any]
Send = Callable[[Message | None], Awaitable[None]]
Transport = trio.SocketStream | trio.SSLStream[trio.SocketStream]


class ClientGone(OSError):
    """There is nobody to send to: what ASGI has a server raise then."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the connections of a server share. ``context``: hypercorn's, which says whether the server drains."""

    app: ASGIApp
    settings: HttpSettings
    config: Config
    context: WorkerContext


class Connection:
    """Serves one stream until it has been closed by either side. The caller bounds how many there are."""

    def __init__(self, around: Surroundings, stream: Transport) -> None:
        self._around = around
        self._settings = around.settings
        self._stream = stream
        # Below the encryption. Once that has been ended, trio's SSLStream knows it no more and does not close it.
        self._transport = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
        self._nursery: trio.Nursery
        self._protocol: Http1 | None = None
        self._writing = trio.Lock()
        self._receiving = trio.CancelScope()
        self._handling = trio.CancelScope()
        self._deadline = inf
        self._is_idle = True  # between requests
        self._is_over = False
        self._is_gone = False
        self._heard_at = trio.current_time()
        self._inbox: _Inbox | None = None

    async def run(self) -> None:
        """Returns once everything about it has ended. Raises nothing but Cancelled for what the other side does."""
        try:
            if await self._shake_hands():
                protocol = self._protocol = self._new_protocol()
                self._expect(self._settings.keep_alive_s)
                async with trio.open_nursery() as self._nursery:
                    await self._read(protocol)
                    if not self._is_gone:
                        await self._linger(protocol.last_websocket)
        except OSError:
            pass  # the peer has gone before it could be asked who it was
        finally:
            await trio.aclose_forcefully(self._transport)

    def drain(self) -> None:
        """Take no more requests; what is in flight goes on."""
        if self._is_idle and not self._has_begun():
            self._end()

    # Being written to

    async def _shake_hands(self) -> bool:
        if not isinstance(self._stream, trio.SSLStream):
            return True
        with trio.move_on_after(self._settings.header_timeout_s) as self._receiving, suppress(trio.BrokenResourceError):
            await self._stream.do_handshake()
            return True
        return False

    def _new_protocol(self) -> Http1:
        is_tls = isinstance(self._stream, trio.SSLStream)
        socket = self._transport.socket
        return Http1(
            self._around.config,
            self._around.context,
            cast("TaskGroup", self),
            ConnectionState({}),
            is_tls,
            parse_socket_addr(socket.family, socket.getpeername()),
            parse_socket_addr(socket.family, socket.getsockname()),
            self.send,
        )

    async def _read(self, protocol: Http1) -> None:
        """Hand over what arrives, until there is no more, or no more is wanted."""
        try:
            while not self._is_over:
                data = await self._receive()
                if data is None:
                    await self._nothing_heard(protocol)
                    continue
                await self._hear(protocol, data)
                if not data:
                    self._is_gone = True
                    break
        except h11.RemoteProtocolError as error:
            await protocol.refuse(error.error_status_hint)
        except (ClientGone, trio.BrokenResourceError, trio.ClosedResourceError):
            self._is_gone = True
        except ProtocolError:
            log.debug("a client broke the protocol")  # wsproto's, after a close
        self._end()
        await protocol.handle(Closed())
        if self._inbox is not None:
            self._inbox.close()  # also where hypercorn has refused the handshake and would not tell

    async def _receive(self) -> bytes | None:
        """None: the time is over, or the connection is."""
        with trio.CancelScope(deadline=self._deadline) as self._receiving:
            return bytes(await self._stream.receive_some(RECEIVE_BYTES))
        return None

    async def _hear(self, protocol: Http1, data: bytes) -> None:
        self._heard_at = trio.current_time()
        if self._is_idle and data and not self._has_begun():
            # From its first byte: one that comes drop by drop is not given more time for each.
            self._expect(self._settings.header_timeout_s)
        with trio.CancelScope() as self._handling:
            await protocol.handle(RawData(data))
        if protocol.websocket is not None:
            self._expect(self._settings.heartbeat_s)

    async def _nothing_heard(self, protocol: Http1) -> None:
        """The deadline of ``_receive`` has passed."""
        if self._is_over:
            return
        websocket = protocol.websocket
        if websocket is not None and websocket.is_open:
            if trio.current_time() - self._heard_at >= self._settings.stream_timeout_s:
                self._break()
            else:
                self._expect(self._settings.heartbeat_s)
                await websocket.ping()
        elif self._has_begun():
            await protocol.refuse(408)
        else:
            self._end()

    def _has_begun(self) -> bool:
        return self._protocol is not None and self._protocol.has_part_of_a_request

    def _expect(self, within_s: float) -> None:
        """Something has to arrive by then."""
        self._deadline = self._receiving.deadline = trio.current_time() + within_s

    def _end(self) -> None:
        """Nothing more is read, and nothing more asked."""
        self._is_over = True
        self._receiving.cancel()

    def _break(self) -> None:
        """The client is gone. The reader may hold its next request back until an answer that will never be whole."""
        self._is_gone = True
        self._handling.cancel()
        self._end()

    async def _linger(self, websocket: WebSocketStream | None) -> None:
        """Say that all is said, and let the other side take it; a WebSocket's client answers our close with its own."""
        with trio.move_on_after(LINGER_S), suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async with self._writing:  # the application may be in the middle of a word
                if isinstance(self._stream, trio.SSLStream):
                    with suppress(trio.BrokenResourceError):  # the other side was still talking
                        await self._stream.unwrap()
                await self._transport.send_eof()
            await self._hear_the_rest(websocket)

    async def _hear_the_rest(self, websocket: WebSocketStream | None) -> None:
        if websocket is not None and websocket.is_over:
            return
        while data := await self._transport.receive_some(RECEIVE_BYTES):
            if websocket is not None and isinstance(self._stream, trio.SocketStream) and websocket.is_closed_by(data):
                return

    # What hypercorn's protocol asks of whoever holds the connection

    async def send(self, event: Event) -> None:
        """Raises ClientGone."""
        match event:
            case RawData():
                await self._write(event.data)
            case Closed():
                self._end()
            case Updated():
                self._is_idle = event.idle
                if not event.idle:
                    self._deadline = self._receiving.deadline = inf
                elif self._has_begun():
                    self._expect(self._settings.header_timeout_s)
                else:
                    self._expect(self._settings.keep_alive_s)

    async def _write(self, data: bytes) -> None:
        try:
            self._writing.acquire_nowait()  # acquire() would have all other tasks go first, for each frame
        except trio.WouldBlock:
            await self._writing.acquire()
        try:
            if self._is_gone:
                raise ClientGone
            await self._send_all(data)
        finally:
            self._writing.release()

    async def _send_all(self, data: bytes) -> None:
        is_stream = self._protocol is not None and self._protocol.is_stream
        limit_s = self._settings.stream_timeout_s if is_stream else self._settings.write_timeout_s
        is_sent = False
        try:
            with trio.move_on_after(limit_s):
                await self._stream.send_all(data)
                is_sent = True
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            if not is_sent:  # a part of it may be: nothing can follow
                self._break()
        if not is_sent:
            raise ClientGone

    async def spawn_app(self, _: object, __: Config, scope: Any, send: Send) -> Callable[[Message], Awaitable[None]]:
        """Start the application on a request; what is returned hands it what arrives."""
        inbox = self._inbox = _Inbox(scope["type"])
        self._nursery.start_soon(self._run_app, scope, inbox, send)
        return inbox.put

    async def _run_app(self, scope: Any, inbox: "_Inbox", send: Send) -> None:
        try:
            await self._around.app(scope, inbox.receive, send)
        except ClientGone:
            pass
        except Exception as error:
            if not _is_only_gone(error):
                log.exception("request crashed")
        finally:
            inbox.abandon()
        with suppress(ClientGone):
            if not self._is_gone:  # else hypercorn would begin another answer behind the half one
                await send(None)


def _is_only_gone(error: Exception) -> bool:
    return isinstance(error, ExceptionGroup) and error.split(ClientGone)[1] is None


class _Inbox:
    """What one request's application has still to receive; at the end of it, for ever, that the client is gone."""

    def __init__(self, kind: str) -> None:
        self._put, self._get = trio.open_memory_channel[Message](QUEUE_PIECES)
        self._last: Message = {"type": f"{kind}.disconnect"} | ({"code": 1006} if kind == "websocket" else {})

    async def put(self, message: Message) -> None:
        """Waits for room. What says that the client is gone never does: it may be the application that says it."""
        if message["type"].endswith(".disconnect"):
            self._last = message
            self._put.close()
            return
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self._put.send(message)

    async def receive(self) -> Message:
        try:
            return await self._get.receive()
        except trio.EndOfChannel:
            return self._last

    def close(self) -> None:
        """Nothing more comes; what is here is still received."""
        self._put.close()

    def abandon(self) -> None:
        """Nobody receives any more."""
        self._put.close()
        self._get.close()
