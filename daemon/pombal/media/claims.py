"""Who is at which file: one that is being put on the shelf is not taken off it meanwhile, nor the other way round."""

from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import trio


class Claims:
    """By sha256, for those who live in the loop.

    Between a file's rename and the commit of its row, and between the removal of a row and of its file, the two don't
    agree. Whoever comes in that moment with the same bytes would find a file that is about to go, or remove one that is
    about to be spoken of.
    """

    def __init__(self) -> None:
        self._arriving: Counter[str] = Counter()
        self._leaving: set[str] = set()
        self._left = trio.Event()

    @asynccontextmanager
    async def arriving(self, sha256: str) -> AsyncIterator[None]:
        """Inside, the file may be stored and its row committed. Waits while it is being removed."""
        while sha256 in self._leaving:
            await self._left.wait()
        self._arriving[sha256] += 1
        try:
            yield
        finally:
            self._arriving[sha256] -= 1
            if not self._arriving[sha256]:
                del self._arriving[sha256]

    @asynccontextmanager
    async def leaving(self, sha256s: Collection[str]) -> AsyncIterator[list[str]]:
        """Those of the files that may be removed inside: not the ones that are arriving, or leaving already."""
        free = [sha256 for sha256 in sha256s if sha256 not in self._arriving and sha256 not in self._leaving]
        self._leaving.update(free)
        try:
            yield free
        finally:
            self._leaving.difference_update(free)
            self._left.set()
            self._left = trio.Event()
