"""Stamps survive a jump of the wall clock."""

from hypothesis import given
from hypothesis import strategies as st

from pombal.model.clock import MAX_STEPS, STEP_MS, ClockHistory, Stamp, system_clock

# A life of the daemon: how much time passes, and how far the wall clock jumps, before each message.
moves = st.lists(
    st.tuples(st.integers(0, 10_000), st.sampled_from([0, 0, 0, 2, -2, 3_600_000, -3_600_000, 60_000])), max_size=30
)


@given(moves, st.integers(0, 100_000))
def test_a_duration_is_what_the_monotonic_clock_says(life: list[tuple[int, int]], later_ms: int) -> None:
    history, wall, mono, queued = ClockHistory(100), 1_700_000_000_000, 5000, dict[int, Stamp]()
    for number, (passed_ms, jump_ms) in enumerate(life):
        mono += passed_ms
        wall += passed_ms + jump_ms
        queued[100 + number] = Stamp(wall, mono)
        history.queued(100 + number, Stamp(wall, mono))
    now = Stamp(wall + later_ms - 7_200_000, mono + later_ms)  # and at last the wall clock goes back two hours
    for message_id, stamp in queued.items():
        took_ms = history.resolve_ms(message_id, now) - stamp.wall_ms
        assert abs(took_ms - (now.mono_ms - stamp.mono_ms)) <= STEP_MS


def test_what_was_queued_in_an_earlier_life_has_the_wall_clock() -> None:
    history = ClockHistory(100)
    assert history.resolve_ms(7, Stamp(5000, 1)) == 5000
    history.queued(100, Stamp(1_000_000, 10))
    assert history.resolve_ms(99, Stamp(5000, 20)) == 5000
    assert history.resolve_ms(100, Stamp(5000, 20)) == 1_000_010


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(-3, 3)), min_size=1, max_size=40))
def test_ids_handed_out_again_count_as_they_were_last(tries: list[tuple[int, int]]) -> None:
    """A rolled-back transaction gives its ids back: the newest word on an id holds."""
    history, last = ClockHistory(1), dict[int, int]()
    for message_id, hours in tries:
        offset_ms = hours * 3_600_000
        history.queued(message_id, Stamp(offset_ms, 0))
        last = {known: offset for known, offset in last.items() if known < message_id} | {message_id: offset_ms}
    for message_id, offset_ms in last.items():
        assert history.resolve_ms(message_id, Stamp(0, 0)) == offset_ms


def test_the_history_is_bounded() -> None:
    history = ClockHistory(1)
    for number in range(1, MAX_STEPS + 500):
        history.queued(number, Stamp(number * 1000, 0))
    assert len(history._first_ids) == len(history._offsets_ms) == MAX_STEPS
    assert history.resolve_ms(1, Stamp(77, 5)) == 77
    assert history.resolve_ms(MAX_STEPS + 400, Stamp(77, 5)) == (MAX_STEPS + 400) * 1000 + 5


def test_the_system_clock_is_both() -> None:
    first, second = system_clock(), system_clock()
    assert second.mono_ms >= first.mono_ms
    assert first.wall_ms > 1_700_000_000_000
