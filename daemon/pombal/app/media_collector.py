"""Files that nobody speaks of any more, taken off the shelf: the row in the writer's transaction, then the file."""

from collections.abc import Awaitable, Callable, Collection
from functools import partial

import trio

from pombal.media.claims import Claims
from pombal.media.files import DRAWERS, MediaFiles
from pombal.model.clock import Clock
from pombal.model.removal_changes import ForgetMedia
from pombal.recorder.recorder import Recorder
from pombal.store.media_queries import unused_media, without_row
from pombal.store.reader import Reader

Pause = Callable[[], Awaitable[None]]

LOOK_AT = 1000  # rows that one query looks at
SLICE = 100  # files that one transaction forgets


class MediaCollector:
    """Whoever dies between the row and the file leaves a file without a row; `strays` finds those."""

    def __init__(
        self, recorder: Recorder, reader: Reader, files: MediaFiles, claims: Claims, clock: Clock,
        removed: Callable[[int, int], None],
    ) -> None:  # fmt: skip
        """removed: told how many files have gone, and how many bytes."""
        self._recorder = recorder
        self._reader = reader
        self._files = files
        self._claims = claims
        self._clock = clock
        self._removed = removed
        self._next_drawer = 0

    async def forget(self, sha256s: Collection[str]) -> None:
        """At once, those of these files that no message speaks of: its messages were removed on purpose.

        Whoever has just uploaded the same bytes and not sent them yet is told so, and uploads them again.
        """
        after_now_ms = self._clock().wall_ms + 1
        for part in _parts(sorted(sha256s)):
            await self._forget(part, after_now_ms, None)

    async def collect(self, put_before_ms: int, said_before_ms: int | None, pause: Pause) -> None:
        """All files put there before the one time, and spoken of only before the other (None: by nobody)."""
        past: str | None = ""
        while past is not None:
            look = partial(
                unused_media, past=past, look_at=LOOK_AT, put_before_ms=put_before_ms, said_before_ms=said_before_ms
            )
            unused, past = await self._reader.run(look)
            for part in _parts(unused):
                await self._forget(part, put_before_ms, said_before_ms)
                await pause()

    async def strays(self, written_before_ms: int) -> None:
        """Files without a row, in the next drawer: all are looked through in DRAWERS calls."""
        number, self._next_drawer = self._next_drawer, (self._next_drawer + 1) % DRAWERS
        found = await trio.to_thread.run_sync(self._files.drawer, number, written_before_ms / 1000)
        strays = await self._reader.run(partial(without_row, sha256s=found)) if found else []
        if not strays:
            return
        async with self._claims.leaving(strays) as free:
            # One may have arrived since; from here on none can.
            still = await self._reader.run(partial(without_row, sha256s=free))
            await self._remove(still)

    async def _forget(self, sha256s: Collection[str], put_before_ms: int, said_before_ms: int | None) -> None:
        async with self._claims.leaving(sha256s) as free:
            if not free:
                return
            change = ForgetMedia(
                at=self._clock(), sha256s=tuple(free), put_before_ms=put_before_ms, said_before_ms=said_before_ms
            )
            await self._remove(await self._recorder.commit(change))

    async def _remove(self, sha256s: Collection[str]) -> None:
        if sha256s:
            size_bytes = await trio.to_thread.run_sync(self._files.remove, sha256s)
            self._removed(len(sha256s), size_bytes)


def _parts(sha256s: list[str]) -> list[list[str]]:
    return [sha256s[start : start + SLICE] for start in range(0, len(sha256s), SLICE)]
