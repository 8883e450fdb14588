"""Sessions in the store: created, found, listed, moved along their states, deleted."""

from typing import Any

import pytest

from pombal.model import changes
from pombal.model.errors import Kind, PombalError
from pombal.model.session import LinkKind, SessionRow
from pombal.model.session_state import CRASH_LOOP, NETWORK, READY, RESTRICTED, Place, SessionState
from pombal.store.session_queries import (
    SessionFilter,
    list_sessions,
    present_sessions,
    sessions_by_keys,
    sessions_named,
)
from tests.store.building import START_MS, Store, create


def delete(store: Store, key: int) -> None:
    store.do(changes.DeleteSession(at=store.clock.advance(1), session_key=key, messages_deleted=0))


def move(store: Store, key: int, place: Place, until_ms: int | None = None, **fields: Any) -> SessionRow:
    state = SessionState(place[0], place[1], until_ms, "5511")
    change = changes.SetSessionState(at=store.clock.advance(1), session_key=key, state=state, fields=fields)
    row = store.do(change)
    assert isinstance(row, SessionRow)
    return row


def told(store: Store) -> list[str]:
    return [kind for (kind,) in store.rows("SELECT type FROM events ORDER BY seq")]


def test_what_is_created_is_found_by_name_and_id(store: Store) -> None:
    row = store.session("one", settings={"a": [1, "ç"]}, phone_number="5511", device_name="Pombal")
    assert sessions_named(store.connection, "one") == sessions_named(store.connection, "ID-one") == row
    assert sessions_by_keys(store.connection, {row.key, 99}) == {row.key: row}
    assert sessions_named(store.connection, "none") is None
    assert (row.is_active, row.created_at, row.settings) == (True, START_MS, {"a": [1, "ç"]})


def test_a_name_is_taken_once(store: Store) -> None:
    store.session("one")
    with pytest.raises(PombalError, match="there is a session 'one' already") as caught:
        store.do(create(store.clock(), "one", id="other"))
    assert caught.value.kind == Kind.ALREADY_EXISTS
    report = store.commit(create(store.clock(), "two"), create(store.clock(), "two", id="other"))
    assert [isinstance(answer, PombalError) for answer in report.answers] == [False, True]


def test_a_deleted_one_is_found_by_id_alone_and_its_name_is_free(store: Store) -> None:
    old = store.session("one")
    delete(store, old.key)
    assert sessions_named(store.connection, "one") is None
    found = sessions_named(store.connection, "ID-one")
    assert found is not None
    assert (found.key, found.is_active, found.deleted_at) == (old.key, False, START_MS + 1)
    new = store.session("one", id="ID-new")
    assert new.key > old.key
    assert sessions_named(store.connection, "one") == new
    assert present_sessions(store.connection) == [new]
    with pytest.raises(PombalError, match="was deleted"):
        delete(store, old.key)


def test_a_name_that_is_anothers_id_leads_to_the_one_that_is_there(store: Store) -> None:
    old = store.session("x", id="one")
    delete(store, old.key)
    present = store.session("one", id="ID-2")
    assert sessions_named(store.connection, "one") == present


def test_keys_are_never_used_again(store: Store) -> None:
    keys = [store.session(f"s{number}").key for number in range(3)]
    store.connection.execute("DELETE FROM sessions")
    store.reopen()
    assert store.session("again").key == max(keys) + 1


def test_one_event_a_change_of_state(store: Store) -> None:
    key = store.session().key
    for place in (READY, READY, NETWORK, NETWORK, READY):
        move(store, key, place)
    assert told(store) == ["session.created", "session.status", "session.status", "session.status"]
    move(store, key, RESTRICTED, START_MS + 50)
    move(store, key, RESTRICTED, START_MS + 50)
    move(store, key, RESTRICTED, START_MS + 99)
    assert len(told(store)) == 6


def test_what_a_change_of_state_brings_with_it(store: Store) -> None:
    key = store.session().key
    ready = move(store, key, READY, phone_number="5511999999999")
    assert (ready.connected_at, ready.disconnected_at, ready.phone_number) == (START_MS + 1, None, "5511999999999")
    assert ready.identity == "5511"
    lost = move(store, key, NETWORK)
    assert (lost.connected_at, lost.disconnected_at, lost.error_count) == (START_MS + 1, START_MS + 2, 0)
    crashed = move(store, key, CRASH_LOOP, last_error="boom")
    assert (crashed.error_count, crashed.last_error) == (1, "boom")
    assert move(store, key, CRASH_LOOP).error_count == 1
    store.do(changes.CountSession(at=store.clock(), session_key=key, errors=2, restarts=3))
    found = sessions_named(store.connection, "one")
    assert found is not None
    assert (found.error_count, found.restart_count, found.last_error) == (3, 3, "boom")


def test_an_update_changes_what_is_given_and_nothing_else(store: Store) -> None:
    before = store.session(device_name="a", settings={"x": 1})
    at = store.clock.advance(5)
    after = store.do(changes.UpdateSession(at=at, session_key=before.key, fields={"device_name": None}))
    assert (after.device_name, after.settings, after.updated_at) == (None, {"x": 1}, START_MS + 5)
    assert sessions_named(store.connection, "one") == after


def test_a_field_that_is_not_there_is_refused(store: Store) -> None:
    key = store.session().key
    (answer,) = store.commit(changes.UpdateSession(at=store.clock(), session_key=key, fields={"nmae": "x"})).answers
    assert isinstance(answer, PombalError)
    assert told(store) == ["session.created"]


class TestLists:
    @pytest.fixture
    def many(self, store: Store) -> Store:
        for number in range(8):
            store.session(
                f"s{number}", owner=("ana", "rui")[number % 2], is_active=number < 4,
                link=LinkKind.WEB if number == 5 else LinkKind.SIMULATOR,
                phone_number=f"55110{number}", device_name=f"Loja {number}",
            )  # fmt: skip
        move(store, 3, READY)
        delete(store, 8)
        return store

    @pytest.mark.parametrize(
        ("fields", "names"),
        [
            ({}, "s0 s1 s2 s3 s4 s5 s6"),
            ({"owner": "rui"}, "s1 s3 s5"),
            ({"owner": "ninguém"}, ""),
            ({"status": "ready"}, "s2"),
            ({"is_active": False}, "s4 s5 s6"),
            ({"link": "web"}, "s5"),
            ({"search": "LOJA 3"}, "s3"),
            ({"search": "551104"}, "s4"),
            ({"search": "S1"}, "s1"),
            ({"search": "%"}, ""),
            ({"owner": "ana", "is_active": True, "search": "s"}, "s0 s2"),
            ({"past_key": 2, "limit": 3}, "s2 s3 s4"),
        ],
    )
    def test_filters(self, many: Store, fields: dict[str, Any], names: str) -> None:
        found = list_sessions(many.connection, SessionFilter(**fields))
        assert " ".join(row.name for row in found) == names

    def test_pages_meet_each_once(self, many: Store) -> None:
        met, past = list[int](), 0
        while page := list_sessions(many.connection, SessionFilter(past_key=past, limit=2)):
            met, past = met + [row.key for row in page], page[-1].key
            many.session(f"new{past}") if len(met) < 6 else None
        assert met == sorted(set(met))
        assert set(range(1, 8)) <= set(met)
