"""How many sessions stand where: counted as they move, for whoever asks must not cost a walk past ten thousand."""

from collections import Counter

from pombal.model.session import LinkKind
from pombal.model.session_state import SessionState, SessionStatus

Counts = dict[tuple[SessionStatus, LinkKind], int]


class Census:
    """Sessions by status and link, and the messages that all of them have queued."""

    def __init__(self) -> None:
        self._counts = Counter[tuple[SessionStatus, LinkKind]]()
        self.queued = 0

    def entered(self, state: SessionState, link: LinkKind, queued: int) -> None:
        self._counts[state.status, link] += 1
        self.queued += queued

    def left(self, state: SessionState, link: LinkKind, queued: int) -> None:
        self._counts[state.status, link] -= 1
        self.queued -= queued

    def moved(self, before: SessionState, after: SessionState, link: LinkKind) -> None:
        self._counts[before.status, link] -= 1
        self._counts[after.status, link] += 1

    def counts(self) -> Counts:
        """Only where there are any."""
        return {standing: count for standing, count in self._counts.items() if count}
