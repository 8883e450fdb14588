"""Who has the interpreter while a large transaction is decided."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from pombal.model.changes import Change, FailQueue, NoteCall, SpreadRollups
from pombal.store.decisions.dispatch import decide
from pombal.store.undisturbed import (
    BESIDE_LARGE_S,
    DECIDED_WITHIN_S,
    LARGE_CHANGES,
    USUAL_S,
    share_interpreter,
    undisturbed,
)
from pombal.store.workspace import Workspace
from tests.store.building import Store, queue


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    usual = sys.getswitchinterval()
    yield
    sys.setswitchinterval(usual)


@pytest.mark.parametrize(
    ("changes", "beside", "inside"),
    [(LARGE_CHANGES, BESIDE_LARGE_S, DECIDED_WITHIN_S), (LARGE_CHANGES - 1, USUAL_S, USUAL_S)],
)
def test_nobody_takes_it_from_many_changes(changes: int, beside: float, inside: float) -> None:
    share_interpreter(changes)
    assert sys.getswitchinterval() == pytest.approx(beside)
    with pytest.raises(RuntimeError, match="undecided"), undisturbed(changes):
        assert sys.getswitchinterval() == pytest.approx(inside)
        raise RuntimeError("undecided")
    assert sys.getswitchinterval() == pytest.approx(beside)


@pytest.mark.parametrize("kind", ["a queue given up", "a call noted", "latencies spread"])
def test_what_asks_sqlite_is_decided_as_usual(store: Store, kind: str) -> None:
    key = store.session().key
    at, seen = store.clock(), list[float]()
    asking: dict[str, Change] = {
        "a queue given up": FailQueue(at=at, session_key=key, error_kind="x", error_detail="y", limit=10),
        "a call noted": NoteCall(at=at, caller={}, method="daemon.reload", target={}, outcome="ok"),
        "latencies spread": SpreadRollups(at=at, limit=10),
    }
    sends = [queue(at, key, str(number)) for number in range(LARGE_CHANGES)]
    store.connection.set_trace_callback(lambda _: seen.append(sys.getswitchinterval()))
    assert store.commit(*sends, asking[kind]).has_written
    store.connection.set_trace_callback(None)
    assert seen == pytest.approx([BESIDE_LARGE_S] * len(seen))


def test_only_what_asks_nothing_of_sqlite_is_undisturbed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    key = store.session().key
    seen: list[float] = []

    def watched(change: Change, space: Workspace) -> Any:
        seen.append(sys.getswitchinterval())
        return decide(change, space)

    monkeypatch.setattr("pombal.store.writer.decide", watched)
    sends = [queue(store.clock(), key, str(number)) for number in range(LARGE_CHANGES)]
    given_up = FailQueue(at=store.clock(), session_key=key, error_kind="x", error_detail="y", limit=10)
    store.commit(*sends)
    assert seen == pytest.approx([DECIDED_WITHIN_S] * len(sends))
    seen.clear()
    store.commit(*sends, given_up)
    assert seen == pytest.approx([BESIDE_LARGE_S] * (len(sends) + 1))
    store.commit(given_up)
    assert seen[-1] == pytest.approx(USUAL_S)
