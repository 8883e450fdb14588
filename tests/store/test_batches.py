"""The same changes leave the same database, in one batch or in many."""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pombal.model import changes, removal_changes
from pombal.model.changes import Change
from pombal.model.clock import Stamp
from pombal.model.session_state import READY, RESTRICTED, STOPPED, SessionState
from tests.store.building import START_MS, TABLES, Store, create, dump
from tests.store.oracle import Model, operations

sessions = st.sampled_from([1, 2])
others = st.one_of(
    st.builds(lambda s: lambda at: removal_changes.PurgeMessages(at=at, session_key=s, limit=2), sessions),
    st.builds(lambda s: lambda at: changes.DeleteSession(at=at, session_key=s, messages_deleted=0), sessions),
    st.builds(lambda n: lambda at: create(at, n, id=f"ID-{n}-{at.mono_ms}"), st.sampled_from(["one", "two", "three"])),
    st.builds(
        lambda s, place: (
            lambda at: changes.SetSessionState(
                at=at, session_key=s, state=SessionState(place[0], place[1], None), fields={"last_error": "x"}
            )
        ),
        sessions,
        st.sampled_from([READY, STOPPED, RESTRICTED]),
    ),
    st.builds(lambda s: lambda at: changes.CountSession(at=at, session_key=s, errors=1, restarts=2), sessions),
    st.builds(
        lambda s, n: (
            lambda at: changes.ShowCode(at=at, session_key=s, is_qr=True, code="2@x", expires_at_ms=at.wall_ms + n)
        ),
        sessions,
        st.sampled_from([-1, 5]),
    ),
    st.just(lambda at: removal_changes.ClearCodes(at=at)),
    st.builds(
        lambda n: lambda at: removal_changes.PruneEvents(at=at, before_ms=at.wall_ms - n, limit=3), st.integers(0, 4000)
    ),
    st.builds(lambda n: lambda at: changes.SpreadRollups(at=at, limit=n), st.sampled_from([1, 5, 100])),
    st.builds(
        lambda n: lambda at: removal_changes.PruneRollups(at=at, session_keys=(0, 1), before_ms=at.wall_ms - n),
        st.integers(0, 200_000),
    ),
    st.just(lambda at: changes.PutMedia(at=at, sha256="a" * 64, size_bytes=7)),
    st.builds(
        lambda s: lambda at: changes.UpdateSession(at=at, session_key=s, fields={"settings": {"seed": at.mono_ms}}),
        sessions,
    ),
)


def plan(wanted: list[Any]) -> list[Change]:
    model, planned = Model(), []
    for number, operation in enumerate(wanted):
        at = Stamp(START_MS + 1500 * number, 1500 * number)
        planned.append(operation(at) if callable(operation) else model.do(operation, at)[0])
    return planned


def carried_out(planned: list[Change], sizes: list[int]) -> tuple[dict[str, Any], list[str]]:
    """The database and the answers after planned, in batches of these sizes, over and over."""
    with tempfile.TemporaryDirectory() as directory:
        store = Store(Path(directory) / "pombal.db")
        for name in ("one", "two"):
            store.session(name)
        store.clock.wall_ms, store.clock.mono_ms = START_MS + 10**6, 10**6
        answers, left, turn = list[str](), list(planned), 0
        while left:
            size = sizes[turn % len(sizes)]
            answers += map(repr, store.commit(*left[:size]).answers)
            left, turn = left[size:], turn + 1
        found = dump(store.connection, TABLES) | {"rejected": store.rows("SELECT reason, raw FROM rejected")}
        store.close()
        return found, answers


@settings(max_examples=60, deadline=None)
@given(st.lists(operations | others, min_size=2, max_size=25), st.lists(st.integers(2, 6), min_size=1, max_size=3))
def test_batches_do_not_matter(wanted: list[Any], sizes: list[int]) -> None:
    planned = plan(wanted)
    one_by_one = carried_out(planned, [1])
    assert carried_out(planned, [len(planned)]) == one_by_one
    assert carried_out(planned, sizes) == one_by_one
