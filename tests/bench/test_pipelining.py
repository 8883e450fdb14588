"""The driver of the control connection: full, never fuller than its window, and not content with a refusal."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from pombal.bench.pipelining import Pipeline
from pombal.bench.running import BenchmarkFailed
from pombal.control.framing import LineReader

WINDOW = 7


@asynccontextmanager
async def answering(path: Path, *answers: bytes) -> AsyncIterator[list[int]]:
    """A socket that answers by turns, each time only once nothing more comes; gives how many came at a time."""
    waiting: list[int] = []
    with trio.socket.socket(socket.AF_UNIX) as listener:
        await listener.bind(str(path))
        listener.listen()

        async def serve() -> None:
            connection, _ = await listener.accept()
            stream, reader, answered = trio.SocketStream(connection), LineReader(), 0
            async with stream:
                while data := await stream.receive_some():
                    reader.receive_data(data)
                    lines = list(reader.lines())
                    waiting.append(len(lines))
                    await stream.send_all(b"".join(answers[(answered + n) % len(answers)] for n in range(len(lines))))
                    answered += len(lines)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            yield waiting


async def test_no_more_than_its_window_are_under_way(tmp_path: Path) -> None:
    told: list[int] = []
    async with answering(tmp_path / "socket", b'{"result":{}}\n') as waiting:
        await Pipeline([b"{}\n"] * 50, WINDOW, told.append).run(tmp_path / "socket")
    assert sum(waiting) == 50
    assert max(waiting) == WINDOW
    assert told[-1] == 50


async def test_a_refusal_fails_the_benchmark(tmp_path: Path) -> None:
    refused = b'{"error":{"message":"no such session"}}\n'
    async with answering(tmp_path / "socket", b'{"result":{}}\n', refused):
        with pytest.raises(BenchmarkFailed, match="no such session"):
            await Pipeline([b"{}\n"] * 10, WINDOW, lambda _: None).run(tmp_path / "socket")
