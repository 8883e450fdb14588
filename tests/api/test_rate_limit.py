"""A bucket a token."""

import pytest

from pombal.api import rate_limit
from pombal.api.rate_limit import RateLimit
from pombal.model.errors import Kind, PombalError


class Time:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def refused_for(limit: RateLimit, token: str = "a") -> int:
    with pytest.raises(PombalError) as refused:
        limit.take(token)
    assert refused.value.kind == Kind.RATE_LIMITED
    seconds: int = refused.value.data["retry_after_s"]
    return seconds


def test_so_many_at_once_and_as_many_again_each_minute() -> None:
    time = Time()
    limit = RateLimit(lambda: 6, time)
    for _ in range(6):
        limit.take("a")
    assert refused_for(limit) == 10
    limit.take("b")
    time.now_s += 10
    limit.take("a")
    assert refused_for(limit) == 10
    time.now_s += 3600
    for _ in range(6):
        limit.take("a")
    assert refused_for(limit) == 10


def test_a_lower_rate_holds_at_once() -> None:
    time, rates = Time(), [100]
    limit = RateLimit(lambda: rates[0], time)
    limit.take("a")
    rates[0] = 1
    limit.take("a")
    assert refused_for(limit) == 60


def test_buckets_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "TOKENS_MAX", 3)
    limit = RateLimit(lambda: 1, Time())
    for token in "abcd":
        limit.take(token)
    assert refused_for(limit, "d") == 60
    limit.take("a")  # was silent longest, and is forgotten
