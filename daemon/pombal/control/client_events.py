"""Events as a client hears them, over a connection of their own.

So a reader that takes its time holds up nobody's answers and buffers nothing: the daemon sends on when it reads on.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, Self

import trio

from pombal.control.client_connection import Disconnected, OpenStream, RemoteError, encode_request, receive_messages


class EventStream:
    """Iterate over it for events, as dicts. ``cursor`` and ``log_id`` are where to resume (events past ``cursor``).

    Raises Disconnected when the daemon ends the connection.
    """

    def __init__(self, messages: AsyncIterator[dict[str, Any]], log_id: str, cursor: int | None) -> None:
        self._messages = messages
        self.log_id = log_id
        self.cursor = cursor

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> dict[str, Any]:
        async for message in self._messages:
            if message.get("method") != "event":
                continue
            event: dict[str, Any] = message["params"]["event"]
            self.cursor = event["seq"]
            if event["type"] != "cursor":
                return event
        raise Disconnected


@asynccontextmanager
async def subscribe(open_stream: OpenStream, params: Mapping[str, Any]) -> AsyncIterator[EventStream]:
    """Open a connection and subscribe on it. Raises RemoteError, NoDaemon or Disconnected."""
    async with await open_stream() as stream, aclosing(receive_messages(stream)) as messages:
        answer = await _subscribed(stream, messages, params)
        yield EventStream(messages, answer["log_id"], params.get("after"))


async def _subscribed(
    stream: trio.abc.SendStream, messages: AsyncIterator[dict[str, Any]], params: Mapping[str, Any]
) -> dict[str, Any]:
    # Where the daemon refused the connection, what it said is there to be read.
    with suppress(trio.BrokenResourceError):
        await stream.send_all(encode_request(1, "events.subscribe", params))
    async for message in messages:
        if "error" in message:
            raise RemoteError(message["error"])
        result: dict[str, Any] = message["result"]
        return result
    raise Disconnected
