"""A place in the fleet: at most one gateway process at a time, and the sessions that belong to it."""

import trio

from pombal.actors.tree import ActorInfo
from pombal.link.web.process import GatewayProcess


class Slot:
    """leased: sessions that are connected through it. left_at_s: those that were, and when: they may come back."""

    def __init__(self, name: str, info: ActorInfo) -> None:
        self.name = name
        self.info = info
        self.process: GatewayProcess | None = None
        self.lock = trio.Lock()  # start and stop, one after the other
        self.leased: set[str] = set()
        self.left_at_s: dict[str, float] = {}
        self.starts = 0

    @property
    def is_retiring(self) -> bool:
        return self.process is not None and self.process.is_retiring and not self.process.has_ended.is_set()

    def holds(self, session_id: str) -> bool:
        return session_id in self.leased or session_id in self.left_at_s

    def has_room(self, sessions_max: int) -> bool:
        return not self.is_retiring and len(self.leased) + len(self.left_at_s) < sessions_max

    def take(self, session_id: str) -> None:
        self.left_at_s.pop(session_id, None)
        self.leased.add(session_id)

    def leave(self, session_id: str, now_s: float) -> None:
        self.leased.discard(session_id)
        self.left_at_s[session_id] = now_s

    def drop(self, session_id: str) -> None:
        """It does not come back here."""
        self.left_at_s.pop(session_id, None)

    def forget_since(self, before_s: float) -> None:
        """Those that left before then."""
        self.left_at_s = {each: left_s for each, left_s in self.left_at_s.items() if left_s >= before_s}

    @property
    def is_empty(self) -> bool:
        return not self.leased and not self.left_at_s
