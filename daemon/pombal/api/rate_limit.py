"""How often each token may ask: a bucket a token, refilled all the time."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from pombal.model.errors import Kind, PombalError

TOKENS_MAX = 10_000  # buckets kept; past that, who has been silent longest starts anew with a full one


@dataclass(slots=True)
class _Bucket:
    left: float
    at_s: float


class RateLimit:
    """per_minute: how many requests of one token at once, and as many again each minute; as it is now."""

    def __init__(self, per_minute: Callable[[], int], now_s: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._now_s = now_s
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, token_id: str) -> None:
        """Count a request. Raises PombalError (rate_limited) with ``retry_after_s``."""
        per_minute = self._per_minute()
        bucket = self._bucket(token_id, per_minute)
        if bucket.left < 1:
            wait_s = math.ceil((1 - bucket.left) * 60 / per_minute)
            raise PombalError(
                Kind.RATE_LIMITED,
                f"this token has used up its {per_minute} requests a minute ([http] requests_per_minute)",
                retry_after_s=wait_s,
            )
        bucket.left -= 1

    def _bucket(self, token_id: str, per_minute: int) -> _Bucket:
        now_s = self._now_s()
        bucket = self._buckets.setdefault(token_id, _Bucket(per_minute, now_s))
        self._buckets.move_to_end(token_id)
        if len(self._buckets) > TOKENS_MAX:
            self._buckets.popitem(last=False)
        bucket.left = min(per_minute, bucket.left + (now_s - bucket.at_s) * per_minute / 60)
        bucket.at_s = now_s
        return bucket
