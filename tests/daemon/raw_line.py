"""A connection to the control socket for what no client of ours would write."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from pombal.control.framing import LineReader

WAIT_S = 20.0


class RawLine:
    """Bytes out, one answer at a time in."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._reader = LineReader(64 * 1024 * 1024)
        self._waiting: list[bytes] = []

    async def write(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def answer(self) -> dict[str, Any] | None:
        """The next line; None at the end of the connection."""
        with trio.fail_after(WAIT_S):
            while not self._waiting:
                try:
                    data = await self.stream.receive_some(65_536)
                except trio.BrokenResourceError:
                    return None
                if not data:
                    return None
                self._reader.receive_data(data)
                self._waiting = list(self._reader.lines())
        answer: dict[str, Any] = json.loads(self._waiting.pop(0))
        return answer

    async def ask(self, data: bytes) -> dict[str, Any]:
        await self.write(data)
        answer = await self.answer()
        assert answer is not None
        return answer

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return await self.ask(json.dumps(request).encode() + b"\n")


@asynccontextmanager
async def raw_line(path: Path) -> AsyncIterator[RawLine]:
    async with await trio.open_unix_socket(str(path)) as stream:
        yield RawLine(stream)
