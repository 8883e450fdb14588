"""Latency over time, by session and as a distribution, held against the statistics and the messages themselves."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pombal.model.latency import Measure
from pombal.model.message import MessageStatus
from pombal.store.latency_series import (
    EDGES_MS,
    POINTS_MAX,
    Figures,
    figures_of_sessions,
    latency_series,
    most_troubled,
    step_of,
)
from pombal.store.latency_stats import DAY_MS, MINUTES_KEPT_MS, latency_stats
from tests.store.building import START_MS, Store, queue, reach, receive

HOUR_MS = 3_600_000
BOTH = ("outbound", "inbound")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two sessions' traffic of some hours; the second one is the slower. Read only."""
    store = Store(tmp_path_factory.mktemp("series") / "pombal.db")
    dice = random.Random(3)
    for name in ("one", "two"):
        store.session(name)
    for number in range(200):
        key = dice.choice([1, 2])
        at = store.clock.advance(dice.randrange(120_000))
        if number % 3:
            store.do(queue(at, key, f"m{number}"))
            store.do(reach(store.clock.advance(dice.randrange(3000)), key, f"m{number}", MessageStatus.SENT))
            slow_ms = 9000 if key == 2 else 900
            store.do(reach(store.clock.advance(dice.randrange(slow_ms)), key, f"m{number}", MessageStatus.DELIVERED))
        else:
            store.do(receive(at, key, f"x{number}", sent_at_ms=at.wall_ms - dice.randrange(4000)))
    yield store
    store.close()


def now_ms(store: Store) -> int:
    return store.clock.wall_ms


@given(st.integers(0, 400 * DAY_MS), st.integers(1, 400 * DAY_MS))
def test_steps_are_few_and_never_of_minutes_that_are_gone(age_ms: int, length_ms: int) -> None:
    since = START_MS - age_ms
    step_s, span_s = step_of(since, since + length_ms, START_MS)
    assert length_ms / (step_s * 1000) <= POINTS_MAX
    assert step_s % span_s == 0
    assert span_s > 60 or age_ms < MINUTES_KEPT_MS


def test_the_steps_add_up_to_the_statistics(filled: Store) -> None:
    series = latency_series(filled.connection, None, START_MS, now_ms(filled), now_ms(filled))
    stats = latency_stats(filled.connection, None, BOTH, series.since_ms, series.until_ms, now_ms(filled))
    assert len(series.steps) > 10
    assert all(series.since_ms <= at < series.until_ms for at in series.steps)
    for measure, sums in stats.sums.items():
        assert series.whole.sums[measure] == sums
        if measure != Measure.OUTBOUND:
            assert series.whole.percentiles(measure) == stats.percentiles[measure]
            assert sum(series.whole.distribution(measure)) == sums.measured


def test_bars_hold_what_is_at_most_as_slow_as_their_edge() -> None:
    figures = Figures()
    for bucket, count in ((-1, 3), (0, 1), (400, 5)):  # 0 ms, 1 ms, some hours
        figures.buckets[Measure.TO_SENT][bucket] += count
    bars = figures.distribution(Measure.TO_SENT)
    assert (bars[0], bars[-1], sum(bars), len(bars)) == (4, 5, 9, len(EDGES_MS) + 1)


def test_by_session_it_is_the_statistics_of_each(filled: Store) -> None:
    found = figures_of_sessions(filled.connection, [2, 1], START_MS, now_ms(filled), now_ms(filled))
    assert list(found) == [2, 1]
    for key, figures in found.items():
        stats = latency_stats(filled.connection, [key], BOTH, START_MS, now_ms(filled), now_ms(filled))
        assert figures.sums[Measure.OUTBOUND] == stats.sums[Measure.OUTBOUND]
        assert figures.percentiles(Measure.TO_DELIVERED) == stats.percentiles[Measure.TO_DELIVERED]


def test_the_most_troubled_come_first(filled: Store) -> None:
    times = START_MS, now_ms(filled), now_ms(filled)
    assert most_troubled(filled.connection, None, *times, 10) == [2, 1]
    assert most_troubled(filled.connection, None, *times, 1) == [2]
    assert most_troubled(filled.connection, (1,), *times, 10) == [1]
    assert most_troubled(filled.connection, (), *times, 10) == []


def test_where_nothing_happened_there_is_nothing(filled: Store) -> None:
    before = START_MS - 40 * DAY_MS
    series = latency_series(filled.connection, None, before, before + HOUR_MS, now_ms(filled))
    assert (series.steps, series.whole.sums) == ({}, {})
