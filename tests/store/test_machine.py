"""Random lives of the store, in random batches, against a small model of it."""

import sqlite3
import tempfile
from contextlib import closing
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from pombal.model.changes import SpreadRollups
from pombal.model.message import MessageStatus
from pombal.store.message_queries import list_messages
from pombal.store.message_ways import MessageFilter
from pombal.store.offline import check_database
from pombal.store.statements import messages_by_row
from pombal.store.writer import StoreUnavailable
from tests.store.building import Store
from tests.store.oracle import Model, matches, operations

steps_ms = st.sampled_from([0, 1, 7, 800, 61_000, 3_700_000])
jumps_ms = st.sampled_from([0, 0, 0, 0, 3_600_000, -3_600_000])


class StoreMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.store = Store(Path(self.directory.name) / "pombal.db")
        self.model = Model()
        self.before: dict[int, MessageStatus] = {}
        self.resent: set[int] = set()
        for name in ("one", "two"):
            self.store.session(name)
            self.model.events += 1

    def teardown(self) -> None:
        self.store.close()
        self.directory.cleanup()

    @rule(batch=st.lists(st.tuples(operations, steps_ms), min_size=1, max_size=12), jump_ms=jumps_ms)
    def commit(self, batch: list[tuple[Any, int]], jump_ms: int) -> None:
        self.store.clock.step_wall(jump_ms)
        planned = [self.model.do(operation, self.store.clock.advance(ms)) for operation, ms in batch]
        self.resent = {
            expected for (name, *_), (_, expected) in zip((op for op, _ in batch), planned, strict=True)
            if name == "resend" and isinstance(expected, int)
        }  # fmt: skip
        report = self.store.commit(*(change for change, _ in planned))
        for (change, expected), answer in zip(planned, report.answers, strict=True):
            assert matches(answer, expected), (change, answer, expected)
        assert [written.row.seq for written in report.events] == sorted(written.row.seq for written in report.events)
        assert all(written.message is None or written.message.id == written.row.message for written in report.events)

    @rule(batch=st.lists(operations, min_size=1, max_size=5))
    def try_while_locked(self, batch: list[Any]) -> None:
        forgotten = Model()
        with closing(sqlite3.connect(self.store.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="is locked by another program"):
                self.store.commit(*(forgotten.do(operation, self.store.clock.advance(1))[0] for operation in batch))

    @rule(limit=st.sampled_from([1, 3, 10, 1000]))
    def spread(self, limit: int) -> None:
        self.store.do(SpreadRollups(at=self.store.clock(), limit=limit))

    @precondition(lambda self: self.model.events > 5)
    @rule()
    def restart(self) -> None:
        self.store.reopen()

    @invariant()
    def rows_are_those_of_the_model(self) -> None:
        kept = {row.id: row for row in (*self.model.sent.values(), *self.model.received.values())}
        rows = self.store.rows("SELECT id, status, text_content FROM messages ORDER BY id")
        assert rows == [(row.id, row.status, row.text) for row in sorted(kept.values(), key=lambda row: row.id)]
        now = {row_id: MessageStatus(status) for row_id, status, _ in rows}
        fallen = {row_id for row_id, status in self.before.items() if list(MessageStatus).index(now[row_id])
                  < list(MessageStatus).index(status)}  # fmt: skip
        assert fallen <= self.resent
        self.before, self.resent = now, set()

    @invariant()
    def what_is_held_is_what_is_stored(self) -> None:
        for (session_key, link_id), held in self.store.writer.held:
            ids = self.store.rows("SELECT id FROM messages WHERE session_key = ? AND link_id = ?", session_key, link_id)
            stored = messages_by_row(self.store.connection, [row_id for (row_id,) in ids])
            assert sorted(stored, key=attrgetter("id")) == sorted(held, key=attrgetter("id"))

    @invariant()
    def the_event_sequence_is_whole(self) -> None:
        seqs = [seq for (seq,) in self.store.rows("SELECT seq FROM events ORDER BY seq")]
        assert seqs == list(range(1, self.model.events + 1))
        assert self.store.writer.last_seq == self.model.events
        assert self.store.one("SELECT count(*) FROM rejected") == self.model.rejected

    @invariant()
    def counters_rollups_and_the_search_index_are_right(self) -> None:
        assert check_database(self.store.path, progress=lambda step: None) == []

    @invariant()
    def searches_find_what_they_should(self) -> None:
        kept = (*self.model.sent.values(), *self.model.received.values())
        for words, text in (("ACAO rap", "ação rápida"), ("correio pomb", "pombo correio"), ("xxx", "x" * 300)):
            found = list_messages(self.store.connection, MessageFilter(search=words, limit=500))
            assert {row.id for row in found} == {row.id for row in kept if row.text == text}


def test_random_lives() -> None:
    run_state_machine_as_test(
        StoreMachine,
        settings=settings(
            max_examples=20, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
