"""HTTP/1.1 as hypercorn speaks it, but for what an open door needs: refusals that say why, and nothing left open.

HTTP/2 is left to a proxy in front: its upgrade is not taken, so the request is answered in HTTP/1.1 (RFC 9113, 3.1).
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import h11
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.events import Request, Response
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol, H11WSConnection
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.trio.worker_context import WorkerContext

from pombal.api.frames import WebSocketStream
from pombal.api.refusals import refusal

if TYPE_CHECKING:
    from hypercorn.typing import AppWrapper, ConnectionState, TaskGroup

EVENT_STREAM = b"text/event-stream"


class Http1(H11Protocol):
    """hypercorn's HTTP/1.1 of one connection. ``is_stream``: whether what it carries now has no end of its own."""

    def __init__(
        self,
        config: Config,
        context: WorkerContext,
        task_group: "TaskGroup",
        connection_state: "ConnectionState",
        ssl: bool,
        client: tuple[str, int] | None,
        server: tuple[str, int] | None,
        send: Callable[[Event], Awaitable[None]],
    ) -> None:
        no_app = cast("AppWrapper", None)  # the task group knows it
        super().__init__(no_app, config, context, task_group, connection_state, ssl, client, server, self._hand_over)
        self._to_connection = send
        # None: pieces pass; b"": the next one is the head, and waits; else: the head that waits.
        self._head: bytes | None = None
        self.is_stream = False
        self.last_websocket: WebSocketStream | None = None

    @property
    def websocket(self) -> WebSocketStream | None:
        return self.stream if isinstance(self.stream, WebSocketStream) else None

    @property
    def has_part_of_a_request(self) -> bool:
        """Whether bytes of the next request are here already, and none of an answer to it."""
        connection = self.connection
        return isinstance(connection, h11.Connection) and bool(connection.trailing_data[0])

    async def refuse(self, status: int, detail: str | None = None) -> None:
        """Answer what the application has not been given, if it can be answered at all. Then close."""
        if isinstance(self.connection, h11.Connection) and self.connection.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            headers, body = refusal(status, detail)
            headers += self.config.response_headers("h11")
            await self._send_h11_event(h11.Response(status_code=status, headers=headers))
            await self._send_h11_event(h11.Data(data=body))
            await self._send_h11_event(h11.EndOfMessage())
        await self.send(Closed())

    async def stream_send(self, event: StreamEvent) -> None:
        if isinstance(event, Response):
            self.is_stream = self.websocket is not None or any(
                name.lower() == b"content-type" and value.startswith(EVENT_STREAM) for name, value in event.headers
            )
            self._head = None if self.is_stream else b""
        await super().stream_send(event)

    async def _hand_over(self, event: Event) -> None:
        """The head of an answer waits for what follows: by itself it would wake the client for nothing, and let every
        other task go first. A stream's does not, for its first event may take long.
        """
        if isinstance(event, RawData):
            if self._head == b"":
                self._head = event.data
                return
            event = RawData((self._head or b"") + event.data)
            self._head = None
            if not event.data:  # the end of an answer whose length is known
                return
        elif isinstance(event, Closed) and self._head:  # the answer broke off: half of one says so, none does not
            await self._to_connection(RawData(self._head))
            self._head = None
        await self._to_connection(event)

    async def _send_error_response(self, status_code: int) -> None:
        headers, body = refusal(status_code)
        headers += self.config.response_headers("h11")
        await self._send_h11_event(h11.Response(status_code=status_code, headers=headers))
        await self._send_h11_event(h11.Data(data=body))
        await self._send_h11_event(h11.EndOfMessage())

    async def _check_protocol(self, event: h11.Request) -> None:
        if event.http_version not in (b"1.0", b"1.1"):
            raise h11.RemoteProtocolError("another version of HTTP", error_status_hint=505)

    async def _create_stream(self, request: h11.Request) -> None:
        is_websocket = _asks_for_websocket(request)
        kind: Any = WebSocketStream if is_websocket else HTTPStream
        self.is_stream = False
        self.stream = kind(
            self.app, self.config, self.context, self.task_group, self.ssl, self.client, self.server,
            self.stream_send, STREAM_ID,
        )  # fmt: skip
        if is_websocket:
            self.connection = H11WSConnection(cast(h11.Connection, self.connection))
            self.last_websocket = self.websocket
        assert self.stream is not None  # noqa: S101  # for mypy: it was made above
        await self.stream.handle(
            Request(
                stream_id=STREAM_ID,
                headers=list(request.headers),
                http_version=request.http_version.decode(),
                method=request.method.decode("ascii").upper(),
                raw_path=request.target,
                state=self.connection_state,
            )
        )
        self.keep_alive_requests += 1


def _asks_for_websocket(request: h11.Request) -> bool:
    """RFC 6455, 4.2.1."""
    values = {name: value.decode("latin1").lower() for name, value in request.headers}
    tokens = {token.strip() for token in values.get(b"connection", "").split(",")}
    return request.method == b"GET" and "upgrade" in tokens and values.get(b"upgrade", "").strip() == "websocket"
