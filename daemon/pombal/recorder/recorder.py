"""The recorder actor: group commit without a timer.

While one transaction is being written, what arrives waits; the next transaction takes all of it. So a batch grows by
itself under load, and a lone message is committed at once. The next one begins before the last is told: the writer has
no need to wait until everybody has heard.
"""

import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
import trio

from pombal.actors.backoff import Backoff
from pombal.config.settings import RecorderSettings
from pombal.model.changes import Change
from pombal.model.clock import system_clock
from pombal.model.errors import Kind, PombalError
from pombal.recorder.intray import InTray
from pombal.recorder.submission import Answered, Submission
from pombal.store.writer import CommitReport, PartlyCommitted, StoreUnavailable

log = structlog.get_logger()

FIRST_RETRY_S = 0.05


class Commits(Protocol):
    """The store's side of the recorder: carries a batch out in its thread, or says why it cannot now."""

    def commit(self, batch: Sequence[Change]) -> Awaitable[CommitReport]:
        """Begin at once; the report is waited for later."""
        ...


class RecorderClosed(PombalError):
    """The daemon drains: nothing more is recorded. Who asked is told so; what only happened comes again."""

    def __init__(self) -> None:
        super().__init__(Kind.SHUTTING_DOWN, "the daemon is shutting down")


@dataclass(frozen=True, slots=True)
class Commit:
    """A transaction that is on disk: when it was done (epoch ms), how many changes it carried, how long it took."""

    at_ms: int
    changes: int
    seconds: float


class Recorder:
    """Takes changes in, in order; has them committed; then tells listeners, then whoever submitted them.

    ``run`` is its actor. What waits, the batch in hand and its commit are the recorder's and not the actor's, so that a
    crash of the actor loses nothing and repeats nothing: the next one goes on with the batch that was not finished.
    """

    def __init__(self, settings: RecorderSettings, store: Commits, on_commit: Callable[[CommitReport], None]) -> None:
        self._settings = settings
        self._store = store
        self._on_commit = on_commit
        self._tray = InTray(settings.queue_capacity)
        self._in_hand: list[Submission] = []
        self._under_way: Awaitable[CommitReport] | None = None
        self._backoff = Backoff(FIRST_RETRY_S, settings.retry_max_s, _jitter)
        self._is_closed = False
        self.commits: deque[Commit] = deque(maxlen=512)
        self.unavailable: str | None = None

    @property
    def queue_depth(self) -> int:
        """Submissions that wait or are being committed."""
        return len(self._tray) + len(self._in_hand)

    @property
    def depth(self) -> int:
        """The same, as the actor tree calls it."""
        return self.queue_depth

    @property
    def capacity(self) -> int:
        return self._settings.queue_capacity

    @property
    def commit_seconds_p99(self) -> float | None:
        """Of the last 512 commits."""
        ordered = sorted(commit.seconds for commit in self.commits)
        return ordered[int(len(ordered) * 0.99)] if ordered else None

    def refuse_while_unavailable(self) -> None:
        """Raises PombalError (unavailable) with the reason while the store cannot be written.

        With nothing else to try the store by, a request is the one to find out whether it is well again.
        """
        if self.unavailable is not None and self.queue_depth:
            raise _unavailable(self.unavailable)

    async def submit(self, changes: Sequence[Change], answered: Answered | None = None) -> None:
        """Give changes their place in the commit order; waits while the queue is full.

        answered is called once, after the commit, with an answer a change (a PombalError among them is a refusal); a
        submission that could not be committed and may be refused gets `unavailable` for each. Without changes it is
        called in its turn all the same: after everything that was submitted before. Raises PombalError: unavailable at
        once for what may be refused while the store is down, RecorderClosed once closed.
        """
        submission = Submission(changes, answered)
        if self._is_closed:
            raise RecorderClosed
        if self.unavailable is not None and submission.may_be_refused:
            self.refuse_while_unavailable()
        await self._tray.put(submission)

    async def commit(self, change: Change, decided: Callable[[], None] | None = None) -> Any:
        """The answer to one change, once it is committed. Raises PombalError where the answer is one.

        decided: called once when there is an answer, or never will be, whether or not the caller still waits for it.
        """
        return (await self.commit_all([change], decided))[0]

    async def commit_all(self, changes: Sequence[Change], decided: Callable[[], None] | None = None) -> list[Any]:
        """The answers to changes that have one place in the order. Raises the first PombalError among them.

        A caller that is cancelled meanwhile takes nothing back: what has its place is committed.
        """
        done, answers = trio.Event(), list[Any]()
        decided = decided or _nothing

        def answered(given: Sequence[Any]) -> None:
            answers.extend(given)
            done.set()
            decided()

        try:
            await self.submit(changes, answered)
        except BaseException:
            decided()
            raise
        await done.wait()
        for answer in answers:
            if isinstance(answer, PombalError):
                raise answer
        return answers

    async def caught_up(self) -> None:
        """Wait until everything that is on disk by now has been told to the listeners, too."""
        await trio.lowlevel.checkpoint()
        if self._in_hand:
            await self.commit_all([])

    async def run(self) -> None:
        """The actor: commits until it is closed and everything is on disk."""
        while True:
            while self.queue_depth:
                await self._commit_in_hand()
            if self._is_closed:
                return
            await self._tray.arrival()

    def close(self) -> None:
        """Take nothing more, also from those who wait for a place; ``run`` returns when the rest is committed."""
        self._is_closed = True
        self._tray.close(RecorderClosed())

    async def _commit_in_hand(self) -> None:
        try:
            report = await self._begun()
        except PartlyCommitted as partly:
            self._committed(partly.report)
        except StoreUnavailable as error:
            self._store_failed(str(error))
            await trio.sleep(self._backoff.next_s())
        else:
            if report.has_written:
                self._store_works()
            self._committed(report)

    async def _begun(self) -> CommitReport:
        """The report of the commit that is under way, of a new one where there is none."""
        under_way = self._under_way or self._begin()
        try:
            report = await under_way
        except trio.Cancelled:  # it goes on all the same, and must not be begun once more
            raise
        except BaseException:
            self._under_way = None
            raise
        self._under_way = None
        return report

    def _begin(self) -> Awaitable[CommitReport]:
        if not self._in_hand:
            self._in_hand = self._tray.take(self._settings.max_batch_rows)
        self._under_way = self._store.commit([change for held in self._in_hand for change in held.rest])
        return self._under_way

    def _committed(self, report: CommitReport) -> None:
        told = 0
        for held in self._in_hand:
            told += held.take_answers(report.answers, told)
        finished = [held for held in self._in_hand if held.is_finished]
        self._in_hand = [held for held in self._in_hand if not held.is_finished]
        self.commits.append(Commit(system_clock().wall_ms, len(report.answers), report.seconds))
        if self.queue_depth:
            self._begin()
        try:
            self._on_commit(report)
        finally:  # who submitted must hear of it even when a listener crashes
            for held in finished:
                held.finish()

    def _store_failed(self, reason: str) -> None:
        """Requests are refused, wherever they wait: only what has happened already can wait for the store."""
        if self.unavailable is None:
            log.error("store unavailable", reason=reason, waiting=self.queue_depth)
        self.unavailable = reason
        refused = [held for held in self._in_hand if held.may_be_refused]
        self._in_hand = [held for held in self._in_hand if not held.may_be_refused]
        for held in [*refused, *self._tray.take_refusable(_unavailable(reason))]:
            held.refuse(_unavailable(reason))

    def _store_works(self) -> None:
        if self.unavailable is not None:
            log.info("store available again", waiting=self.queue_depth)
            self.unavailable = None
            self._backoff.reset()


def _nothing() -> None:
    """Nobody else has to know."""


_jitter = random.Random()  # noqa: S311  # spreads retries; nothing secret comes from it


def _unavailable(reason: str) -> PombalError:
    return PombalError(
        Kind.UNAVAILABLE, f"nothing can be recorded now: {reason}; what was accepted before is safe, try again later"
    )
