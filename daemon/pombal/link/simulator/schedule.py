"""Everything that is going to happen, in one heap: ten thousand accounts share it, so that none needs a task."""

import heapq
import math
from collections.abc import Callable

Action = Callable[[], None]

_GRID_S = 0.001
_ROUNDING = 1e-6  # of a grid step: 0.07 / 0.001 is 70.00000000000001
_COMPACT_ABOVE = 64


class Timer:
    """One action to come."""

    __slots__ = ("action", "at_s", "schedule")

    def __init__(self, at_s: float, action: Action, schedule: "Schedule") -> None:
        self.at_s = at_s
        self.action: Action | None = action
        self.schedule: Schedule | None = schedule  # until it is taken to be carried out

    def cancel(self) -> None:
        """Done or cancelled already: changes nothing."""
        if self.action is not None:
            self.action = None
            if self.schedule is not None:
                self.schedule.cancelled()


class Schedule:
    """Timers in the order of their times, then of their making. Pure: the caller brings the time, in seconds."""

    __slots__ = ("_cancelled", "_heap", "_made")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []  # no two compare equal, so no timer is ever looked at
        self._made = 0
        self._cancelled = 0

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    @property
    def next_at_s(self) -> float:
        """When the next one is due; infinity when there is none."""
        return self._heap[0][0] if self._heap else math.inf

    def add(self, now_s: float, delay_s: float, action: Action) -> Timer:
        """Times lie on a grid of milliseconds, so that many timers share a wake-up."""
        at_s = now_s if delay_s <= 0 else math.ceil((now_s + delay_s) / _GRID_S - _ROUNDING) * _GRID_S
        self._made += 1
        timer = Timer(at_s, action, self)
        heapq.heappush(self._heap, (at_s, self._made, timer))
        return timer

    def take_due(self, now_s: float) -> list[Timer]:
        """All whose time has come; one of them may still be cancelled by another's action (its action is None then)."""
        due = []
        while self._heap and self._heap[0][0] <= now_s:
            _, _, timer = heapq.heappop(self._heap)
            timer.schedule = None
            if timer.action is None:
                self._cancelled -= 1
            else:
                due.append(timer)
        return due

    def cancelled(self) -> None:
        """One of the timers has been cancelled. They are swept out before they are the most."""
        self._cancelled += 1
        if self._cancelled > max(_COMPACT_ABOVE, len(self._heap) // 2):
            self._heap = [entry for entry in self._heap if entry[2].action is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0
