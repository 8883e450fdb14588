"""`/ws/whatsapp`: events as they are committed, and commands. Plain ASGI; docs/websocket.md says what goes over it."""

from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum

import structlog
import trio
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from pombal.api.commands import Commands
from pombal.api.context import Api, api_of
from pombal.api.event_frames import frames_of, json_frame
from pombal.api.expiry import until_expired
from pombal.api.frames import TEXT_FRAME
from pombal.api.problems import problem
from pombal.api.stream_access import OpenStreams, identify_stream
from pombal.api.stream_query import WebSocketQuery, parse_query, subscribe
from pombal.auth.tokens import Identity
from pombal.model.errors import Kind, PombalError
from pombal.service.base import Subscription

log = structlog.get_logger()

TRANSPORT = "websocket"
# Once it is to end: for what is being written and carried out. A client that does not read gets no close frame then.
END_WITHIN_S = 5.0


class Close(IntEnum):
    """Why we close. 1000 to 1999 are RFC 6455's, 4000 to 4999 ours: HTTP's statuses, from 4000 on."""

    GOING_AWAY = 1001
    TRY_AGAIN_LATER = 1013
    INVALID = 4400
    UNAUTHORIZED = 4401
    TOO_MANY = 4429


_OF_KIND = {
    Kind.INVALID: Close.INVALID,
    Kind.UNAUTHORIZED: Close.UNAUTHORIZED,
    Kind.RATE_LIMITED: Close.TOO_MANY,
}


@dataclass(frozen=True, slots=True)
class Ending:
    """reason: for people; at most 123 bytes fit into a close frame (RFC 6455, 5.5)."""

    code: Close
    reason: str


class EventSocket:
    """The endpoint; ``streams`` counts for all endpoints together."""

    def __init__(self, streams: OpenStreams) -> None:
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        api = api_of(connection)
        await receive()  # that somebody connects
        try:
            identity = identify_stream(connection, needs_origin=True)
            query = parse_query(WebSocketQuery, connection.query_params)
            with self._streams.one_more(identity.token_id, api.settings().http.streams_per_token):
                await send({"type": "websocket.accept"})
                async with subscribe(api.service, query, identity, TRANSPORT) as subscription:
                    await Talk(api, identity, subscription, query.batch, receive, send).run()
        except PombalError as error:
            await _refuse(error, scope, receive, send)


async def _refuse(error: PombalError, scope: Scope, receive: Receive, send: Send) -> None:
    """A browser's script sees a close code, but not the status of a handshake that is refused: so it is accepted first.

    Not so for a foreign page that uses a cookie: to that one we do not speak.
    """
    if error.kind == Kind.FORBIDDEN:
        await problem(403, error.kind, error.message)(scope, receive, send)
        return
    await send({"type": "websocket.accept"})
    code = _OF_KIND.get(error.kind, Close.TRY_AGAIN_LATER)
    await send({"type": "websocket.close", "code": code, "reason": _short(error.message)})


def _short(reason: str) -> str:
    return reason.encode()[:123].decode(errors="ignore")


class Talk:
    """One client, from the first frame to the last. Events wait in the log and nowhere else."""

    def __init__(
        self,
        api: Api,
        identity: Identity,
        subscription: Subscription,
        batch: int | None,
        receive: Receive,
        send: Send,
    ) -> None:
        self._identity = identity
        self._subscription = subscription
        self._batch = batch
        self._receive = receive
        self._send = send
        self._commands = Commands(api, identity)
        self._ending: Ending | None = None
        self._waits: list[trio.CancelScope] = []
        self._nursery: trio.Nursery

    async def run(self) -> None:
        """Returns once either side has had enough. Raises OSError where the client has gone in the middle of a word."""
        async with trio.open_nursery() as self._nursery:
            hello = {"type": "hello", "log_id": self._subscription.log_id, "last_seq": self._subscription.last_seq}
            await self._say(json_frame(hello))
            self._nursery.start_soon(self._tell)
            self._nursery.start_soon(self._expire)
            await self._listen()
        if self._ending is not None:
            with suppress(OSError):
                code, reason = self._ending.code, self._ending.reason
                await self._send({"type": "websocket.close", "code": code, "reason": reason})

    def _end(self, code: Close, reason: str) -> None:
        """Wait for nothing more; what is being said is said to its end."""
        if self._ending is not None:
            return
        self._ending = Ending(code, _short(reason))
        self._nursery.cancel_scope.deadline = trio.current_time() + END_WITHIN_S
        for wait in self._waits:
            wait.cancel()

    def _waiting(self) -> trio.CancelScope:
        """A scope that ``_end`` cancels; never around a write, which would leave half a frame behind."""
        scope = trio.CancelScope()
        if self._ending is not None:
            scope.cancel()
        self._waits.append(scope)
        return scope

    async def _say(self, frames: bytes) -> None:
        await self._send({"type": TEXT_FRAME, "frames": frames})

    async def _tell(self) -> None:
        """Ask for the next events only once those before are with the kernel: who reads slowly costs a cursor."""
        while self._ending is None:
            events = None
            with self._waiting() as wait:
                try:
                    events = await self._subscription.next_batch()
                except trio.EndOfChannel:
                    self._end(Close.GOING_AWAY, "the daemon is stopping; come again with after")
                except PombalError as error:  # the log cannot be read just now
                    self._end(Close.TRY_AGAIN_LATER, error.message)
            self._waits.remove(wait)
            for piece in frames_of(events or (), self._batch):
                await self._say(piece)

    async def _expire(self) -> None:
        with self._waiting() as wait:
            await until_expired(self._identity.expires_at_s)
        if not wait.cancelled_caught:
            self._end(Close.UNAUTHORIZED, "the token has expired")

    async def _listen(self) -> None:
        """One command after the other, so that sends keep their order."""
        while self._ending is None:
            message = None
            with self._waiting() as wait:
                message = await self._receive()
            self._waits.remove(wait)
            if message is None:
                return
            if message["type"] == "websocket.disconnect":
                self._nursery.cancel_scope.cancel()
                return
            await self._say(json_frame(await self._commands.answer(message)))
