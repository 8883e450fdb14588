"""The writer: what it refuses for good, what it cannot do now, and what it tells."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pombal.model import changes
from pombal.model.errors import Kind, PombalError
from pombal.model.message import Direction, MessageStatus, MessageType, Origin
from pombal.model.text import storable
from pombal.store.decisions import dispatch
from pombal.store.message_queries import MessageFilter, list_messages, message_by_id
from pombal.store.offline import check_database
from pombal.store.writer import PartlyCommitted, StoreUnavailable
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
        store.do(changes.PurgeMessages(at=store.clock(), session_key=session.key, limit=10))
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


class TestSends:
    def test_the_same_id_with_the_same_content_is_one_message(self, store: Store) -> None:
        session = store.session()
        first, again = store.commit(*[queue(store.clock(), session.key, "a")] * 2).answers
        assert (first.created, again.created) == (True, False)
        store.do(reach(store.clock.advance(5), session.key, "a", MessageStatus.DELIVERED))
        later = store.do(queue(store.clock(), session.key, "a", link_id="another"))
        assert (later.created, later.message.status, later.message.link_id) == (False, "delivered", "L-a")

    def test_the_same_id_with_other_content_is_a_conflict(self, store: Store) -> None:
        session = store.session()
        store.do(queue(store.clock(), session.key, "a"))
        with pytest.raises(PombalError, match="was used for another message") as caught:
            store.do(queue(store.clock(), session.key, "a", "other"))
        assert caught.value.kind == Kind.CONFLICT

    def test_sessions_have_their_own_ids(self, store: Store) -> None:
        one, two = store.session("one"), store.session("two")
        assert store.do(queue(store.clock(), one.key, "a")).created
        assert store.do(queue(store.clock(), two.key, "a", "other")).created

    def test_a_deleted_session_takes_nothing(self, store: Store) -> None:
        session = store.session()
        store.do(changes.DeleteSession(at=store.clock(), session_key=session.key, messages_deleted=0))
        with pytest.raises(PombalError, match="was deleted") as caught:
            store.do(queue(store.clock(), session.key, "a"))
        assert caught.value.kind == Kind.NOT_FOUND

    def test_media_must_have_been_put_and_lend_their_size(self, store: Store) -> None:
        session = store.session()
        media = {"sha256": "a" * 64, "mime_type": "image/png", "file_name": None}
        send = queue(store.clock(), session.key, "a", None, message_type=MessageType.IMAGE, content={"media": media})
        with pytest.raises(PombalError, match=r"upload it first \(media.put\)"):
            store.do(send)
        put = changes.PutMedia(at=store.clock(), sha256="a" * 64, size_bytes=77)
        queued = store.commit(put, send).answers[1]
        assert queued.message.content == {"media": media | {"size_bytes": 77}}

    @pytest.mark.parametrize("how", ["quote", "reaction"])
    def test_what_is_answered_must_be_there_also_in_the_same_batch(self, store: Store, how: str) -> None:
        session = store.session()
        fields: dict[str, Any] = (
            {"quoted_message_id": "M-in"}
            if how == "quote"
            else {"content": {"reaction": {"message_id": "M-in", "emoji": "👍"}}, "message_type": MessageType.REACTION}
        )
        answer = queue(store.clock(), session.key, "a", **fields)
        with pytest.raises(PombalError, match="names no message of this session: 'M-in'"):
            store.do(answer)
        assert store.commit(receive(store.clock(), session.key, "in"), answer).answers[1].created

    def test_cancel_only_what_was_never_handed_over(self, store: Store) -> None:
        session = store.session()
        ids = [store.do(queue(store.clock(), session.key, name)).message.id for name in ("a", "b")]
        store.do(changes.MarkDispatched(at=store.clock.advance(1), message_ids=(ids[1],)))
        cancelled = store.do(changes.CancelMessage(at=store.clock(), session_key=session.key, message_id="a"))
        assert (cancelled.status, cancelled.error_kind) == ("failed", "cancelled")
        with pytest.raises(PombalError, match="already handed to WhatsApp"):
            store.do(changes.CancelMessage(at=store.clock(), session_key=session.key, message_id="b"))
        with pytest.raises(PombalError, match="is failed"):
            store.do(changes.CancelMessage(at=store.clock(), session_key=session.key, message_id="a"))

    def test_overdue_is_told_once(self, store: Store) -> None:
        session = store.session()
        row_id = store.do(queue(store.clock(), session.key, "a")).message.id
        store.do(changes.MarkDispatched(at=store.clock.advance(100), message_ids=(row_id,)))
        mark = changes.MarkOverdue(at=store.clock.advance(30_000), message_ids=(row_id, row_id, 999))
        (told,) = store.commit(mark, mark).events
        assert (told.row.type, told.row.data) == ("message.overdue", {"waited_ms": 30_000})


class TestReceived:
    def test_once_by_chat_participant_and_link_id(self, store: Store) -> None:
        session = store.session()
        same = receive(store.clock(), session.key, "x")
        report = store.commit(same, same, receive(store.clock(), session.key, "x", participant="p", message_id="other"))
        assert [answer is None for answer in report.answers] == [False, True, False]
        assert store.commit(same).answers == [None]

    def test_latency_and_lateness(self, store: Store) -> None:
        session = store.session()
        now = store.clock().wall_ms
        for name, sent_at_ms, offline in (
            ("in time", now - 4999, False), ("late", now - 5000, False), ("kept", now - 9999, True),
            ("early", now + 500, False),
        ):  # fmt: skip
            store.do(receive(store.clock(), session.key, name, sent_at_ms=sent_at_ms, offline=offline))
        assert store.rows("SELECT total_latency_ms, is_latency_acceptable FROM messages ORDER BY id") == [
            (4999, 1), (5000, 0), (9999, None), (0, 1),
        ]  # fmt: skip

    def test_history_and_the_phones_own_are_not_measured(self, store: Store) -> None:
        session = store.session()
        store.commit(
            receive(store.clock(), session.key, "h", origin=Origin.HISTORY),
            receive(store.clock(), session.key, "d", origin=Origin.DEVICE, direction=Direction.OUTBOUND),
            reach(store.clock.advance(9), session.key, "d", MessageStatus.READ),
        )
        assert store.rows("SELECT total_latency_ms, is_latency_acceptable FROM messages") == [(None, None)] * 2
        assert store.one("SELECT sum(measured) FROM latency_rollups") == 0

    def test_a_quote_is_told_by_our_id(self, store: Store) -> None:
        session = store.session()
        store.do(queue(store.clock(), session.key, "a"))
        answer = store.do(receive(store.clock(), session.key, "x", quoted_link_id="L-a"))
        assert answer.quoted_message_id == "a"
        assert store.do(receive(store.clock(), session.key, "y", quoted_link_id="unknown")).quoted_message_id is None

    def test_an_edit_is_found_by_its_new_words_and_not_by_its_old(self, store: Store) -> None:
        session = store.session()
        row = store.do(receive(store.clock(), session.key, "x", "primeira versão"))
        edit = changes.EditMessage(
            at=store.clock(), session_key=session.key, chat_id=row.chat_id, link_id="x", text="segunda"
        )
        (told,) = store.commit(edit).events
        assert told.row.data is None  # no copy of a text in the log
        assert list_messages(store.connection, MessageFilter(search="primeira")) == []
        assert [found.id for found in list_messages(store.connection, MessageFilter(search="segunda"))] == [row.id]

    def test_reading_names_what_it_does_not_know_and_marks_nothing(self, store: Store) -> None:
        session = store.session()
        store.do(receive(store.clock(), session.key, "x"))
        read = changes.MarkRead(at=store.clock(), session_key=session.key, message_ids=("M-x", "M-none"))
        with pytest.raises(PombalError, match="'M-none'") as caught:
            store.do(read)
        assert caught.value.kind == Kind.NOT_FOUND
        assert store.message(session.key, "M-x").status == MessageStatus.DELIVERED


def test_the_log_holds_no_text(store: Store) -> None:
    session = store.session(device_name="segredo")
    store.commit(
        queue(store.clock(), session.key, "a", "segredo"),
        receive(store.clock(), session.key, "x", "segredo", contact_name="segredo"),
        reach(store.clock(), session.key, "a", MessageStatus.FAILED, error_kind="refused", error_detail="why"),
        changes.EditMessage(at=store.clock(), session_key=session.key, chat_id="5511888888888@s.whatsapp.net",
                            link_id="x", text="segredo"),
    )  # fmt: skip
    assert store.one("SELECT count(*) FROM events") == 5
    assert store.one("SELECT count(*) FROM events WHERE data LIKE '%segredo%'") == 0


def test_codes_are_emptied_when_they_have_expired(store: Store) -> None:
    session = store.session()
    for is_qr, expires in ((True, 10), (False, 20)):
        store.do(changes.ShowCode(at=store.clock(), session_key=session.key, is_qr=is_qr, code="2@secret",
                                  expires_at_ms=store.clock().wall_ms + expires))  # fmt: skip
    assert store.do(changes.ClearCodes(at=store.clock.advance(10))) == 1
    assert store.do(changes.ClearCodes(at=store.clock())) == 0
    assert store.one("SELECT count(*) FROM events WHERE data LIKE '%2@secret%'") == 1
    assert store.do(changes.ClearCodes(at=store.clock.advance(10))) == 1


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
