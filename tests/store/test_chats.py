"""The list of chats, which triggers keep: always what the messages say, and quick to read."""

import random
import sqlite3
from contextlib import closing

import pytest

from pombal.model import changes, removal_changes
from pombal.model.message import MessageStatus, Origin
from pombal.store.chat_queries import list_chats
from pombal.store.checks import chats as problems
from tests.store.building import Store, queue, reach, receive


@pytest.fixture
def store(store: Store) -> Store:
    store.session("one")
    store.session("two")
    return store


def listed(store: Store, key: int = 1, **fields: object) -> list[tuple[str, int]]:
    options = {"search": None, "past_message": None, "limit": 50} | fields
    return [(row.chat_id, row.unread) for row in list_chats(store.connection, key, **options)]  # type: ignore[arg-type]


def test_the_newest_first_with_what_is_unread(store: Store) -> None:
    for link_id, chat in (("a", "c1"), ("b", "c2"), ("c", "c1"), ("d", "c3")):
        store.do(receive(store.clock.advance(1), 1, link_id, chat_id=chat))
    store.do(queue(store.clock.advance(1), 1, "m", chat_id="c2"))
    store.do(receive(store.clock.advance(1), 2, "x", chat_id="c1"))
    assert listed(store) == [("c2", 1), ("c3", 1), ("c1", 2)]
    assert listed(store, 2) == [("c1", 1)]
    store.do(changes.MarkRead(at=store.clock.advance(1), session_key=1, message_ids=("M-a",)))
    assert dict(listed(store))["c1"] == 1


def test_pages_follow_one_another(store: Store) -> None:
    for number in range(7):
        store.do(receive(store.clock.advance(1), 1, f"x{number}", chat_id=f"c{number}"))
    seen, past = [], None
    while page := list_chats(store.connection, 1, search=None, past_message=past, limit=3):
        seen += [row.chat_id for row in page]
        past = page[-1].last.id
    assert seen == [f"c{number}" for number in reversed(range(7))]


def test_a_name_is_known_by_whoever_wrote_last_at_the_other_end(store: Store) -> None:
    store.do(receive(store.clock.advance(1), 1, "a", chat_id="c1", contact_name="Conceição Lins"))
    store.do(queue(store.clock.advance(1), 1, "m", chat_id="c1"))
    (row,) = list_chats(store.connection, 1, search="conceicao li", past_message=None, limit=5)
    assert row.last.message_id == "m"
    assert row.last_inbound is not None
    assert row.last_inbound.contact_name == "Conceição Lins"


@pytest.mark.parametrize("search", ['"', "* OR", "contact_name : x", "{", "", "a AND"])
def test_a_search_is_never_syntax(store: Store, search: str) -> None:
    store.do(receive(store.clock.advance(1), 1, "a"))
    listed(store, search=search)


def test_what_the_phone_and_history_brought_is_not_unread(store: Store) -> None:
    store.do(receive(store.clock.advance(1), 1, "a", origin=Origin.HISTORY))
    assert [unread for _, unread in listed(store)] == [0]


def test_whatever_happens_the_list_says_what_the_messages_say(store: Store) -> None:
    dice = random.Random(5)
    for number in range(300):
        at, key = store.clock.advance(1), dice.choice([1, 2])
        chat = f"c{dice.randrange(6)}"
        match dice.randrange(5):
            case 0 | 1:
                store.do(receive(at, key, f"x{number}", chat_id=chat, origin=dice.choice([Origin.API, Origin.HISTORY])))
            case 2:
                store.do(queue(at, key, f"m{number}", chat_id=chat))
                store.do(reach(at, key, f"m{number}", dice.choice([MessageStatus.SENT, MessageStatus.READ])))
            case 3:
                unread = store.rows("SELECT message_id FROM messages WHERE session_key = ? AND status = ?", key,
                                    "delivered")  # fmt: skip
                if unread:
                    names = tuple(name for (name,) in dice.sample(unread, min(3, len(unread))))
                    store.do(changes.MarkRead(at=at, session_key=key, message_ids=names))
            case _:
                store.connection.execute(
                    "DELETE FROM messages WHERE id IN (SELECT id FROM messages ORDER BY (id * 7919) % 13 LIMIT 1)"
                )
        if dice.random() < 0.05:
            store.connection.execute("UPDATE messages SET chat_id = 'c9' WHERE chat_id = ?", [chat])
    assert list(problems(store.connection)) == []
    store.do(removal_changes.PurgeMessages(at=store.clock(), session_key=1, limit=1000))
    assert listed(store, 1) == []
    assert list(problems(store.connection)) == []


def test_a_list_that_is_wrong_is_found(store: Store) -> None:
    store.do(receive(store.clock.advance(1), 1, "a"))
    store.connection.execute("UPDATE chats SET unread = 7")
    assert list(problems(store.connection)) == ["1 chats are not listed as their messages say"]


def test_reading_a_page_looks_at_no_more_than_the_page(store: Store) -> None:
    with closing(sqlite3.connect(store.path)) as connection:
        plan = connection.execute(
            "EXPLAIN QUERY PLAN SELECT * FROM chats WHERE session_key = 1 ORDER BY last_message DESC LIMIT 51"
        ).fetchall()
    assert [row[3] for row in plan] == ["SEARCH chats USING INDEX chats_by_last (session_key=?)"]
