"""What leaves the server, piece by piece."""

from typing import Any, cast

import h11
import pytest
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol.events import Body, EndBody, Response, StreamClosed
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState, TaskGroup

from pombal.api.http1 import Http1


class Answering:
    """A connection that has been asked for something."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        config = Config()
        config.include_server_header = config.include_date_header = False
        no_tasks = cast("TaskGroup", None)
        self.protocol = Http1(config, WorkerContext(None), no_tasks, ConnectionState({}), False, None, None, self._send)
        connection = cast(h11.Connection, self.protocol.connection)
        connection.receive_data(b"GET / HTTP/1.1\r\nhost: pombal\r\n\r\n")
        connection.next_event()

    async def _send(self, event: Event) -> None:
        if not isinstance(event, Closed):
            assert isinstance(event, RawData)
            self.pieces.append(event.data)

    async def answer(self, status: int, *bodies: bytes, **headers: str) -> list[bytes]:
        """The pieces that went out."""
        named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        events: list[Any] = [Response(1, named, status), *(Body(1, body) for body in bodies), EndBody(1)]
        for event in events:
            await self.protocol.stream_send(event)
        return self.pieces


async def test_the_head_of_an_answer_goes_out_with_its_body() -> None:
    assert await Answering().answer(200, b"{}", content_length="2") == [
        b"HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\n{}",
    ]


async def test_an_answer_without_a_body_is_its_head() -> None:
    assert await Answering().answer(204) == [b"HTTP/1.1 204 \r\n\r\n"]


async def test_what_follows_the_first_of_a_body_goes_out_as_it_comes() -> None:
    pieces = await Answering().answer(200, b"one", b"two", content_length="6")
    assert pieces == [b"HTTP/1.1 200 \r\ncontent-length: 6\r\n\r\none", b"two"]


async def test_an_answer_that_breaks_off_before_its_body_shows_its_head() -> None:
    answering = Answering()
    await answering.protocol.stream_send(Response(1, [(b"content-length", b"2")], 200))
    assert answering.pieces == []
    await answering.protocol.stream_send(StreamClosed(1))
    assert answering.pieces == [b"HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\n"]


@pytest.mark.parametrize("kind", ["text/event-stream", "text/event-stream; charset=utf-8"])
async def test_the_head_of_a_stream_waits_for_no_event(kind: str) -> None:
    head, first, _ = await Answering().answer(200, b"data: 1\n\n", content_type=kind)
    assert head.endswith(b"\r\n\r\n")
    assert b"data: 1" in first
