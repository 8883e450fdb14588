import random

from hypothesis import given
from hypothesis import strategies as st

from pombal.actors.backoff import Backoff, backoff_s

seconds = st.floats(0.001, 1000)


@given(attempt=st.integers(1, 10_000), min_s=seconds, max_s=seconds, seed=st.integers())
def test_never_above_the_longest_and_jitter_within_half(attempt: int, min_s: float, max_s: float, seed: int) -> None:
    nominal_s = min(max_s, min_s * 2.0 ** min(attempt - 1, 64))
    pause_s = backoff_s(attempt, min_s, max_s, random.Random(seed))
    assert nominal_s / 2 <= pause_s <= nominal_s <= max_s


def test_doubles_until_the_longest_and_starts_over_after_a_reset() -> None:
    backoff = Backoff(1.0, 300.0, random.Random(7))
    pauses = [backoff.next_s() for _ in range(12)]
    for nominal_s, pause_s in zip([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300], pauses, strict=True):
        assert nominal_s / 2 <= pause_s <= nominal_s
    backoff.reset()
    assert backoff.next_s() <= 1.0
