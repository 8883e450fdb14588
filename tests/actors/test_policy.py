import random

from hypothesis import given
from hypothesis import strategies as st

from pombal.actors.policy import CrashLog, RestartPolicy


def make_log(intensity: int, period_s: float = 60.0) -> CrashLog:
    return CrashLog(RestartPolicy(intensity, period_s, 0.5, 30.0), random.Random(1))


@given(intensity=st.integers(1, 6), steps=st.lists(st.integers(0, 50), max_size=40))
def test_exceeded_exactly_when_a_window_holds_more_crashes_than_the_intensity(intensity: int, steps: list[int]) -> None:
    crashes, log, now = [], make_log(intensity, period_s=60), 0
    for step in steps:
        now += step
        crashes.append(now)
        in_window = sum(1 for at in crashes if now - at <= 60)
        assert (log.crashed(now) is None) == (in_window > intensity)


def test_the_pause_grows_with_the_crashes_that_still_count() -> None:
    log = make_log(intensity=5)
    pauses = [log.crashed(now) or 0.0 for now in (0.0, 1.0, 2.0, 3.0)]
    for nominal_s, pause_s in zip([0.5, 1, 2, 4], pauses, strict=True):
        assert nominal_s / 2 <= pause_s <= nominal_s
    later = log.crashed(1000.0)
    assert later is not None
    assert later <= 0.5


def test_zero_intensity_allows_no_crash() -> None:
    assert make_log(intensity=0).crashed(0.0) is None
