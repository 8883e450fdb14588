"""The media store for those who live in the loop: link/base.py's MediaShelf, over files that threads read and write."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

import trio

from pombal.media.claims import Claims
from pombal.media.files import MediaFiles, Upload
from pombal.model.errors import Kind, PombalError, invalid

T = TypeVar("T")
Commit = Callable[[str, int], Awaitable[None]]
THREADS = 4  # at once, of this shelf: a slow disk must not take those that others need


class Shelf:
    """Files to send, and files that came. Bytes are never held but for the piece at hand."""

    def __init__(self, files: MediaFiles, claims: Claims, max_bytes: Callable[[], int], commit: Commit) -> None:
        """max_bytes: [media] max_bytes as it is now. commit: records (sha256, size_bytes) durably; see PutMedia."""
        self._files = files
        self._claims = claims
        self._max_bytes = max_bytes
        self._commit = commit
        self._threads = trio.CapacityLimiter(THREADS)

    async def size_of(self, sha256: str) -> int | None:
        """How many bytes the file has; None where it is not here. Raises PombalError (unavailable)."""
        return await self._in_thread("read", partial(self._files.size_of, sha256))

    async def read(self, sha256: str, offset: int, limit: int) -> bytes:
        """At most limit bytes from offset; none past the end. Raises PombalError: not_found, unavailable."""
        data, _ = await self._in_thread("read", partial(self._files.read, sha256, offset, limit))
        return data

    @asynccontextmanager
    async def receive(self, sha256: str, size_bytes: int) -> AsyncIterator["Reception"]:
        """Take in a file that is said to be this one. What was not kept when the block ends is removed.

        Entering raises PombalError: too_large, unavailable.
        """
        if size_bytes > (max_bytes := self._max_bytes()):
            raise PombalError(
                Kind.TOO_LARGE, f"a file of {size_bytes} bytes; at most {max_bytes} are kept ([media] max_bytes)"
            )
        upload = await self._in_thread("stored", self._files.begin)
        try:
            yield Reception(self, upload, sha256, size_bytes)
        finally:
            upload.discard()  # a name that is kept by now is another's

    async def keep(self, upload: Upload) -> None:
        """Durably under its hash, and its row committed. Raises PombalError (unavailable)."""
        async with self._claims.arriving(upload.digest.hexdigest()):
            sha256 = await self.work("stored", partial(self._files.finish, upload))
            await self._commit(sha256, upload.size_bytes)

    async def work(self, what: str, function: Callable[[], T]) -> T:
        return await self._in_thread(what, function)

    async def _in_thread(self, what: str, function: Callable[[], T]) -> T:
        try:
            return await trio.to_thread.run_sync(function, limiter=self._threads)
        except OSError as error:
            raise disk_refuses(what, error) from error


class Reception:
    """A file that is being taken in."""

    def __init__(self, shelf: Shelf, upload: Upload, sha256: str, size_bytes: int) -> None:
        self._shelf = shelf
        self._upload = upload
        self._sha256 = sha256
        self._size_bytes = size_bytes

    async def write(self, chunk: bytes) -> None:
        """The next bytes. Raises PombalError: too_large past the size that was told, unavailable."""
        if self._upload.size_bytes + len(chunk) > self._size_bytes:
            raise PombalError(Kind.TOO_LARGE, f"more than the {self._size_bytes} bytes that were told")
        await self._shelf.work("stored", partial(self._upload.write, chunk))

    async def keep(self) -> None:
        """All of it is here. Raises PombalError: invalid where size or hash are not the ones told, unavailable."""
        if self._upload.size_bytes != self._size_bytes:
            raise invalid(f"{self._upload.size_bytes} bytes came, of {self._size_bytes}")
        if self._upload.digest.hexdigest() != self._sha256:
            raise invalid("the bytes that came have another sha256 than the one told")
        await self._shelf.keep(self._upload)


def disk_refuses(what: str, error: OSError) -> PombalError:
    """What a disk that is full, broken or read-only says, for whoever asked. what: 'read' or 'stored'."""
    return PombalError(Kind.UNAVAILABLE, f"the file cannot be {what}: {error.strerror}")
