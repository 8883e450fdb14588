"""What a page takes over time: a slope, for the bytes themselves say more about the machine than about us."""

import statistics
import time
from itertools import combinations
from typing import Any

from playwright.sync_api import Page

WARM_UP_S = 15.0
"""Until lists are as long as they get, and scripts have been compiled."""
APART_S = 10.0
"""Samples nearer to each other than this say nothing about a slope."""


class HeapWatch:
    """Samples of one page: (its age in seconds, bytes of scripts and nodes that somebody still holds)."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.samples: list[tuple[float, int]] = []
        self._session = page.context.new_cdp_session(page)
        self._begun = time.monotonic()

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._begun

    def sample(self) -> None:
        """Collect all that nobody holds, then look."""
        if self.age_s < WARM_UP_S:
            return
        self._session.send("HeapProfiler.collectGarbage")
        usage: dict[str, Any] = self._session.send("Runtime.getHeapUsage")
        self.samples.append((self.age_s, int(usage["usedSize"])))

    def bytes_a_minute(self) -> float:
        """The median of the slopes between samples (Theil and Sen's): a single odd sample does not move it."""
        slopes = [
            (later_bytes - bytes_) / (later_s - at_s)
            for (at_s, bytes_), (later_s, later_bytes) in combinations(self.samples, 2)
            if later_s - at_s >= APART_S
        ]
        return statistics.median(slopes) * 60
