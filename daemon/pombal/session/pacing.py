"""Pacing: a token bucket, so that a number does not write faster than a person's would be believed to."""

from collections.abc import Mapping
from typing import Any

from pombal.config.settings import OutboxSettings
from pombal.model.session import LinkKind


class Pacer:
    """Up to ``burst`` at once, then ``per_second``; time is any clock in seconds that does not go back."""

    __slots__ = ("_burst", "_per_second", "_tokens", "_updated_s")

    def __init__(self, per_second: float, burst: int, now_s: float) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._tokens = float(burst)
        self._updated_s = now_s

    def wait_s(self, now_s: float) -> float:
        """How long until the next one may go; 0: now."""
        self._refill(now_s)
        return 0.0 if self._tokens >= 1 else (1 - self._tokens) / self._per_second

    def take(self, now_s: float) -> None:
        """One goes now."""
        self._refill(now_s)
        self._tokens -= 1

    def _refill(self, now_s: float) -> None:
        elapsed_s = max(0.0, now_s - self._updated_s)
        self._tokens = min(self._burst, self._tokens + elapsed_s * self._per_second)
        self._updated_s = max(self._updated_s, now_s)


Pace = tuple[float, int]
"""Messages a second, and how many may go at once before that applies."""


def pace_of(link: LinkKind, own: Mapping[str, Any], defaults: OutboxSettings) -> Pace | None:
    """The pace of a session by its own settings; none on the simulator, but where they ask for one."""
    per_second, burst = own.get("messages_per_second"), own.get("burst")
    if link == LinkKind.SIMULATOR and per_second is None:
        return None
    return per_second or defaults.messages_per_second, burst or defaults.burst
