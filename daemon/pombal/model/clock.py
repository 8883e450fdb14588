"""Stamps that survive a jump of the wall clock: the wall clock at a message's queueing plus a monotonic clock."""

import time
from bisect import bisect_right
from typing import NamedTuple, Protocol

# Reading two clocks is not atomic; a smaller difference is jitter, a larger one a step of the wall clock. It bounds the
# error of a latency, too: an NTP daemon that slews the clock moves it by half a millisecond a second.
STEP_MS = 5
MAX_STEPS = 10_000


class Stamp(NamedTuple):
    """One moment on both clocks, in milliseconds."""

    wall_ms: int
    mono_ms: int

    @property
    def offset_ms(self) -> int:
        return self.wall_ms - self.mono_ms


class Clock(Protocol):
    """Where stamps come from; tests have one they can turn."""

    def __call__(self) -> Stamp: ...


def system_clock() -> Stamp:
    return Stamp(time.time_ns() // 1_000_000, time.monotonic_ns() // 1_000_000)


class ClockHistory:
    """Which offset between the two clocks held when a message was queued.

    Message ids grow by commit, so one entry a step of the wall clock is enough: the first id queued after it. What was
    queued before this life of the daemon has no anchor, and its later stamps are plain wall-clock ones.
    """

    def __init__(self, first_id: int) -> None:
        self._first_id = first_id
        self._first_ids: list[int] = []
        self._offsets_ms: list[int] = []

    def queued(self, message_id: int, stamp: Stamp) -> None:
        """Note that message_id, the highest so far, was queued at stamp."""
        while self._first_ids and self._first_ids[-1] >= message_id:  # handed out before, and rolled back
            self._first_ids.pop()
            self._offsets_ms.pop()
        if not self._offsets_ms or abs(stamp.offset_ms - self._offsets_ms[-1]) > STEP_MS:
            self._first_ids.append(message_id)
            self._offsets_ms.append(stamp.offset_ms)
            del self._first_ids[:-MAX_STEPS], self._offsets_ms[:-MAX_STEPS]

    def resolve_ms(self, message_id: int, stamp: Stamp) -> int:
        """When stamp was, on the clock that message_id was queued by."""
        index = bisect_right(self._first_ids, message_id) - 1
        if message_id < self._first_id or index < 0:
            return stamp.wall_ms
        return self._offsets_ms[index] + stamp.mono_ms
