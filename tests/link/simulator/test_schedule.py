import math

from hypothesis import given
from hypothesis import strategies as st

from pombal.link.simulator.schedule import Schedule, Timer


def carry_out(timers: list[Timer]) -> None:
    for timer in timers:
        action, timer.action = timer.action, None
        if action is not None:
            action()


@given(
    delays=st.lists(st.integers(0, 1000), max_size=300),
    cancelled=st.sets(st.integers(0, 299)),
    step_ms=st.integers(1, 300),
)
def test_each_comes_once_in_order_and_what_is_cancelled_never(
    delays: list[int], cancelled: set[int], step_ms: int
) -> None:
    schedule, done = Schedule(), list[tuple[int, int]]()
    timers = [
        schedule.add(0.0, delay_ms / 1000, lambda key=(delay_ms, index): done.append(key))  # type: ignore[misc]
        for index, delay_ms in enumerate(delays)
    ]
    for index in cancelled & set(range(len(timers))):
        timers[index].cancel()
        timers[index].cancel()
    expected = sorted((delay_ms, index) for index, delay_ms in enumerate(delays) if index not in cancelled)
    assert len(schedule) == len(expected)
    for now_ms in range(0, 1000 + 2 * step_ms, step_ms):
        carry_out(schedule.take_due(now_ms / 1000 + 1e-9))
    assert done == expected
    assert (len(schedule), schedule.next_at_s) == (0, math.inf)


def test_times_lie_on_a_grid_never_early() -> None:
    schedule = Schedule()
    first = schedule.add(10.00012, 0.02, lambda: None)
    second = schedule.add(10.00093, 0.02, lambda: None)
    assert first.at_s == second.at_s
    assert 10.02093 <= first.at_s <= 10.0211
    assert schedule.add(0.0, 0.07, lambda: None).at_s == 0.07
    assert schedule.add(10.00012, 0.0, lambda: None).at_s == 10.00012


def test_cancelled_timers_do_not_pile_up() -> None:
    schedule = Schedule()
    for _ in range(10_000):
        schedule.add(0.0, 86_400.0, lambda: None).cancel()
    assert len(schedule._heap) < 200
    assert len(schedule) == 0


def test_one_action_may_cancel_another_that_is_due() -> None:
    schedule, done = Schedule(), list[str]()
    schedule.add(0.0, 0.01, lambda: second.cancel())  # noqa: PLW0108  # there is no second yet
    second = schedule.add(0.0, 0.01, lambda: done.append("second"))
    carry_out(schedule.take_due(1.0))
    assert done == []
    assert len(schedule) == 0
