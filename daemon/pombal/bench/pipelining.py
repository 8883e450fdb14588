"""Many requests over one control connection, by a driver that costs next to nothing: it shares the daemon's cores.

So requests are written out beforehand, and answers are counted as they come and read when the clock has stopped.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import trio
from pydantic_core import from_json

from pombal.bench.running import BenchmarkFailed
from pombal.control.client_connection import open_socket

_RECEIVE_BYTES = 262_144

Counted = Callable[[int], None]


class Pipeline:
    """Sends ``lines``, at most ``window`` of them unanswered; counted is told how many are answered."""

    def __init__(self, lines: Sequence[bytes], window: int, counted: Counted) -> None:
        self._lines = lines
        self._window = window
        self._counted = counted
        self._answered = 0
        self._answers: list[bytes] = []
        self._progress = trio.Event()

    async def run(self, path: Path) -> float:
        """Seconds from the first request to the last answer. Raises BenchmarkFailed where one is refused."""
        async with await open_socket(path) as stream, trio.open_nursery() as nursery:
            began = trio.current_time()
            nursery.start_soon(self._write, stream)
            await self._read(stream)
            seconds = trio.current_time() - began
        self._check()
        return seconds

    async def _write(self, stream: trio.abc.SendStream) -> None:
        sent = 0
        while sent < len(self._lines):
            upto = min(self._answered + self._window, len(self._lines))
            if sent == upto:
                self._progress = trio.Event()
                await self._progress.wait()
                continue
            piece, sent = b"".join(self._lines[sent:upto]), upto
            await stream.send_all(piece)

    async def _read(self, stream: trio.abc.ReceiveStream) -> None:
        while self._answered < len(self._lines):
            data = await stream.receive_some(_RECEIVE_BYTES)
            if not data:
                raise BenchmarkFailed(f"the connection ended after {self._answered} of {len(self._lines)} answers")
            self._answers.append(bytes(data))
            self._answered += data.count(b"\n")
            self._progress.set()
            self._counted(self._answered)

    def _check(self) -> None:
        for line in b"".join(self._answers).splitlines():
            if "result" not in (answer := from_json(line)):
                raise BenchmarkFailed(f"a send was refused: {answer['error']['message']}")
