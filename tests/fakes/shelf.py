"""Files in memory, for links that read and keep some."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from pombal.model.errors import Kind, PombalError, invalid, not_found


class MemoryShelf:
    """max_bytes: larger ones are refused. failures: raised by keep, one each time."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.max_bytes = 1_000_000_000
        self.failures: list[PombalError] = []
        self.write_failures: list[PombalError] = []
        self.gate: trio.Event | None = None  # writing waits for it
        self.kept: list[str] = []
        self.read_failures: list[PombalError | None] = []
        self.sizes: dict[str, int] = {}  # told, where another than the file's

    def add(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        self.files[sha256] = data
        return sha256

    async def size_of(self, sha256: str) -> int | None:
        await trio.lowlevel.checkpoint()
        return self.sizes.get(sha256, len(self.files[sha256])) if sha256 in self.files else None

    async def read(self, sha256: str, offset: int, limit: int) -> bytes:
        await trio.lowlevel.checkpoint()
        if sha256 not in self.files:
            raise not_found("no such file")
        if self.read_failures and (failure := self.read_failures.pop(0)) is not None:
            raise failure
        return self.files[sha256][offset : offset + limit]

    @asynccontextmanager
    async def receive(self, sha256: str, size_bytes: int) -> AsyncIterator["MemoryReception"]:
        await trio.lowlevel.checkpoint()
        if size_bytes > self.max_bytes:
            raise PombalError(Kind.TOO_LARGE, "too large")
        yield MemoryReception(self, sha256)


class MemoryReception:
    def __init__(self, shelf: MemoryShelf, sha256: str) -> None:
        self._shelf = shelf
        self._sha256 = sha256
        self._data = bytearray()

    async def write(self, chunk: bytes) -> None:
        await trio.lowlevel.checkpoint()
        if self._shelf.gate is not None:
            await self._shelf.gate.wait()
        if self._shelf.write_failures:
            raise self._shelf.write_failures.pop(0)
        self._data += chunk

    async def keep(self) -> None:
        await trio.lowlevel.checkpoint()
        if hashlib.sha256(self._data).hexdigest() != self._sha256:
            raise invalid("another hash")
        if self._shelf.failures:
            raise self._shelf.failures.pop(0)
        self._shelf.files[self._sha256] = bytes(self._data)
        self._shelf.kept.append(self._sha256)
