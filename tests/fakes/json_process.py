"""A program of the tests' own that takes commands and tells events, a JSON object a line; driven by trio.

→ {"n": 1, "do": "scan", …}     ← {"n": 1, "result": {…}} or {"n": 1, "error": "…"}     ← {"event": "paired", …}
"""

import json
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

WAIT_S = 60.0
CHUNK_BYTES = 1 << 16

Event = dict[str, Any]


class Refused(Exception):
    """It could not do what it was asked."""


class JsonProcess:
    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._number = 0
        self._writing = trio.Lock()
        self._answers: dict[int, Event] = {}
        self._news = trio.Event()
        self.events: list[Event] = []
        self.has_ended = False

    async def do(self, command: str, *, within_s: float = WAIT_S, **params: Any) -> Event:
        """Raises Refused with what the program says."""
        self._number += 1
        number = self._number
        line = json.dumps({"n": number, "do": command, **params}) + "\n"
        assert self._process.stdin is not None
        async with self._writing:
            await self._process.stdin.send_all(line.encode())
        with trio.fail_after(within_s):
            while number not in self._answers:
                await self._next()
        answer = self._answers.pop(number)
        if "error" in answer:
            raise Refused(f"{command}: {answer['error']}")
        result: Event = answer["result"]
        return result

    async def until(self, event: str, *, after: int = 0, within_s: float = WAIT_S, **fields: Any) -> Event:
        """The first such event past the first ``after`` ones; waits for it."""
        wanted, looked_at = {"event": event, **fields}, after
        with trio.fail_after(within_s):
            while True:
                for each in self.events[looked_at:]:
                    looked_at += 1
                    if wanted.items() <= each.items():
                        return each
                await self._next()

    def all(self, event: str) -> list[Event]:
        return [each for each in self.events if each["event"] == event]

    async def _next(self) -> None:
        if self.has_ended:
            raise AssertionError(f"it has ended; its last words: {self.events[-3:]}")
        await self._news.wait()

    async def read(self) -> None:
        """All that it says, until it ends."""
        buffer = b""
        assert self._process.stdout is not None
        while data := await self._process.stdout.receive_some(CHUNK_BYTES):
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                self._take(json.loads(line))
        self.has_ended = True
        self._tell()

    def _take(self, said: Event) -> None:
        if "n" in said:
            self._answers[said["n"]] = said
        else:
            self.events.append(said)
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()


@asynccontextmanager
async def running(command: list[str], *, cwd: Path, env: Mapping[str, str]) -> AsyncIterator[trio.Process]:
    """It is killed at the end of the block."""
    process = await trio.lowlevel.open_process(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=cwd, env=dict(env)
    )
    try:
        yield process
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
