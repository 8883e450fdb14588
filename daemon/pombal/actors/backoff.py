"""Jittered exponential backoff: pauses that double up to a longest one, so that those who failed at once come apart."""

import random

_MAX_DOUBLINGS = 64  # beyond any bound in seconds; keeps 2**n a small integer


def backoff_s(attempt: int, min_s: float, max_s: float, rng: random.Random) -> float:
    """The pause before try number attempt (1 is the first): min_s doubled each time, of which 50 to 100 % by chance.

    The jitter only shortens, so no pause is ever longer than max_s.
    """
    nominal_s: float = min(max_s, min_s * 2.0 ** min(attempt - 1, _MAX_DOUBLINGS))
    return nominal_s * rng.uniform(0.5, 1.0)


class Backoff:
    """The pauses of one who tries again and again; reset it after a success."""

    __slots__ = ("_attempts", "_max_s", "_min_s", "_rng")

    def __init__(self, min_s: float, max_s: float, rng: random.Random) -> None:
        """rng may be shared by all: a random.Random of its own costs 2.5 KB."""
        self._min_s = min_s
        self._max_s = max_s
        self._rng = rng
        self._attempts = 0

    def next_s(self) -> float:
        """How long to wait before the next try."""
        self._attempts += 1
        return backoff_s(self._attempts, self._min_s, self._max_s, self._rng)

    def reset(self) -> None:
        self._attempts = 0
