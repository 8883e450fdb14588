"""Restart intensity: how often an actor may crash before restarting it stops helping."""

import random
from dataclasses import dataclass

from pombal.actors.backoff import backoff_s


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """At most ``intensity`` crashes within any ``period_s``; a pause before each restart, longer with each crash.

    Pauses count towards the period. So when backoff_max_s × intensity exceeds it, a child that crashes at once may be
    restarted for ever at the longest pause instead of exceeding the intensity.
    """

    intensity: int
    period_s: float
    backoff_min_s: float
    backoff_max_s: float


class CrashLog:
    """The crashes of one actor that still count. Pure: the caller brings the time."""

    __slots__ = ("_crashed_at_s", "_policy", "_rng")

    def __init__(self, policy: RestartPolicy, rng: random.Random) -> None:
        self._policy = policy
        self._rng = rng
        self._crashed_at_s: tuple[float, ...] = ()

    def crashed(self, now_s: float) -> float | None:
        """The pause in seconds before the restart, or None: crashed more often than the policy allows.

        now_s: any clock that does not run backwards.
        """
        policy = self._policy
        recent = tuple(at_s for at_s in self._crashed_at_s if now_s - at_s <= policy.period_s)
        self._crashed_at_s = (*recent, now_s)
        crashes = len(self._crashed_at_s)
        if crashes > policy.intensity:
            return None
        return backoff_s(crashes, policy.backoff_min_s, policy.backoff_max_s, self._rng)
