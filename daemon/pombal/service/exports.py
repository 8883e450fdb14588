"""Exports of people's data: made into files that have no name, handed out in chunks, gone once they were read.

Without a name, for one holds all that somebody has said: whoever dies leaves nothing of it behind.
"""

import os
from collections import Counter
from dataclasses import dataclass
from functools import partial
from tempfile import TemporaryFile
from typing import IO

import trio

from pombal.media.shelf import disk_refuses
from pombal.model.errors import Kind, PombalError, not_found
from pombal.model.ids import new_ulid
from pombal.model.person import Person
from pombal.service.deps import Deps
from pombal.service.export_making import Maker
from pombal.store.person_queries import everybody_called

EXPORTS_MAX = 2
"""Finished or being made, at once: each may be as large as all of a person's files."""
KEPT_S = 600.0
"""How long one is kept of which nobody reads any more."""
TRY_AGAIN_S = 10


@dataclass(slots=True)
class Export:
    """One that is ready; see Maker for its counts."""

    descriptor: int
    size_bytes: int
    counts: Counter[str]
    touched_s: float
    readers: int = 0
    is_dropped: bool = False

    def drop(self) -> None:
        """Close it, when nobody is reading: its descriptor's number may be another file's a moment later."""
        self.is_dropped = True
        if not self.readers and self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class Exports:
    """Holds at most EXPORTS_MAX files, by descriptor."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._ready: dict[str, Export] = {}
        self._making = 0

    async def make(self, asked: Person) -> tuple[str, Export]:
        """(its name, what it is). Raises PombalError: rate_limited, unavailable."""
        self._give_up_silent()
        if len(self._ready) + self._making >= EXPORTS_MAX:
            raise PombalError(
                Kind.RATE_LIMITED,
                f"{EXPORTS_MAX} exports are under way; read one to its end, or wait",
                retry_after_s=TRY_AGAIN_S,
            )
        self._making += 1
        try:
            export = await self._made(asked)
        except OSError as error:
            raise disk_refuses("stored", error) from error
        finally:
            self._making -= 1
        name = new_ulid()
        self._ready[name] = export
        return name, export

    async def read(self, name: str, offset: int, limit: int) -> tuple[bytes, bool]:
        """(bytes from offset, whether nothing follows: then it is gone). Raises PombalError (not_found)."""
        export = self._ready.get(name)
        if export is None:
            raise not_found("there is no such export (any more): it goes once it was read, or ten minutes later")
        export.touched_s = trio.current_time()
        export.readers += 1
        try:
            data = await trio.to_thread.run_sync(os.pread, export.descriptor, limit, offset)
        finally:
            export.readers -= 1
            if export.is_dropped:
                export.drop()
        is_end = offset + len(data) >= export.size_bytes
        if is_end and self._ready.pop(name, None) is not None:
            export.drop()
        return data, is_end

    def discard_all(self) -> None:
        """Somebody is erased: what was exported of them is not handed out any more."""
        for name in list(self._ready):
            self._ready.pop(name).drop()

    def _give_up_silent(self) -> None:
        now_s = trio.current_time()
        for name, export in list(self._ready.items()):
            if now_s - export.touched_s > KEPT_S:
                self._ready.pop(name).drop()

    async def _made(self, asked: Person) -> Export:
        person = await self._deps.reader.run(partial(everybody_called, asked=asked))
        with await trio.to_thread.run_sync(self._without_name) as file:
            maker = Maker(self._deps, person, file)
            await maker.make()
            file.flush()
            descriptor = os.dup(file.fileno())
        return Export(descriptor, os.fstat(descriptor).st_size, maker.counts, trio.current_time())

    def _without_name(self) -> IO[bytes]:
        return TemporaryFile(dir=self._deps.database.parent)
