"""What the outside was told: sends that were answered, messages that the network has taken from people."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.faults.changes import Changes

# How a send may be refused while the daemon is in trouble; anything else is a fault of its own.
HONEST = {"unavailable", "shutting_down", "not_ready"}


@dataclass
class Ledger:
    """sent: the link_id of each send that was answered, by (session, message_id). injected: texts. The rest: counts."""

    sent: dict[tuple[str, str], str] = field(default_factory=dict)
    injected: set[str] = field(default_factory=set)
    refused: int = 0
    garbage: int = 0
    nacks: int = 0
    complaints: list[str] = field(default_factory=list)
    changes: Changes = field(default_factory=Changes)

    def answered(self, answer: Mapping[str, Any]) -> None:
        name = answer["session"], answer["message_id"]
        if self.sent.setdefault(name, answer["link_id"]) != answer["link_id"]:
            self.complaints.append(f"send {name} was answered with two link ids")
        self.changes.tell()

    def refusal(self, name: tuple[str, str], kind: str, message: str) -> None:
        self.refused += 1
        if kind not in HONEST:
            self.complaints.append(f"send {name} was refused: {kind}: {message}")
        self.changes.tell()

    async def more(self, count: int, timeout_s: float = 60.0) -> None:
        """Wait until so many more sends have been answered."""
        goal = len(self.sent) + count
        await self.changes.until(lambda: len(self.sent) >= goal, timeout_s, f"{count} more sends are accepted")

    async def refusals(self, count: int, timeout_s: float = 60.0) -> None:
        """Wait until so many more have been refused."""
        goal = self.refused + count
        await self.changes.until(lambda: self.refused >= goal, timeout_s, f"{count} more sends are refused")
