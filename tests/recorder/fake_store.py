"""A store that commits, fails or takes its time as it is told, and small changes to give it."""

from collections import deque
from collections.abc import Sequence

import trio

from pombal.model.changes import CancelMessage, Change, CountSession
from pombal.model.clock import Stamp
from pombal.store.writer import CommitReport

AT = Stamp(1_700_000_000_000, 1000)


def fact(number: int) -> CountSession:
    """Something that has happened already; told apart by its number."""
    return CountSession(at=AT, session_key=number)


def request(number: int) -> CancelMessage:
    """Something that somebody asks for."""
    return CancelMessage(at=AT, session_key=number, message_id="m")


def number_of(change: Change) -> int:
    assert isinstance(change, CountSession | CancelMessage)
    return change.session_key


class FakeStore:
    """Answers each change with its number. ``outcomes``: what the next commits raise, None: they succeed."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.outcomes: deque[Exception | None] = deque()
        self.is_down: Exception | None = None
        self.commit_s = 0.0

    @property
    def committed(self) -> list[int]:
        return [number for batch in self.batches for number in batch]

    async def commit(self, batch: Sequence[Change]) -> CommitReport:
        await trio.sleep(self.commit_s)
        outcome = self.outcomes.popleft() if self.outcomes else self.is_down
        if outcome is not None:
            raise outcome
        return self.keep(batch)

    def keep(self, batch: Sequence[Change]) -> CommitReport:
        numbers = [number_of(change) for change in batch]
        self.batches.append(numbers)
        return CommitReport(answers=list(numbers), seconds=0.001)
