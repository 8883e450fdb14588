"""Recent latencies are spread over the spans in slices, and no answer tells how far that has come."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pombal.model import changes
from pombal.model.changes import RecentKey, SpreadRollups
from pombal.store.latency_series import figures_of_sessions, latency_series, most_troubled
from pombal.store.latency_stats import DAY_MS, latency_stats
from pombal.store.offline import check_database
from pombal.store.rollups import owner_key
from tests.store.building import START_MS, Store, dump, queue
from tests.store.oracle import Model, operations
from tests.store.test_latency_stats import BOTH, traffic

NOW_MS = START_MS + 20 * DAY_MS
ROLLUPS = ("latency_recent", "latency_rollups", "latency_histograms")


def spread(store: Store, limit: int, after: RecentKey | None = None) -> RecentKey | None:
    reached: RecentKey | None = store.do(SpreadRollups(at=store.clock(), after=after, limit=limit))
    return reached


def recent(store: Store) -> int:
    return int(store.one("SELECT count(*) FROM latency_recent"))


def answers(store: Store) -> list[Any]:
    """Every question there is about latencies, of all and of a few hours some days ago."""
    connection, owner = store.connection, owner_key(store.connection, "operator")
    assert owner is not None
    found: list[Any] = [latency_stats(connection, None, BOTH, None, NOW_MS, NOW_MS)]
    for since, until in ((START_MS, NOW_MS), (NOW_MS - 5 * DAY_MS - 7_777, NOW_MS - 4 * DAY_MS)):
        found += [
            latency_stats(connection, keys, BOTH, since, until, NOW_MS) for keys in (None, [1], [2], [1, 2], [owner])
        ]
        found += [latency_series(connection, keys, since, until, NOW_MS) for keys in (None, [2], [owner])]
        found.append(figures_of_sessions(connection, [1, 2], since, until, NOW_MS))
        found += [most_troubled(connection, keys, since, until, NOW_MS, 5) for keys in (None, (2,))]
    return found


@pytest.fixture
def busy(store: Store) -> Store:
    traffic(store, random.Random(5), 120, 20 * DAY_MS)
    return store


def test_each_slice_takes_its_rows_and_changes_no_answer(busy: Store) -> None:
    before, left, reached = answers(busy), recent(busy), None
    while (reached := spread(busy, 150, reached)) is not None:
        assert recent(busy) == left - 150
        left = recent(busy)
        assert answers(busy) == before
        assert check_database(busy.path, progress=lambda step: None) == []
    assert 0 < left <= 150
    assert recent(busy) == 0
    assert answers(busy) == before
    assert check_database(busy.path, progress=lambda step: None) == []


def test_a_round_comes_to_its_end_though_messages_keep_coming(busy: Store) -> None:
    """What is new before the place that was reached waits for the next round."""
    reached, rounds = spread(busy, 100), 1
    while reached is not None:
        at = busy.clock.advance(60_000)
        busy.commit(*(queue(at, 1, f"new {rounds} {number}") for number in range(3)))
        reached, rounds = spread(busy, 100, reached), rounds + 1
        assert rounds < 50
    assert recent(busy) > 0
    assert check_database(busy.path, progress=lambda step: None) == []


def test_without_anything_recent_there_is_nothing_to_spread(store: Store) -> None:
    assert spread(store, 10) is None
    assert dump(store.connection, ROLLUPS) == {table: [] for table in ROLLUPS}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(operations, st.sampled_from([0, 61_000])), min_size=2, max_size=15), st.data())
def test_it_does_not_matter_when_it_is_done(lives: list[tuple[Any, int]], data: st.DataObject) -> None:
    """After each change, or once at the end: the rollups are the same."""
    with Store.temporary() as often, Store.temporary() as once:
        for store in (often, once):
            store.session("one")
            store.session("two")
        model = Model()
        for operation, ms in lives:
            change, _ = model.do(operation, often.clock.advance(ms))
            once.clock.advance(ms)
            often.commit(change, SpreadRollups(at=change.at, limit=data.draw(st.integers(1, 9))))
            once.commit(change)
        for store in (often, once):
            store.writer.spread_rollups()
        assert dump(often.connection, ROLLUPS) == dump(once.connection, ROLLUPS)


def test_a_database_from_before_has_everything_spread(busy: Store) -> None:
    busy.writer.spread_rollups()
    before = answers(busy)
    busy.connection.execute("DROP TABLE latency_recent")
    busy.connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'm0020_recent_latencies'")
    busy.reopen()
    assert answers(busy) == before
    busy.do(changes.UpdateSession(at=busy.clock(), session_key=1, fields={"owner": "bia"}))
    assert check_database(busy.path, progress=lambda step: None) == []
