"""A WebSocket as hypercorn speaks it, but for what an open door needs.

- Frames may be handed over as they go on the wire, so that an event is encoded once for all who hear it.
- No compression: it would be done anew for every client, with 64 KiB of memory for each.
- A fault is answered by a close frame with the code RFC 6455 has for it, and ends the connection.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from hypercorn.protocol.events import Body, Data, EndBody, Event, Request, Response, StreamClosed
from hypercorn.protocol.ws_stream import WSStream
from wsproto.connection import ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Message, Ping
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import ProtocolError

from pombal.api.refusals import refusal

TEXT_FRAME = "pombal.frames"
"""A message of the application's own: {"type": TEXT_FRAME, "frames": bytes made by text_frame}."""

_FIN_TEXT = 0x81


def text_frame(payload: bytes) -> bytes:
    """One unfragmented text frame of a server (RFC 6455, 5.2); payload is UTF-8."""
    length = len(payload)
    if length < 126:
        return bytes((_FIN_TEXT, length)) + payload
    if length < 65_536:
        return bytes((_FIN_TEXT, 126)) + length.to_bytes(2) + payload
    return bytes((_FIN_TEXT, 127)) + length.to_bytes(8) + payload


class WebSocketStream(WSStream):
    """``is_open``: from the answer to the handshake until either side has begun to close."""

    _unfinished: list[str | bytes]
    _unfinished_bytes = 0

    @property
    def is_open(self) -> bool:
        return hasattr(self, "connection") and self.connection.state is ConnectionState.OPEN and not self.closed

    @property
    def is_over(self) -> bool:
        """Whether both sides have said that they close."""
        return hasattr(self, "connection") and self.connection.state is ConnectionState.CLOSED

    async def ping(self) -> None:
        await self._send_wsproto_event(Ping())

    def is_closed_by(self, data: bytes) -> bool:
        """Whether data, which has arrived after our close, holds the client's; there is no more to wait for then."""
        try:
            self.connection.receive_data(data)
            return any(isinstance(event, CloseConnection) for event in self.connection.events())
        except ProtocolError:  # after its close
            return True

    async def handle(self, event: Event) -> None:
        if isinstance(event, Request):
            self._unfinished = []
            kept = [(name, value) for name, value in event.headers if name.lower() != b"sec-websocket-extensions"]
            event = replace(event, headers=kept)
        was_closed = self.closed
        await super().handle(event)
        if isinstance(event, Request | Body | Data) and self.closed and not was_closed:
            await self.send(StreamClosed(self.stream_id))  # refused: hypercorn would leave the connection open

    async def app_send(self, message: Any) -> None:
        if message is not None and message["type"] == TEXT_FRAME:
            if self.is_open:
                await self.send(Data(self.stream_id, message["frames"]))
            return
        await super().app_send(message)

    async def _send_error_response(self, status_code: int) -> None:
        headers, body = refusal(status_code)
        await self.send(Response(self.stream_id, headers, status_code))
        await self.send(Body(self.stream_id, body))
        await self.send(EndBody(self.stream_id))

    async def _handle_events(self) -> None:
        for event in self.connection.events():
            match event:
                case Message():
                    if not await self._take(event):
                        return
                case Ping():
                    await self._send_wsproto_event(event.response())
                case CloseConnection():
                    await self._close(event)
                    return

    async def _take(self, event: Message[Any]) -> bool:
        """Whether more may follow."""
        self._unfinished.append(event.data)
        self._unfinished_bytes += len(event.data) if isinstance(event, BytesMessage) else len(event.data.encode())
        if self._unfinished_bytes > self.config.websocket_max_message_size:
            self._unfinished.clear()
            await self._close(CloseConnection(CloseReason.MESSAGE_TOO_BIG, "the frame is too large"))
            return False
        if event.message_finished and self.app_put is not None:
            await self.app_put({"type": "websocket.receive", **_joined(self._unfinished)})
            self._unfinished, self._unfinished_bytes = [], 0
        return True

    async def _close(self, event: CloseConnection) -> None:
        """Answer the client's close, or tell it of its fault; then the connection ends."""
        if self.connection.state is ConnectionState.REMOTE_CLOSING:
            await self._send_wsproto_event(event.response())
        elif self.connection.state is ConnectionState.OPEN:
            await self._send_wsproto_event(event)
        await self.send(StreamClosed(self.stream_id))


def _joined(pieces: Iterable[Any]) -> dict[str, Any]:
    parts = list(pieces)
    if parts and isinstance(parts[0], str):
        return {"text": "".join(parts), "bytes": None}
    return {"text": None, "bytes": b"".join(parts)}
