"""What retention has removed, as it is told."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

REMOVED = ("messages", "events", "audit", "rollups", "media_files", "media_bytes")


@dataclass(slots=True)
class Removals:
    """What has gone since the daemon started, and when a round was last finished (epoch ms; None: not yet).

    ``told`` hears of each, by one of the names in REMOVED.
    """

    told: Callable[[str, int], None]
    counts: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(REMOVED, 0)))
    last_round_at_ms: int | None = None

    def add(self, what: str, count: int) -> None:
        if count:
            self.counts[what] += count
            self.told(what, count)

    def add_files(self, count: int, size_bytes: int) -> None:
        self.add("media_files", count)
        self.add("media_bytes", size_bytes)
