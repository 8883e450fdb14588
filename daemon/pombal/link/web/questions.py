"""Commands that wait for their answer, and files that are under way with them."""

from collections import deque

from pombal.link.web.bell import Bell
from pombal.link.wire.daemon_end import Answered, Declined


class GatewayDeclined(Exception):
    """The gateway answered a command with an error."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind = kind
        self.detail = detail


class Question:
    """One command: its answer once it came, and meanwhile the chunks of its transfer (never more than the window)."""

    __slots__ = ("answer", "bell", "chunks", "payload")

    def __init__(self, payload: str) -> None:
        self.payload = payload
        self.answer: Answered | Declined | None = None
        self.chunks: deque[bytes] = deque()
        self.bell = Bell()
