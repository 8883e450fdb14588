"""What is remembered of spread rollups is what is there, whatever has changed them meanwhile."""

import random
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from pombal.model import changes, removal_changes
from pombal.model.latency import Measure
from pombal.store.latency_stats import DAY_MS, MINUTES_KEPT_MS, latency_stats
from pombal.store.rollup_parts import REMEMBERED, Asked, RollupPart, SpreadMemory
from pombal.store.rollups import owner_key
from tests.store.building import START_MS, Store, receive
from tests.store.test_latency_stats import BOTH, traffic

NOW_MS = START_MS + 10 * DAY_MS
NOTHING = RollupPart([], [])
Step = Callable[[Store, random.Random], None]


def asked(until_ms: int) -> Asked:
    return Asked((0,), tuple(Measure), 0, until_ms)


class Reading:
    """Counts how often it is asked to read."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> RollupPart:
        self.times += 1
        return NOTHING


def test_a_range_is_read_once_a_version() -> None:
    memory, read = SpreadMemory(), Reading()
    for version in (1, 1, 2, 2, 2, 1):
        assert memory.part(asked(5), version, read) is NOTHING
    assert read.times == 3


def test_the_ranges_that_are_remembered_are_few() -> None:
    memory, read = SpreadMemory(), Reading()
    for until in range(REMEMBERED + 1):
        memory.part(asked(until), 1, read)
    memory.part(asked(REMEMBERED), 1, read)
    assert read.times == REMEMBERED + 1
    memory.part(asked(0), 1, read)
    assert read.times == REMEMBERED + 2


def learn(store: Store, dice: random.Random) -> None:
    at = store.clock.advance(1)
    took_ms = int(dice.lognormvariate(5, 3))
    store.do(receive(at, 1 + dice.randrange(2), f"r{at.mono_ms}", sent_at_ms=at.wall_ms - took_ms))


def spread(store: Store, dice: random.Random) -> None:
    store.do(changes.SpreadRollups(at=store.clock(), limit=dice.choice([1, 5, 1000])))


def give(store: Store, dice: random.Random) -> None:
    fields = {"owner": dice.choice(["operator", "bia"])}
    store.do(changes.UpdateSession(at=store.clock(), session_key=1 + dice.randrange(2), fields=fields))


def forget_minutes(store: Store, dice: random.Random) -> None:
    keys = (0, 1, 2)
    store.do(removal_changes.PruneRollups(at=store.clock(), session_keys=keys, before_ms=NOW_MS - MINUTES_KEPT_MS))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.sampled_from([learn, spread, give, forget_minutes]), max_size=12))
def test_no_answer_is_older_than_what_is_there(seed: int, steps: list[Step]) -> None:
    dice, memory = random.Random(seed), SpreadMemory()
    with Store.temporary() as store:
        traffic(store, dice, 40, 10 * DAY_MS)
        store.writer.spread_rollups()
        for step in [spread, *steps]:
            step(store, dice)
            owner = owner_key(store.connection, "operator")
            assert owner is not None
            for keys in (None, [1], [1, 2], [owner]):
                for since in (None, NOW_MS - 8 * DAY_MS, NOW_MS - DAY_MS):
                    question = store.connection, keys, BOTH, since, NOW_MS, NOW_MS
                    assert latency_stats(*question, memory) == latency_stats(*question)
