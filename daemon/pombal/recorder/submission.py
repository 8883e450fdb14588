"""A submission: changes that have one place in the commit order, and one who hears of their answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from pombal.model.changes import Asked, Change
from pombal.model.errors import PombalError

log = structlog.get_logger()

Answered = Callable[[Sequence[Any]], None]


@dataclass(slots=True)
class Submission:
    """``answered`` is called once, with all answers, when the last change is committed."""

    changes: Sequence[Change]
    answered: Answered | None
    answers: list[Any] = field(default_factory=list)

    @property
    def may_be_refused(self) -> bool:
        """Whether somebody asks for all of it, and nothing of it is committed yet."""
        return bool(self.changes) and not self.answers and all(isinstance(change, Asked) for change in self.changes)

    @property
    def rest(self) -> Sequence[Change]:
        """What is not committed yet."""
        return self.changes[len(self.answers) :]

    @property
    def is_finished(self) -> bool:
        return len(self.answers) == len(self.changes)

    def take_answers(self, given: Sequence[Any], start: int) -> int:
        """Those from start on are for what is not committed yet, as far as they go; how many were taken."""
        taken = given[start : start + len(self.changes) - len(self.answers)]
        self.answers += taken
        return len(taken)

    def refuse(self, error: PombalError) -> None:
        self.answers = [error] * len(self.changes)
        self.finish()

    def finish(self) -> None:
        """Tell the answers. One who crashes at hearing them must not keep the others from theirs."""
        if self.answered is None:
            return
        try:
            self.answered(self.answers)
        except Exception:
            log.exception("answer crashed", changes=[type(change).__name__ for change in self.changes])
