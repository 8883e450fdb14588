"""What waits for the recorder: a bounded queue, and behind it those who wait for a place in it.

A memory channel's bounds and order, but one can look through what waits: while the store is down, requests are taken
out of it and refused.
"""

from collections import deque

import trio

from pombal.model.errors import PombalError
from pombal.recorder.submission import Submission


class _Blocked:
    """A task that waits for a place; ``error``: it gets none."""

    __slots__ = ("error", "submission", "task")

    def __init__(self, submission: Submission, task: trio.lowlevel.Task) -> None:
        self.submission = submission
        self.task = task
        self.error: PombalError | None = None


class InTray:
    """In the order in which ``put`` was called, whoever had to wait."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._placed: deque[Submission] = deque()
        self._blocked: deque[_Blocked] = deque()
        self._arrived = trio.Event()

    def __len__(self) -> int:
        """Submissions that have their place."""
        return len(self._placed)

    async def put(self, submission: Submission) -> None:
        """Wait for a place and take it. Raises Cancelled, or what the tray was closed with: then it has none."""
        if len(self._placed) < self._capacity:
            self._place(submission)
            return
        blocked = _Blocked(submission, trio.lowlevel.current_task())
        self._blocked.append(blocked)

        def abort(_: object) -> trio.lowlevel.Abort:
            self._blocked.remove(blocked)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)
        if blocked.error is not None:
            raise blocked.error

    async def arrival(self) -> None:
        """Wait until something has a place."""
        if not self._placed:
            self._arrived = trio.Event()
            await self._arrived.wait()

    def take(self, max_rows: int) -> list[Submission]:
        """The oldest submissions, up to max_rows changes in all; at least one, however large."""
        taken, rows = list[Submission](), 0
        while self._placed and rows < max_rows:
            taken.append(self._placed.popleft())
            rows += len(taken[-1].changes)
        self._let_in()
        return taken

    def take_refusable(self, error: PombalError) -> list[Submission]:
        """Everything that may be refused; for those of it that have no place yet, put raises error."""
        refusable = [held for held in self._placed if held.may_be_refused]
        self._placed = deque(held for held in self._placed if not held.may_be_refused)
        self._turn_away([blocked for blocked in self._blocked if blocked.submission.may_be_refused], error)
        self._let_in()
        return refusable

    def close(self, error: PombalError) -> None:
        """Nothing more gets a place: put raises error for those who wait."""
        self._turn_away(list(self._blocked), error)
        self._arrived.set()

    def _place(self, submission: Submission) -> None:
        self._placed.append(submission)
        self._arrived.set()

    def _let_in(self) -> None:
        while self._blocked and len(self._placed) < self._capacity:
            blocked = self._blocked.popleft()
            self._place(blocked.submission)
            trio.lowlevel.reschedule(blocked.task)

    def _turn_away(self, those: list[_Blocked], error: PombalError) -> None:
        for blocked in those:
            self._blocked.remove(blocked)
            blocked.error = error
            trio.lowlevel.reschedule(blocked.task)
