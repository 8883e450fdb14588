"""What each change does to messages, one at a time and within one batch."""

from typing import Any

import pytest

from pombal.model import changes, removal_changes
from pombal.model.errors import Kind, PombalError
from pombal.model.message import Direction, MessageStatus, MessageType, Origin
from pombal.store.message_queries import list_messages
from pombal.store.message_ways import MessageFilter
from tests.store.building import Store, queue, reach, receive


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
        with pytest.raises(PombalError, match="its bytes must come first"):
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
        answer = queue(store.clock(), session.key, "a", chat_id="5511888888888@s.whatsapp.net", **fields)
        with pytest.raises(PombalError, match="names no message of this session: 'M-in'"):
            store.do(answer)
        assert store.commit(receive(store.clock(), session.key, "in"), answer).answers[1].created

    def test_a_reaction_belongs_into_the_chat_of_its_message(self, store: Store) -> None:
        session = store.session()
        store.commit(receive(store.clock(), session.key, "in", chat_id="120363@g.us", participant="1@lid"))
        content = {"reaction": {"message_id": "M-in", "emoji": "👍"}}
        reaction: dict[str, Any] = {"message_type": MessageType.REACTION, "content": content}
        with pytest.raises(PombalError, match=r"a message of another chat \(120363@g.us\)"):
            store.do(queue(store.clock(), session.key, "a", **reaction))
        there = {"chat_id": "120363@g.us", "contact_number": None}
        assert store.do(queue(store.clock(), session.key, "a", **reaction, **there)).created

    def test_a_gap_is_told_and_kept_as_the_last_error(self, store: Store) -> None:
        session = store.session()
        store.do(changes.TellGap(at=store.clock(), session_key=session.key, detail="the gateway was killed"))
        ((kind, data),) = store.rows("SELECT type, data FROM events WHERE type = 'session.gap'")
        assert (kind, "the gateway was killed" in data) == ("session.gap", True)
        assert store.rows("SELECT error_count, last_error FROM sessions") == [
            (1, "messages may have been lost: the gateway was killed")
        ]

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
        assert store.one("SELECT sum(measured) FROM latency_recent") == 0

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
                            link_id="x", text="segredo mais"),
    )  # fmt: skip
    assert store.one("SELECT count(*) FROM events") == 5
    assert store.one("SELECT count(*) FROM events WHERE data LIKE '%segredo%'") == 0


def test_codes_are_emptied_when_they_have_expired(store: Store) -> None:
    session = store.session()
    for is_qr, expires in ((True, 10), (False, 20)):
        store.do(changes.ShowCode(at=store.clock(), session_key=session.key, is_qr=is_qr, code="2@secret",
                                  expires_at_ms=store.clock().wall_ms + expires))  # fmt: skip
    assert store.do(removal_changes.ClearCodes(at=store.clock.advance(10))) == 1
    assert store.do(removal_changes.ClearCodes(at=store.clock())) == 0
    assert store.one("SELECT count(*) FROM events WHERE data LIKE '%2@secret%'") == 1
    assert store.do(removal_changes.ClearCodes(at=store.clock.advance(10))) == 1
