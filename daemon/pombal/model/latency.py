"""How long a message took, and histograms that answer percentiles within 2 % without keeping each value."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from enum import StrEnum
from itertools import accumulate

# Bucket i holds (GAMMA^(i-1), GAMMA^i]; its middle is at most (GAMMA - 1) / (GAMMA + 1) ≈ 1.5 % from any value in it.
# The same idea as DDSketch (Masson, Rim, Lee: "DDSketch", VLDB 2019), sparse and without merging of buckets.
GAMMA = 1.03
_LOG_GAMMA = math.log(GAMMA)


class Measure(StrEnum):
    """What is counted per minute. The first four have histograms; `outbound` counts messages as such."""

    TO_SENT = "to_sent"
    TO_DELIVERED = "to_delivered"
    TO_READ = "to_read"
    INBOUND = "inbound"
    OUTBOUND = "outbound"


PERCENTILES: Mapping[str, float] = {"p50": 0.50, "p95": 0.95, "p99": 0.99}


def bucket_of(value_ms: int) -> int:
    """The histogram bucket of a latency; 0 for values up to 1 ms, -1 for 0 itself."""
    if value_ms <= 0:
        return -1
    return max(0, math.ceil(math.log(value_ms) / _LOG_GAMMA - 1e-9))


def value_of(bucket: int) -> float:
    """The value that stands for a bucket, in milliseconds."""
    if bucket < 0:
        return 0.0
    upper = GAMMA**bucket
    return upper * 2 / (1 + GAMMA) if bucket else 1.0


def percentiles(buckets: Iterable[tuple[int, int]], fractions: Iterable[float], max_ms: int) -> list[float | None]:
    """The nearest-rank percentiles of (bucket, count) pairs, within 2 %; None where nothing was measured."""
    counted = sorted((bucket, count) for bucket, count in buckets if count > 0)
    up_to = list(accumulate(count for _, count in counted))

    def one(fraction: float) -> float | None:
        if not up_to:
            return None
        rank = max(1, math.ceil(fraction * up_to[-1] - 1e-9))
        bucket, _ = counted[bisect_left(up_to, rank)]
        return round(min(_representative(bucket), max_ms), 3)

    return [one(fraction) for fraction in fractions]


def _representative(bucket: int) -> float:
    """Milliseconds are whole: where a bucket can hold only one of them, that one is exact."""
    if bucket <= 0:
        return value_of(bucket)
    lowest = math.floor(GAMMA ** (bucket - 1) + 1e-9) + 1
    highest = math.floor(GAMMA**bucket + 1e-9)
    return float(lowest) if lowest == highest else value_of(bucket)
