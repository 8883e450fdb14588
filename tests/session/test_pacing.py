"""The token bucket, and how silence is measured."""

from hypothesis import given
from hypothesis import strategies as st

from pombal.config.settings import OutboxSettings
from pombal.model.clock import Stamp
from pombal.model.session import LinkKind
from pombal.session.pacing import Pacer, pace_of
from pombal.session.silence import Silence

DEFAULTS = OutboxSettings()


def test_whatsapp_web_is_paced_by_default_and_by_a_sessions_own_settings() -> None:
    assert pace_of(LinkKind.WEB, {}, DEFAULTS) == (1.0, 5)
    assert pace_of(LinkKind.WEB, {"messages_per_second": 0.2}, DEFAULTS) == (0.2, 5)
    assert pace_of(LinkKind.WEB, {"burst": 1}, OutboxSettings(messages_per_second=3.0)) == (3.0, 1)


def test_the_simulator_is_paced_only_where_its_session_asks_for_it() -> None:
    assert pace_of(LinkKind.SIMULATOR, {}, DEFAULTS) is None
    assert pace_of(LinkKind.SIMULATOR, {"messages_per_second": 2.0}, DEFAULTS) == (2.0, 5)


rates = st.floats(0.01, 1000)
bursts = st.integers(1, 50)


def go(pacer: Pacer, now_s: float) -> float:
    """Wait for the next one's turn and let it go; when that was."""
    now_s += pacer.wait_s(now_s)
    pacer.take(now_s)
    return now_s


@given(rates, bursts, st.lists(st.floats(0, 100), min_size=1, max_size=60))
def test_in_no_stretch_of_time_go_more_than_the_burst_and_the_rate(
    per_second: float, burst: int, idle_s: list[float]
) -> None:
    pacer, now_s, gone = Pacer(per_second, burst, 0.0), 0.0, list[float]()
    for idle in idle_s:
        now_s = go(pacer, now_s + idle)
        gone.append(now_s)
    for first in range(len(gone)):
        for last in range(first, len(gone)):
            assert last - first + 1 <= burst + (gone[last] - gone[first]) * per_second + 1e-6


@given(rates, bursts)
def test_a_full_bucket_lets_a_burst_go_at_once_and_then_the_rate_holds(per_second: float, burst: int) -> None:
    pacer = Pacer(per_second, burst, 0.0)
    assert [go(pacer, 0.0) for _ in range(burst)] == [0.0] * burst
    assert abs(go(pacer, 0.0) - 1 / per_second) < 1e-6


@given(rates, bursts, st.integers(1, 200))
def test_nobody_waits_longer_than_the_rate_says(per_second: float, burst: int, count: int) -> None:
    pacer, now_s = Pacer(per_second, burst, 0.0), 0.0
    for _ in range(count):
        now_s = go(pacer, now_s)
    assert now_s <= max(0, count - burst) / per_second + 1e-6 * count


@given(rates, bursts, st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_clock_that_goes_back_takes_nothing_away(per_second: float, burst: int, at_s: float, back_s: float) -> None:
    pacer = Pacer(per_second, burst, at_s)
    assert pacer.wait_s(at_s - back_s) == 0.0


QUIET_MS = 20_000.0
steps = st.lists(
    st.tuples(st.integers(0, 30_000), st.integers(-10_000_000, 10_000_000), st.booleans()), min_size=1, max_size=30
)


@given(steps)
def test_a_silence_is_too_long_when_it_is_whatever_the_wall_clock_does(
    steps: list[tuple[int, int, bool]],
) -> None:
    """Looked at whenever due, a silence is noticed within twice the quiet time, and never where there is none."""
    wall_ms, mono_ms = 1_700_000_000_000, 1000
    silence = Silence(Stamp(wall_ms, mono_ms))
    heard_mono_ms, frame_at_ms = mono_ms, None
    for elapsed_ms, turned_ms, hears in steps:
        mono_ms += elapsed_ms
        wall_ms += elapsed_ms + turned_ms
        if hears:
            heard_mono_ms, frame_at_ms = mono_ms, wall_ms
        now = Stamp(wall_ms, mono_ms)
        too_long = silence.is_too_long(now, frame_at_ms, QUIET_MS)
        if mono_ms - heard_mono_ms > 2 * QUIET_MS + 60_000:
            assert too_long
        if hears:
            assert not too_long


def test_it_is_not_looked_at_before_it_could_be_too_long() -> None:
    silence = Silence(Stamp(0, 0))
    assert silence.is_due(Stamp(0, 0))
    assert not silence.is_too_long(Stamp(0, 0), None, QUIET_MS)
    assert not silence.is_due(Stamp(19_999, 19_999))
    assert silence.is_due(Stamp(20_000, 20_000))
    assert not silence.is_too_long(Stamp(20_000, 20_000), None, QUIET_MS)
    assert silence.is_too_long(Stamp(20_001, 20_001), None, QUIET_MS)


def test_an_answer_ends_it() -> None:
    silence = Silence(Stamp(0, 0))
    silence.broken(Stamp(30_000, 30_000))
    assert not silence.is_too_long(Stamp(50_000, 50_000), None, QUIET_MS)
    assert silence.is_too_long(Stamp(50_001, 50_001), None, QUIET_MS)
