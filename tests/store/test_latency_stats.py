"""Latency statistics out of rollups against a count over the messages themselves."""

import math
import random
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pombal.model import changes, removal_changes
from pombal.model.changes import Change
from pombal.model.clock import Stamp
from pombal.model.latency import PERCENTILES, Measure
from pombal.model.message import MessageRow, MessageStatus
from pombal.store.latency_stats import DAY_MS, MINUTES_KEPT_MS, LatencyStats, cover, latency_stats, signed_cover, widen
from pombal.store.message_queries import list_messages
from pombal.store.message_ways import MessageFilter
from pombal.store.offline import check_database
from pombal.store.rollups import owner_key
from tests.store.building import START_MS, Store, queue, reach, receive

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
BOTH = ("outbound", "inbound")
instants = st.integers(START_MS - 30 * DAY_MS, START_MS)


class TestRanges:
    @given(st.integers(0, 10**6), st.integers(0, 10**6))
    def test_a_cover_is_an_exact_partition_into_whole_spans(self, one: int, other: int) -> None:
        since, until = sorted((one * MINUTE_MS, other * MINUTE_MS))
        runs = list(cover(since, until))
        at = since
        for span_s, start, end in runs:
            assert start == at < end
            assert start % (span_s * 1000) == end % (span_s * 1000) == 0
            at = end
        assert at == until
        assert len(runs) <= 7

    @given(st.integers(0, 10**6), st.integers(0, 10**6))
    def test_a_cover_is_short(self, one: int, other: int) -> None:
        since, until = sorted((one * MINUTE_MS, other * MINUTE_MS))
        rows = {60: 0, 3600: 0, 86_400: 0, 604_800: 0}
        for span_s, start, end in cover(since, until):
            rows[span_s] += (end - start) // (span_s * 1000)
        assert rows[60] <= 2 * 59
        assert rows[3600] <= 2 * 23
        assert rows[86_400] <= 2 * 6
        assert rows[604_800] <= (until - since) // (7 * DAY_MS)

    @given(st.integers(0, 10**5), st.integers(0, 10**5))
    def test_a_signed_cover_counts_each_minute_of_the_range_once(self, one: int, other: int) -> None:
        since, until = sorted((one, other))
        steps: dict[int, int] = defaultdict(int)  # where the count changes, and by how much
        rows = {60: 0, 3600: 0, 86_400: 0, 604_800: 0}
        for sign, span_s, start, end in signed_cover(since * MINUTE_MS, until * MINUTE_MS):
            assert start % (span_s * 1000) == end % (span_s * 1000) == 0
            rows[span_s] += (end - start) // (span_s * 1000)
            steps[start] += sign
            steps[end] -= sign
        assert {at: by for at, by in steps.items() if by} == (
            {since * MINUTE_MS: 1, until * MINUTE_MS: -1} if since < until else {}
        )
        assert rows[60] <= 60
        assert rows[3600] <= 24
        assert rows[86_400] <= 8
        assert rows[604_800] <= (until - since) // (7 * 24 * 60) + 1

    def test_an_empty_range_has_no_cover(self) -> None:
        assert list(signed_cover(5 * MINUTE_MS, 5 * MINUTE_MS)) == []
        assert list(cover(5 * MINUTE_MS, 5 * MINUTE_MS)) == list(cover(7 * MINUTE_MS, 5 * MINUTE_MS)) == []

    @given(instants, instants)
    def test_widening_loses_nothing_and_adds_less_than_a_span(self, one: int, other: int) -> None:
        since, until = sorted((one, other))
        wide_since, wide_until = widen(since, until, START_MS)
        assert wide_since <= since <= until <= wide_until
        assert since - wide_since < HOUR_MS
        assert wide_until - until < HOUR_MS
        assert widen(wide_since, wide_until, START_MS) == (wide_since, wide_until)
        if since >= START_MS - MINUTES_KEPT_MS + HOUR_MS:
            assert since - wide_since < MINUTE_MS
            assert wide_until - until < MINUTE_MS

    @given(instants, instants, st.integers(0, 2 * HOUR_MS))
    def test_no_range_is_put_together_from_minutes_that_are_gone(self, one: int, other: int, late_ms: int) -> None:
        """Pruned seven days back at START_MS, asked then or later."""
        since, until = sorted((one, other))
        for span_s, start, _ in cover(*widen(since, until, START_MS + late_ms)):
            assert span_s > 60 or start >= START_MS - MINUTES_KEPT_MS


def exact(rows: list[MessageRow], stats: LatencyStats, directions: Iterable[str]) -> dict[str, Any]:
    """The same out of the rows themselves."""
    inside = [row for row in rows if stats.since_ms <= row.happened_at < stats.until_ms]
    out = [row for row in inside if row.direction == "outbound"]
    taken = {
        Measure.TO_SENT: [row.sent_at - row.queued_at for row in out if row.sent_at and row.queued_at],
        Measure.TO_DELIVERED: [row.delivered_at - row.queued_at for row in out if row.delivered_at and row.queued_at],
        Measure.TO_READ: [row.read_at - row.queued_at for row in out if row.read_at and row.queued_at],
        Measure.INBOUND: [row.total_latency_ms for row in inside if row.direction == "inbound" and not row.offline],
    }
    found: dict[str, Any] = {
        measure: values for measure, values in taken.items()
        if ("inbound" if measure == Measure.INBOUND else "outbound") in directions
    }  # fmt: skip
    return found | {
        "late": sum(row.is_latency_acceptable is False for row in inside),
        "received": len(inside) - len(out),
        "sent": len(out),
    }


def hold_against(stats: LatencyStats, rows: list[MessageRow], directions: tuple[str, ...] = BOTH) -> None:
    wanted = exact(rows, stats, directions)
    for measure, sums in stats.sums.items():
        if measure == Measure.OUTBOUND:
            assert sums.messages == wanted["sent"]
            continue
        values = sorted(wanted[measure])
        assert (sums.measured, sums.sum_ms, sums.max_ms) == (len(values), sum(values), max(values, default=0))
        average = sum(values) / len(values) if values else None
        assert sums.average_ms == (None if average is None else pytest.approx(average, abs=0.001))
        shown = stats.percentiles[measure]
        assert shown["max"] == (float(values[-1]) if values else None)
        for name, fraction in PERCENTILES.items():
            if not values:
                assert shown[name] is None
            else:
                rank = values[math.ceil(fraction * len(values) - 1e-9) - 1]
                assert shown[name] == pytest.approx(rank, rel=0.02)
    if directions == BOTH:
        assert sum(sums.late for sums in stats.sums.values()) == wanted["late"]
        assert stats.sums[Measure.INBOUND].messages == wanted["received"]


def traffic(store: Store, dice: random.Random, count: int, span_ms: int) -> None:
    """Messages of two sessions over a time, with latencies from none to minutes."""
    start = Stamp(START_MS, store.clock.mono_ms)
    for name in ("one", "two"):
        store.session(name)
    batch: list[Change] = []
    for number in range(count):
        at = Stamp(start.wall_ms + dice.randrange(span_ms), start.mono_ms)
        key, name, took_ms = 1 + number % 2, f"m{number}", int(dice.lognormvariate(5, 3))
        if number % 3:
            batch.append(queue(at, key, name))
            for status in list(MessageStatus)[3 : 3 + dice.randrange(4)]:
                arrival = Stamp(at.wall_ms + took_ms, at.mono_ms + took_ms)
                batch.append(reach(arrival, key, name, status))
                took_ms += int(dice.lognormvariate(4, 2))
        else:
            offline = number % 5 == 0
            batch.append(receive(at, key, name, sent_at_ms=at.wall_ms - took_ms, offline=offline))
    store.clock.mono_ms = 0  # so that "now" is the stamp that each message came with
    for first in range(0, len(batch), 97):
        report = store.commit(*batch[first : first + 97])
        assert report.rejected == 0


def rows_of(store: Store, *keys: int) -> list[MessageRow]:
    return list_messages(store.connection, MessageFilter(session_keys=keys or None, limit=10**6))


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from([5 * MINUTE_MS, 5 * HOUR_MS, 3 * DAY_MS, 20 * DAY_MS]),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=5),
    st.integers(0, 500),
)
def test_statistics_are_those_of_the_messages(
    seed: int, span_ms: int, ranges: list[tuple[float, float]], spread_rows: int
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        store = Store(Path(directory) / "pombal.db")
        traffic(store, random.Random(seed), 150, span_ms)
        store.do(changes.SpreadRollups(at=store.clock(), limit=spread_rows + 1))
        now = START_MS + span_ms
        for one, other in ranges:
            since, until = sorted((START_MS + int(one * span_ms), START_MS + int(other * span_ms)))
            owner = owner_key(store.connection, "operator")
            assert owner is not None
            for keys in (None, [1], [2], [1, 2], [], [owner]):
                stats = latency_stats(store.connection, keys, BOTH, since, until, now)
                assert (stats.since_ms, stats.until_ms) == widen(since, until, now)
                hold_against(stats, rows_of(store, *(keys if keys and keys != [owner] else ())) if keys != [] else [])
        for directions in (("inbound",), ("outbound",)):
            stats = latency_stats(store.connection, None, directions, None, now, now)
            hold_against(stats, rows_of(store), directions)
        store.close()


@pytest.fixture
def busy(store: Store) -> Store:
    traffic(store, random.Random(3), 400, 20 * DAY_MS)
    return store


def test_everything_when_no_beginning_is_named(busy: Store) -> None:
    now = START_MS + 20 * DAY_MS
    stats = latency_stats(busy.connection, None, BOTH, None, now, now)
    assert stats.since_ms <= min(row.happened_at for row in rows_of(busy))
    hold_against(stats, rows_of(busy))
    assert sum(sums.messages for sums in stats.sums.values()) == 400


def test_nothing_known(store: Store) -> None:
    stats = latency_stats(store.connection, None, BOTH, None, START_MS, START_MS)
    assert (stats.since_ms, stats.until_ms) == (START_MS, START_MS)
    hold_against(stats, [])


def test_pruning_the_minutes_changes_no_answer(busy: Store) -> None:
    now = START_MS + 20 * DAY_MS
    ranges = [(None, now), (START_MS, now), (now - 8 * DAY_MS - 12_345, now - MINUTES_KEPT_MS + 999_999),
              (now - MINUTES_KEPT_MS - HOUR_MS, now - MINUTES_KEPT_MS + HOUR_MS), (now - 6 * DAY_MS, now),
              (START_MS + 7_777_777, START_MS + 9 * HOUR_MS)]  # fmt: skip

    def answers() -> list[LatencyStats]:
        return [latency_stats(busy.connection, None, BOTH, since, until, now) for since, until in ranges]

    before = answers()
    busy.writer.spread_rollups()
    assert answers() == before
    prune = removal_changes.PruneRollups(at=busy.clock(), session_keys=(0, 1, 2), before_ms=now - MINUTES_KEPT_MS)
    assert busy.do(prune) > 0
    assert answers() == before
    for table in ("latency_rollups", "latency_histograms"):
        assert busy.one(f"SELECT min(starts_at) FROM {table} WHERE span_s = 60") >= now - MINUTES_KEPT_MS


@pytest.mark.parametrize("spread_rows", [1, 50, 5000])
def test_an_owner_has_what_its_sessions_have_also_when_one_changes_hands(busy: Store, spread_rows: int) -> None:
    busy.do(changes.SpreadRollups(at=busy.clock(), limit=spread_rows))
    now = START_MS + 20 * DAY_MS

    def of_owner(name: str) -> LatencyStats:
        key = owner_key(busy.connection, name)
        assert key is not None
        return latency_stats(busy.connection, [key], BOTH, START_MS, now, now)

    def give(session: int, owner: str) -> None:
        update = changes.UpdateSession(at=busy.clock(), session_key=session, fields={"owner": owner})
        before, after = (receive(busy.clock(), session, f"{when} {owner}") for when in ("before", "after"))
        busy.commit(before, update, after)

    first = owner_key(busy.connection, "operator")
    assert owner_key(busy.connection, "bia") is None
    give(1, "bia")
    for session, owner in ((1, "bia"), (2, "operator")):
        hold_against(of_owner(owner), rows_of(busy, session))
    give(2, "bia")
    hold_against(of_owner("bia"), rows_of(busy))
    hold_against(of_owner("operator"), [])
    assert owner_key(busy.connection, "operator") == first
    assert check_database(busy.path, progress=lambda step: None) == []


def test_a_database_from_before_gets_the_sums_of_owners(busy: Store) -> None:
    def rollups() -> list[list[Any]]:
        tables = ("latency_rollups", "latency_histograms")
        return [busy.rows(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4, 5") for table in tables]

    busy.writer.spread_rollups()
    after = rollups()
    for undo in ("DROP TABLE owners", "DROP TRIGGER owners_insert", "DROP TRIGGER owners_change",
                 "DELETE FROM latency_rollups WHERE session_key < 0",
                 "DELETE FROM latency_histograms WHERE session_key < 0",
                 "DELETE FROM _sqlite_migrations WHERE name = 'm0017_rollups_of_owners'"):  # fmt: skip
        busy.connection.execute(undo)
    busy.reopen()
    assert rollups() == after


def test_rollups_outlive_their_messages(busy: Store) -> None:
    now = START_MS + 20 * DAY_MS
    before = latency_stats(busy.connection, [1], BOTH, None, now, now)
    busy.do(removal_changes.PurgeMessages(at=busy.clock(), session_key=1, limit=1000))
    assert rows_of(busy, 1) == []
    assert latency_stats(busy.connection, [1], BOTH, None, now, now) == before


def test_a_resent_message_counts_where_it_is_queued_again(store: Store) -> None:
    key = store.session().key
    store.do(queue(store.clock(), key, "a"))
    store.do(reach(store.clock.advance(5), key, "a", MessageStatus.FAILED, error_kind="x"))
    again = store.clock.advance(DAY_MS)
    store.do(changes.ResendMessage(at=again, session_key=key, message_id="a"))
    store.do(reach(store.clock.advance(70), key, "a", MessageStatus.DELIVERED))
    now = store.clock().wall_ms
    hold_against(latency_stats(store.connection, None, BOTH, START_MS, now, now), rows_of(store))
    first_day = latency_stats(store.connection, None, BOTH, START_MS, again.wall_ms - HOUR_MS, now)
    assert first_day.sums[Measure.OUTBOUND].messages == 0


def test_the_time_it_takes_does_not_grow_with_the_messages(busy: Store) -> None:
    """Counted in SQLite's own steps: ten times the messages of the same minutes cost the same."""

    def steps() -> int:
        counted = 0

        def step() -> int:
            nonlocal counted
            counted += 1
            return 0

        busy.connection.set_progress_handler(step, 1)
        latency_stats(busy.connection, None, ("inbound",), START_MS, START_MS + MINUTE_MS, START_MS + DAY_MS)
        busy.connection.set_progress_handler(None, 0)
        return counted

    at = Stamp(START_MS + 30_000, 0)
    busy.commit(*(receive(at, 1, f"few{number}", sent_at_ms=at.wall_ms) for number in range(20)))
    few = steps()
    busy.commit(*(receive(at, 1, f"many{number}", sent_at_ms=at.wall_ms) for number in range(400)))
    assert steps() == few
