"""The writer: what it refuses for good, what it cannot do now, and what it tells."""

import os
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pombal.config.settings import RecorderSettings
from pombal.model import changes, removal_changes
from pombal.model.errors import Kind, PombalError
from pombal.model.message import MessageStatus
from pombal.model.text import storable
from pombal.store.decisions import dispatch
from pombal.store.message_queries import message_by_id
from pombal.store.offline import check_database
from pombal.store.writer import PartlyCommitted, StoreUnavailable, describe
from tests.store.building import TABLES, Store, create, dump, queue, reach, receive

INT64_MAX = 2**63 - 1


def refusal(answer: Any) -> PombalError:
    assert isinstance(answer, PombalError)
    return answer


class TestRoundTrip:
    anything = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)

    @settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(anything.map(storable), anything.map(storable), st.integers(-(2**63), INT64_MAX), st.integers(0, 10**9))
    def test_any_text_and_any_integer(self, store: Store, text: str, name: str, number: int, tag: int) -> None:
        session = store.session(f"s{store.writer.last_seq}", device_name=name, settings={"text": text, "n": number})
        content = {"location": {"name": text, "latitude": 0.1}, "n": number}
        change = receive(
            store.clock.advance(1), session.key, f"x{tag}", text, contact_name=name, participant=name, content=content
        )
        answered = store.do(change)
        row = message_by_id(store.connection, session.key, f"M-x{tag}")
        assert row == answered
        assert row is not None
        assert (row.text_content, row.contact_name, row.participant) == (text, name, name)
        assert row.content == content
        assert store.one("SELECT device_name FROM sessions WHERE key = ?", session.key) == name

    @pytest.mark.parametrize("number", [0, 1, -1, 2**53 + 1, INT64_MAX, -(2**63)])
    def test_integers_to_the_last_bit(self, store: Store, number: int) -> None:
        session = store.session()
        store.do(changes.UpdateSession(at=store.clock(), session_key=session.key, fields={"last_activity_at": number}))
        assert store.rows("SELECT last_activity_at, typeof(last_activity_at) FROM sessions") == [(number, "integer")]
        store.reopen()
        row = store.do(changes.UpdateSession(at=store.clock(), session_key=session.key, fields={}))
        assert row.last_activity_at == number

    def test_64_kib_and_right_to_left_and_emoji(self, store: Store) -> None:
        session = store.session()
        for number, text in enumerate(
            ["é" * 65_536, "שלום עולם", "👩‍👩‍👧‍👦" * 1000, "", "a\r\n\t\x7f\x01\u2028", "\"\\'/"]
        ):
            store.do(queue(store.clock(), session.key, f"m{number}", text))
            assert store.message(session.key, f"m{number}").text_content == text

    def test_what_is_committed_survives_a_restart_and_ids_go_on(self, store: Store) -> None:
        session = store.session()
        first = store.do(queue(store.clock(), session.key, "a")).message
        store.reopen()
        second = store.do(queue(store.clock(), session.key, "b")).message
        assert second.id == first.id + 1
        assert store.message(session.key, "a") == first
        assert [seq for (seq,) in store.rows("SELECT seq FROM events")] == [1, 2, 3]

    def test_an_id_is_never_used_again(self, store: Store) -> None:
        session = store.session()
        last = store.do(queue(store.clock(), session.key, "a")).message.id
        store.do(removal_changes.PurgeMessages(at=store.clock(), session_key=session.key, limit=10))
        store.reopen()
        assert store.do(queue(store.clock(), session.key, "b")).message.id == last + 1


class TestRejected:
    @pytest.mark.parametrize(
        ("field", "value"),
        [("sent_at_ms", 2**63), ("sent_at_ms", -(2**63) - 1), ("sent_at_ms", "soon"), ("chat_id", None),
         ("text", "lone \ud800"), ("participant", None), ("offline", "no"), ("content", {"x": {1, 2}.__class__})],
    )  # fmt: skip
    def test_the_row_is_kept_raw_and_the_rest_is_committed(self, store: Store, field: str, value: Any) -> None:
        session = store.session()
        before = [receive(store.clock(), session.key, f"a{number}") for number in range(3)]
        after = [queue(store.clock(), session.key, f"b{number}") for number in range(3)]
        bad = receive(store.clock(), session.key, "bad", **{field: value})
        report = store.commit(*before, bad, *after)
        assert refusal(report.answers[3]).kind == Kind.INVALID
        assert report.rejected == 1
        assert store.one("SELECT count(*) FROM messages") == 6
        ((session_key, source, reason, raw),) = store.rows("SELECT session_key, source, reason, raw FROM rejected")
        assert (session_key, source) == (session.key, "RecordMessage")
        assert reason
        assert "bad" in raw
        assert [written.row.seq for written in report.events] == [2, 3, 4, 5, 6, 7]
        assert check_database(store.path, progress=lambda step: None) == []

    def test_a_decision_that_crashes_takes_only_its_change(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        session = store.session()
        whole = dispatch.DECISIONS[changes.RecordMessage]

        def crash(change: changes.RecordMessage, space: Any) -> Any:
            answer = whole(change, space)
            if change.link_id == "bad":
                raise ZeroDivisionError("a bug, after everything was done")
            return answer

        monkeypatch.setitem(dispatch.DECISIONS, changes.RecordMessage, crash)
        report = store.commit(*(receive(store.clock(), session.key, name) for name in ("a", "bad", "b")))
        assert [answer is not None and getattr(answer, "link_id", None) for answer in report.answers] == [
            "a",
            None,
            "b",
        ]
        assert store.rows("SELECT link_id FROM messages ORDER BY id") == [("a",), ("b",)]
        assert store.one("SELECT reason FROM rejected").startswith("ZeroDivisionError: a bug")
        assert store.one("SELECT total_messages_received FROM sessions") == 2

    def test_an_unknown_session_is_rejected(self, store: Store) -> None:
        report = store.commit(receive(store.clock(), 77, "x"), create(store.clock(), "one"))
        assert refusal(report.answers[0]).kind == Kind.INVALID
        assert report.answers[1].name == "one"

    def test_two_messages_of_one_link_id_and_chat_cannot_be(self, store: Store) -> None:
        session = store.session()
        report = store.commit(
            queue(store.clock(), session.key, "a", link_id="same"),
            queue(store.clock(), session.key, "b", link_id="same"),
        )
        assert report.answers[0].created
        assert "UNIQUE constraint" in refusal(report.answers[1]).message

    def test_a_refusal_is_an_answer_and_no_rejected_row(self, store: Store) -> None:
        session = store.session()
        report = store.commit(create(store.clock(), "one", id="other"), queue(store.clock(), session.key, "a"))
        assert refusal(report.answers[0]).kind == Kind.ALREADY_EXISTS
        assert (report.rejected, store.one("SELECT count(*) FROM rejected")) == (0, 0)


@contextmanager
def full_disk(store: Store) -> Iterator[None]:
    (pages,) = store.connection.execute("PRAGMA page_count").fetchone()
    store.connection.execute(f"PRAGMA max_page_count = {pages}")
    yield
    store.connection.execute("PRAGMA max_page_count = 1000000")


@contextmanager
def locked(store: Store) -> Iterator[None]:
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.close()


@contextmanager
def read_only(store: Store) -> Iterator[None]:
    store.connection.execute("PRAGMA query_only = ON")
    yield
    store.connection.execute("PRAGMA query_only = OFF")


CAUSES = {full_disk: "the disk is full", locked: "locked by another program", read_only: "read-only"}


class TestUnavailable:
    @pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.__name__)
    def test_nothing_changes_and_work_goes_on_afterwards(self, store: Store, cause: Any) -> None:
        session = store.session()
        store.do(queue(store.clock(), session.key, "before"))
        before, last_seq = dump(store.connection, TABLES), store.writer.last_seq
        batch = [
            queue(store.clock.advance(1), session.key, "a", "long " * 10_000),
            reach(store.clock.advance(1), session.key, "before", MessageStatus.SENT),
            receive(store.clock.advance(1), session.key, "b"),
        ]
        with cause(store):
            for _ in range(2):
                with pytest.raises(StoreUnavailable, match=CAUSES[cause]):
                    store.commit(*batch)
            assert store.writer.last_seq == last_seq
            assert not store.connection.in_transaction
        assert dump(store.connection, TABLES) == before
        report = store.commit(*batch)
        assert [written.row.seq for written in report.events] == [last_seq + 1, last_seq + 2, last_seq + 3]
        assert report.answers[0].message.id == 2
        assert store.one("SELECT total_messages_sent FROM sessions") == 1
        assert check_database(store.path, progress=lambda step: None) == []

    @pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.__name__)
    def test_a_row_to_be_rejected_waits_too(self, store: Store, cause: Any) -> None:
        """What cannot be written down as rejected now must not be lost."""
        session = store.session()
        bad = receive(store.clock(), session.key, "bad", "x" * 50_000, sent_at_ms=2**63)
        with cause(store), pytest.raises(StoreUnavailable):
            store.commit(bad)
        assert store.one("SELECT count(*) FROM rejected") == 0
        assert store.commit(bad).rejected == 1

    def test_a_batch_tried_one_by_one_may_be_committed_in_part(self, store: Store) -> None:
        session = store.session()
        last_seq = store.writer.last_seq
        small, huge = (
            receive(store.clock(), session.key, "small", ""),
            queue(store.clock(), session.key, "b", "x" * 10**6),
        )
        bad = receive(store.clock(), session.key, "bad", sent_at_ms=2**63)
        (pages,) = store.connection.execute("PRAGMA page_count").fetchone()
        store.connection.execute(f"PRAGMA max_page_count = {pages + 20}")
        whole_fails = [bad, small, huge, receive(store.clock(), session.key, "last")]
        with pytest.raises(PartlyCommitted, match="2 changes were committed") as caught:
            store.commit(*whole_fails)
        report = caught.value.report
        assert refusal(report.answers[0]).kind == Kind.INVALID
        assert report.answers[1].link_id == "small"
        assert [written.row.seq for written in report.events] == [last_seq + 1]
        store.connection.execute("PRAGMA max_page_count = 1000000")
        rest = store.commit(*whole_fails[2:])
        assert [written.row.seq for written in rest.events] == [last_seq + 2, last_seq + 3]
        assert store.rows("SELECT link_id FROM messages ORDER BY id") == [("small",), ("L-b",), ("last",)]
        assert check_database(store.path, progress=lambda step: None) == []

    def test_a_torn_database_is_unavailable_and_rejects_nothing(self, store: Store) -> None:
        """A row must not be called bad because the file is."""
        session = store.session()
        page = store.one("SELECT rootpage FROM sqlite_master WHERE name = 'messages_by_link_id'")
        store.close()
        whole = store.path.read_bytes()
        with store.path.open("r+b") as file:
            file.seek((page - 1) * 4096)
            file.write(os.urandom(4096))
        store.open()
        with pytest.raises(StoreUnavailable, match="malformed"):
            store.commit(receive(store.clock(), session.key, "x"))
        store.close()
        store.path.write_bytes(whole)
        store.open()
        assert store.one("SELECT count(*) FROM rejected") == 0

    def test_the_session_as_it_was_is_answered_after_a_rollback(self, store: Store) -> None:
        """What a failed transaction changed in memory must not show."""
        session = store.session()
        with locked(store), pytest.raises(StoreUnavailable):
            store.commit(changes.CountSession(at=store.clock(), session_key=session.key, errors=5))
        with read_only(store), pytest.raises(StoreUnavailable):
            store.commit(changes.CountSession(at=store.clock(), session_key=session.key, errors=5))
        row = store.do(changes.UpdateSession(at=store.clock(), session_key=session.key, fields={}))
        assert row.error_count == 0


def test_a_writer_without_what_it_writes_through_is_unavailable_and_rejects_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    session = store.session()
    store.writer.rewrite(lambda: True)  # which drops it
    with monkeypatch.context() as patched:
        patched.setattr("pombal.store.writer.prepare", fail)
        with pytest.raises(StoreUnavailable):
            store.commit(queue(store.clock(), session.key, "a"))
    store.do(queue(store.clock(), session.key, "a"))
    assert store.one("SELECT count(*) FROM rejected") == 0


def test_a_commit_needs_no_descriptor(store: Store) -> None:
    """The largest there is: SQLite would put aside what it may have to undo, in a file of its own."""
    session = store.session()
    names = [f"m{number}" for number in range(RecorderSettings().max_batch_rows)]
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limit[1]))
    try:
        store.commit(*(queue(store.clock(), session.key, name, "long " * 1000) for name in names))
        store.commit(*(reach(store.clock(), session.key, name, MessageStatus.SENT) for name in names))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
    assert store.one("SELECT total_messages_sent FROM sessions") == len(names)


def test_a_report_has_what_was_completed(store: Store) -> None:
    session = store.session()
    report = store.commit(queue(store.clock(), session.key, "a"))
    ((of_session, before, after),) = report.completed
    assert (of_session.name, before, after.status) == ("one", None, "queued")
    ((_, before, after),) = store.commit(reach(store.clock.advance(3), session.key, "a", MessageStatus.SENT)).completed
    assert (before and before.status, after.status, after.total_latency_ms) == ("queued", "sent", 3)


def test_checkpoint_moves_the_log_into_the_file(store: Store) -> None:
    store.do(queue(store.clock(), store.session().key, "a"))
    log = store.path.with_name("pombal.db-wal")
    assert log.stat().st_size > 0
    store.writer.checkpoint()
    assert log.stat().st_size == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("SQLITE_FULL", "the disk is full"),
        ("SQLITE_IOERR_SHMSIZE", "the disk is full, or it fails (SQLITE_IOERR_SHMSIZE)"),
        ("SQLITE_IOERR_FSYNC", "the disk fails (SQLITE_IOERR_FSYNC)"),
        ("SQLITE_BUSY_SNAPSHOT", "the database is locked by another program"),
    ],
)
def test_what_fails_is_told_in_words(name: str, words: str) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = name
    assert describe(error) == words
