"""What the writer holds between transactions is what it would read."""

import sqlite3
from contextlib import closing

import pytest

from pombal.model.changes import CancelMessage, EditMessage, FailQueue, MarkDispatched, ResendMessage, ShowCode
from pombal.model.erasure_changes import EraseMessages
from pombal.model.message import MessageStatus
from pombal.model.removal_changes import PurgeMessages
from pombal.store.held import TEXT_MAX_CHARACTERS
from pombal.store.writer import StoreUnavailable
from tests.store.building import HELD_MESSAGES, Store, queue, reach, receive


def held_links(store: Store) -> list[str]:
    return [link_id for (_, link_id), _ in store.writer.held]


def test_the_steps_of_a_life_read_nothing(store: Store) -> None:
    key = store.session().key
    row = store.do(queue(store.clock(), key, "A")).message
    statements: list[str] = []
    store.connection.set_trace_callback(statements.append)
    store.do(MarkDispatched(at=store.clock.advance(1), message_ids=(row.id,)))
    for status in (MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.READ):
        assert store.do(reach(store.clock.advance(1), key, "A", status)).status == status
    store.connection.set_trace_callback(None)
    assert not [statement for statement in statements if statement.lstrip().startswith("SELECT")]
    kept = store.message(key, "A")
    assert (kept.status, kept.dispatched_at) == (MessageStatus.READ, kept.queued_at and kept.queued_at + 1)
    assert held_links(store) == [], "nothing more is to come"


def test_a_receipt_reaches_all_messages_under_its_id(store: Store) -> None:
    key = store.session().key
    store.do(queue(store.clock(), key, "A"))
    store.do(receive(store.clock(), key, "L-A"))
    store.do(reach(store.clock.advance(1), key, "A", MessageStatus.READ))
    assert store.rows("SELECT status FROM messages") == [("read",), ("read",)]


def test_an_id_that_is_queued_a_second_time_is_not_taken_for_the_only_one(store: Store) -> None:
    key = store.session().key
    store.do(receive(store.clock(), key, "L-A"))
    store.do(queue(store.clock(), key, "A"))
    store.do(reach(store.clock.advance(1), key, "A", MessageStatus.READ))
    assert store.rows("SELECT status FROM messages") == [("read",), ("read",)]


def test_the_newest_are_held(store: Store) -> None:
    key = store.session().key
    names = [str(number) for number in range(HELD_MESSAGES + 2)]
    for name in names:
        store.do(queue(store.clock(), key, name))
    assert held_links(store) == [f"L-{name}" for name in names[-HELD_MESSAGES:]]
    for name in names:
        store.do(reach(store.clock.advance(1), key, name, MessageStatus.READ))
    assert store.one("SELECT count(*) FROM messages WHERE status = 'read'") == len(names)


@pytest.mark.parametrize("kind", ["erased", "purged"])
def test_what_was_removed_is_not_there_any_more(store: Store, kind: str) -> None:
    key = store.session().key
    row = store.do(queue(store.clock(), key, "A")).message
    if kind == "erased":
        store.do(EraseMessages(at=store.clock(), erasure="E", message_ids=(row.id,)))
    else:
        store.do(PurgeMessages(at=store.clock(), session_key=key, limit=10))
    assert store.do(reach(store.clock(), key, "A", MessageStatus.SENT)) is None
    assert store.one("SELECT count(*) FROM messages") == 0


def test_what_another_change_has_done_to_it_is_seen(store: Store) -> None:
    key = store.session().key
    store.do(queue(store.clock(), key, "A"))
    store.do(FailQueue(at=store.clock(), session_key=key, error_kind="x", error_detail="y", limit=10, is_unsure=True))
    assert held_links(store) == []
    assert store.do(reach(store.clock(), key, "A", MessageStatus.FAILED, error_kind="z")).error_kind == "z"


def test_a_transaction_that_failed_leaves_nothing_held(store: Store) -> None:
    key = store.session().key
    store.do(queue(store.clock(), key, "A"))
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            store.commit(reach(store.clock(), key, "A", MessageStatus.SENT))
    assert held_links(store) == []
    assert store.do(reach(store.clock(), key, "A", MessageStatus.SENT)).status == MessageStatus.SENT


def test_inbound_messages_and_long_texts_are_not_held(store: Store) -> None:
    key = store.session().key
    store.do(receive(store.clock(), key, "in"))
    store.do(queue(store.clock(), key, "long", "x" * (TEXT_MAX_CHARACTERS + 1)))
    store.do(queue(store.clock(), key, "A", "x" * TEXT_MAX_CHARACTERS))
    assert held_links(store) == ["L-A"]
    assert store.do(reach(store.clock(), key, "long", MessageStatus.READ)).status == MessageStatus.READ


def test_messages_that_share_an_id_keep_their_order(store: Store) -> None:
    key = store.session().key
    first = store.do(receive(store.clock(), key, "L-A")).id
    second = store.do(queue(store.clock(), key, "A")).message.id
    store.do(MarkDispatched(at=store.clock(), message_ids=(second,)))
    answer = store.do(receive(store.clock(), key, "B", quoted_link_id="L-A"))
    assert answer.quoted_message_id == store.one("SELECT message_id FROM messages WHERE id = ?", first)


@pytest.mark.parametrize("kind", ["cancelled", "sent again", "edited", "shown"])
def test_other_steps_leave_it_held(store: Store, kind: str) -> None:
    key = store.session().key
    store.do(queue(store.clock(), key, "A"))
    match kind:
        case "cancelled":
            store.do(queue(store.clock(), key, "B"))
            store.do(CancelMessage(at=store.clock(), session_key=key, message_id="B"))
        case "sent again":
            store.do(queue(store.clock(), key, "B"))
            store.do(reach(store.clock(), key, "B", MessageStatus.FAILED, error_kind="x"))
            store.do(ResendMessage(at=store.clock(), session_key=key, message_id="B"))
        case "edited":
            chat_id = store.message(key, "A").chat_id
            store.do(EditMessage(at=store.clock(), session_key=key, chat_id=chat_id, link_id="L-A", text="else"))
        case "shown":
            store.do(ShowCode(at=store.clock(), session_key=key, code="2@x", expires_at_ms=1, is_qr=True))
    assert held_links(store) == ["L-A"]
    ((_, held),) = store.writer.held
    assert held == [store.message(key, "A")]


def test_what_is_on_disk_is_not_tried_again_though_it_cannot_be_held(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = store.session().key

    def fails(*_: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr(store.writer.held, "follow", fails)
    assert store.do(queue(store.clock(), key, "A")).created
    assert store.one("SELECT count(*) FROM events WHERE type = 'message.queued'") == 1


def test_a_transaction_says_whether_it_has_written(store: Store) -> None:
    key = store.session().key
    assert store.commit(queue(store.clock(), key, "A")).has_written
    assert not store.commit(queue(store.clock(), key, "A")).has_written
