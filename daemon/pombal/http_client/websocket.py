"""Events over the WebSocket, on trio: a task that connects, and connects again, behind an iterator."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self
from urllib.parse import SplitResult, urlencode, urlsplit

import trio
from trio_websocket import ConnectionClosed, ConnectionRejected, HandshakeError, WebSocketConnection, wrap_client_stream

from pombal.http_client.errors import ApiError, Unreachable, api_error
from pombal.http_client.following import WEBSOCKET_PATH, Backoff, Cursor, Event
from pombal.http_client.requests import Token, headers

BATCH_EVENTS = 50  # in one frame at most, where we are behind
EVENTS_WAITING = 200  # handed over and not yet iterated over; then the socket is not read on
FRAME_MAX_BYTES = 33_554_432  # each of them with the longest text that WhatsApp takes
CONNECT_TIMEOUT_S = 10.0
PING_EVERY_S, PING_TIMEOUT_S = 30.0, 30.0
# A browser cannot see why a handshake is refused, so the daemon accepts it and closes with one of these.
# For 4429 it says no time: until another stream of the token has ended, or its requests are allowed again.
TOO_MANY_PAUSE_S = 10.0
_REFUSALS = {
    4400: (422, "invalid", None),
    4401: (401, "unauthorized", None),
    4429: (429, "rate_limited", TOO_MANY_PAUSE_S),
}


class EventStream:
    """Iterate over it. Raises ApiError where the daemon refuses."""

    def __init__(self, events: trio.MemoryReceiveChannel[Event | ApiError]) -> None:
        self._events = events

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event = await self._events.receive()
        if isinstance(event, ApiError):
            raise event
        return event


@asynccontextmanager
async def follow(url: str, token: Token, cursor: Cursor) -> AsyncIterator[EventStream]:
    """The stream, with a task behind it that keeps it going."""
    into, out_of = trio.open_memory_channel[Event | ApiError](EVENTS_WAITING)
    async with _plain_errors() as nursery:
        nursery.start_soon(_keep_connected, url, token, cursor, into)
        yield EventStream(out_of)


async def _keep_connected(
    url: str, token: Token, cursor: Cursor, into: trio.MemorySendChannel[Event | ApiError]
) -> None:
    backoff = Backoff()
    while True:
        asked_for_s = None
        try:
            await _read(url, token, cursor, into, backoff)
        except ApiError as error:
            if not backoff.helps(error):
                await into.send(error)
                return
            asked_for_s = error.retry_after_s
        except Unreachable:
            pass  # it comes back
        await trio.sleep(backoff.next_s(asked_for_s))


async def _read(
    url: str, token: Token, cursor: Cursor, into: trio.MemorySendChannel[Event | ApiError], backoff: Backoff
) -> None:
    """Events of one connection, until it ends. Raises Unreachable or ApiError."""
    query = urlencode(cursor.query() | {"batch": BATCH_EVENTS})
    try:
        async with _connected(urlsplit(url), f"{WEBSOCKET_PATH}?{query}", headers(token)) as socket:
            while True:
                for event in cursor.take(await _next_frame(socket)):
                    backoff.reset()
                    await into.send(event)
    except ConnectionRejected as rejected:
        raise _refused(rejected) from rejected
    except ConnectionClosed as closed:
        raise _ended(closed) from closed
    except (HandshakeError, OSError, trio.BrokenResourceError, trio.TooSlowError) as error:
        raise Unreachable(str(error) or type(error).__name__, was_sent=False) from error


@asynccontextmanager
async def _connected(url: SplitResult, path: str, asked: dict[str, str]) -> AsyncIterator[WebSocketConnection]:
    """An open WebSocket on a stream of our own: where the other side ends first, the library would leave it open."""
    async with await _open_stream(url) as stream, _plain_errors() as nursery:
        with trio.fail_after(CONNECT_TIMEOUT_S):
            socket = await wrap_client_stream(
                nursery, stream, url.netloc.rpartition("@")[2], url.path.rstrip("/") + path,
                extra_headers=[(name.encode(), value.encode()) for name, value in asked.items()],
                max_message_size=FRAME_MAX_BYTES,
            )  # fmt: skip
        yield socket
        with trio.move_on_after(CONNECT_TIMEOUT_S):
            await socket.aclose()


async def _open_stream(url: SplitResult) -> trio.SocketStream | trio.SSLStream[trio.SocketStream]:
    host = url.hostname or ""
    with trio.fail_after(CONNECT_TIMEOUT_S):
        if url.scheme == "https":
            context = ssl.create_default_context()
            return await trio.open_ssl_over_tcp_stream(
                host, url.port or 443, ssl_context=context, https_compatible=True
            )
        return await trio.open_tcp_stream(host, url.port or 80)


@asynccontextmanager
async def _plain_errors() -> AsyncIterator[trio.Nursery]:
    """A nursery that is cancelled with its body, whose errors leave as they are and not in a group."""
    failure: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            try:
                yield nursery
            except (Exception, KeyboardInterrupt, SystemExit) as error:
                failure = error
            nursery.cancel_scope.cancel()
    except ExceptionGroup as group:
        failure = failure or group.exceptions[0]
    if failure is not None:
        raise failure


async def _next_frame(socket: WebSocketConnection) -> str | bytes:
    """A connection that is dead and does not say so is found out by a ping that is not answered."""
    while True:
        with trio.move_on_after(PING_EVERY_S):
            frame: str | bytes = await socket.get_message()
            return frame
        with trio.fail_after(PING_TIMEOUT_S):
            await socket.ping()


def _refused(rejected: ConnectionRejected) -> ApiError:
    told = {bytes(name).lower(): value for name, value in rejected.headers}
    return api_error(rejected.status_code, rejected.body or b"", told.get(b"retry-after", b"").decode() or None)


def _ended(closed: ConnectionClosed) -> ApiError | Unreachable:
    reason = closed.reason
    if reason is not None and reason.code in _REFUSALS:
        status, kind, retry_after_s = _REFUSALS[reason.code]
        return ApiError(status, kind, reason.reason or "no reason was given", retry_after_s)
    return Unreachable("the connection was closed", was_sent=False)
