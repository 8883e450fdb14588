"""Erasing people: wanted first and written down, then carried out to the end, over restarts if need be.

Several erasures share the dear part, in which the search index and the database file are written anew.
"""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from functools import partial
from typing import Protocol

import structlog
import trio

from pombal.model import changes, erasure_changes, removal_changes
from pombal.model.clock import Clock
from pombal.model.erasure import ErasureRow, ErasureState, Progress
from pombal.model.errors import PombalError
from pombal.model.person import Person
from pombal.model.person_sides import Belongings, LinkSide
from pombal.recorder.recorder import Recorder
from pombal.store.erasure_queries import unfinished_erasures
from pombal.store.person_queries import (
    Found,
    audit_of,
    events_of,
    everybody_called,
    look_through,
    rejected_of,
    sessions_naming,
)
from pombal.store.reader import Reader
from pombal.store.session_queries import ids_by_key
from pombal.store.writer import StoreUnavailable

log = structlog.get_logger()

MESSAGES_SLICE = 100
ROWS_SLICE = 2000
MERGE_PAGES = 200
RETRY_S = 10.0
LOG_LOOK_S = 0.2

Look = Callable[..., tuple[list[int], int]]


class Scrubs(Protocol):
    """The store's file, written anew; both raise StoreUnavailable."""

    async def rewrite(self) -> None: ...

    async def empty_log(self) -> bool: ...


class ForgetsMedia(Protocol):
    """Takes those files off the shelf that no message speaks of; see MediaCollector."""

    async def forget(self, sha256s: Collection[str]) -> None: ...


class Erasing:
    """One actor. ``want`` may be called from anywhere in the loop."""

    def __init__(
        self,
        recorder: Recorder,
        reader: Reader,
        store: Scrubs,
        media: ForgetsMedia,
        sides: Sequence[LinkSide],
        forget_shown: Callable[[], None],
        clock: Clock,
    ) -> None:
        """forget_shown: what is held in memory to be shown of events is to be read from the store again."""
        self._recorder = recorder
        self._reader = reader
        self._store = store
        self._media = media
        self._sides = sides
        self._forget_shown = forget_shown
        self._clock = clock
        self._progress: dict[str, Progress] = {}
        self._wanted = trio.Event()
        self._moved = trio.Event()
        self._is_stopped = False

    # For whoever asks

    def wanted(self) -> None:
        """One more has been written down."""
        self._wanted.set()

    def progress(self, erasure: str) -> Progress:
        return self._progress.get(erasure, Progress())

    def next_move(self) -> trio.Event | None:
        """Set when an erasure has come to its next step or to its end; None once nothing is carried out any more."""
        return None if self._is_stopped else self._moved

    # The actor

    async def run(self) -> None:
        """Until cancelled. What is not done then goes on at the next start."""
        self._is_stopped = False
        try:
            await self._carry_out()
        finally:
            self._is_stopped = True
            self._tell()

    async def _carry_out(self) -> None:
        while True:
            self._wanted = trio.Event()
            try:
                if unfinished := await self._reader.run(unfinished_erasures):
                    if not await self._round(unfinished):
                        await trio.sleep(RETRY_S)
                    continue
            except (PombalError, StoreUnavailable) as error:
                # What is wanted is written down: it goes on where it stopped, now or after a restart.
                log.warning("erasure put off", reason=str(error))
                self._say_all(list(self._progress.values()), f"waits: {error}")
                await trio.sleep(RETRY_S)
                continue
            await self._wanted.wait()

    async def _round(self, unfinished: list[ErasureRow]) -> bool:
        """Whether all of them are done. One that has to wait, for a file that is in use say, holds up no other."""
        ready = [erasure for erasure in unfinished if await self._is_removed(erasure)]
        if ready:
            await self._scrub([erasure.id for erasure in ready])
            ids = tuple(erasure.id for erasure in ready)
            await self._recorder.commit(erasure_changes.FinishErasures(at=self._clock(), erasures=ids))
            for erasure in ready:
                log.info("contact erased", erasure=erasure.id, removed=dict(self._progress.pop(erasure.id).removed))
            self._tell()
        return len(ready) == len(unfinished)

    async def _is_removed(self, erasure: ErasureRow) -> bool:
        """Whether no row is left of it by now; else it says why it waits."""
        progress = self._progress.setdefault(erasure.id, Progress())
        if erasure.state == ErasureState.WANTED and erasure.person is not None:
            try:
                await self._remove(erasure, erasure.person)
            except PombalError as error:
                log.warning("erasure put off", erasure=erasure.id, reason=error.message)
                self._say(progress, f"waits: {error.message}")
                return False
        return True

    # Rows

    async def _remove(self, erasure: ErasureRow, person: Person) -> None:
        progress = self._progress[erasure.id]
        for side in self._sides:
            person = await side.also_called(person)
        person = await self._reader.run(partial(everybody_called, asked=person))
        await self._at_links(erasure, person, progress)
        await self._messages(erasure, person, progress)
        self._say(progress, "removes what else speaks of them")
        await self._rows(person, progress)
        if media := await self._files_of(erasure.id):
            await self._media.forget(media)
        progress.removed["media_files"] += len(media)
        self._forget_shown()
        receipt = {"removed": dict(progress.removed), "not_reached": progress.not_reached}
        await self._recorder.commit(erasure_changes.ForgetPerson(at=self._clock(), erasure=erasure.id, receipt=receipt))

    async def _at_links(self, erasure: ErasureRow, person: Person, progress: Progress) -> None:
        """First, while their messages still say under which ids WhatsApp's client has them."""
        self._say(progress, "looks for their messages")
        belongings = Belongings()
        ids = await self._reader.run(ids_by_key)
        async for found in self._windows(erasure, person, mentions=False):
            for key, link_id in found.link_ids:
                belongings.link_ids.setdefault(ids[key], []).append(link_id)
            belongings.media.update(found.media)
        for side in self._sides:
            self._say(progress, f"removes them from the link {side.name}")
            report = await side.erase(person, belongings)
            progress.removed[side.name] += report.removed
            progress.not_reached += [text for text in report.not_reached if text not in progress.not_reached]

    async def _messages(self, erasure: ErasureRow, person: Person, progress: Progress) -> None:
        self._say(progress, "removes their messages")
        async for found in self._windows(erasure, person, mentions=True):
            for part in _slices(found.theirs, MESSAGES_SLICE):
                change = erasure_changes.EraseMessages(at=self._clock(), erasure=erasure.id, message_ids=part)
                removed: removal_changes.RemovedMessages = await self._recorder.commit(change)
                progress.removed["messages"] += removed.count
            for part in _slices(found.mentions, MESSAGES_SLICE):
                redact = erasure_changes.RedactMentions(at=self._clock(), person=person, message_ids=part)
                progress.removed["mentions"] += await self._recorder.commit(redact)

    async def _windows(self, erasure: ErasureRow, person: Person, *, mentions: bool) -> AsyncIterator[Found]:
        next_id: int | None = 1
        while next_id is not None:
            found: Found = await self._reader.run(
                partial(look_through, person=person, from_id=next_id, up_to_id=erasure.up_to, mentions=mentions)
            )
            next_id = found.next_id
            yield found  # noqa: ASYNC119  # nothing is open here

    async def _rows(self, person: Person, progress: Progress) -> None:
        """Everything beside the messages: short tables but for the events."""
        now = self._clock()
        for name, look, change in (
            ("events", events_of, lambda ids: erasure_changes.EraseEvents(at=now, seqs=ids)),
            ("rejected", rejected_of, lambda ids: erasure_changes.EraseRejected(at=now, ids=ids)),
            ("audit", audit_of, lambda ids: erasure_changes.RedactAudit(at=now, person=person, ids=ids)),
        ):
            progress.removed[name] += await self._all(look, person, change)
        keys = await self._reader.run(partial(sessions_naming, person=person))
        forget = erasure_changes.EraseContacts(at=now, person=person, session_keys=tuple(keys))
        progress.removed["contacts"] += await self._recorder.commit(forget)

    async def _all(self, look: Look, person: Person, change: Callable[[tuple[int, ...]], changes.Change]) -> int:
        removed, past, before = 0, 0, -1
        while past != before:
            before = past
            found, past = await self._reader.run(partial(_looked, look, person, past))
            for part in _slices(found, ROWS_SLICE):
                removed += await self._recorder.commit(change(part))
        return removed

    async def _files_of(self, erasure: str) -> tuple[str, ...]:
        there = await self._reader.run(unfinished_erasures)
        return next((row.media for row in there if row.id == erasure), ())

    # What rows leave behind

    async def _scrub(self, erasures: list[str]) -> None:
        """Nothing of what was removed is in any byte of the store's files afterwards."""
        steps = [self._progress[erasure] for erasure in erasures]
        self._say_all(steps, "merges the search index")
        begins = True
        while await self._recorder.commit(
            erasure_changes.MergeSearch(at=self._clock(), pages=MERGE_PAGES, begins=begins)
        ):
            begins = False
        self._say_all(steps, "writes the database anew")
        await self._store.rewrite()
        self._say_all(steps, "empties the write-ahead log, when nobody reads an older state")
        while not await self._store.empty_log():  # noqa: ASYNC110  # a reader in another process tells nobody
            await trio.sleep(LOG_LOOK_S)

    def _say(self, progress: Progress, step: str) -> None:
        progress.step = step
        self._tell()

    def _say_all(self, steps: list[Progress], step: str) -> None:
        for progress in steps:
            progress.step = step
        self._tell()

    def _tell(self) -> None:
        self._moved.set()
        self._moved = trio.Event()


def _looked(look: Look, person: Person, past: int, connection: object) -> tuple[list[int], int]:
    return look(connection, person, past, ROWS_SLICE)


def _slices(ids: Sequence[int], size: int) -> list[tuple[int, ...]]:
    return [tuple(ids[start : start + size]) for start in range(0, len(ids), size)]
