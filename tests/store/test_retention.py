"""What leaves the store for its age, and what stays whole when it does."""

from typing import Any

import pytest

from pombal.model import removal_changes
from pombal.model.changes import PutMedia
from pombal.model.errors import Kind
from pombal.model.message import MessageStatus, MessageType
from pombal.model.removal_changes import ForgetMedia, PruneMessages, RemovedMessages
from pombal.store.media_queries import unused_media, without_row
from pombal.store.offline import check_database
from tests.store.building import Store, queue, reach, receive

DAY_MS = 86_400_000
ONE, TWO = "1" * 64, "2" * 64


def check(store: Store) -> list[str]:
    return check_database(store.path, progress=lambda step: None)


def prune(store: Store, days: float, limit: int = 1000) -> RemovedMessages:
    now = store.clock()
    removed = store.do(PruneMessages(at=now, before_ms=now.wall_ms - int(days * DAY_MS), limit=limit))
    assert isinstance(removed, RemovedMessages)
    return removed


def put(store: Store, sha256: str) -> None:
    store.do(PutMedia(at=store.clock(), sha256=sha256, size_bytes=7))


def picture(store: Store, key: int, name: str, sha256: str, **fields: Any) -> Any:
    content = {"media": {"sha256": sha256, "mime_type": "image/png", "file_name": None}}
    return queue(store.clock(), key, name, None, message_type=MessageType.IMAGE, content=content, **fields)


def forget(store: Store, *sha256s: str, said_before_ms: int | None = None) -> list[str]:
    put_before_ms = store.clock().wall_ms - DAY_MS
    gone = store.do(
        ForgetMedia(at=store.clock(), sha256s=sha256s, put_before_ms=put_before_ms, said_before_ms=said_before_ms)
    )
    assert isinstance(gone, list)
    return gone


@pytest.fixture
def aged(store: Store) -> Store:
    """Forty days of messages of two sessions, in every status."""
    keys = (store.session("one").key, store.session("two").key)
    for day in range(40):
        store.clock.advance(DAY_MS)
        there = [(f"{day}-{status}", keys[place % 2], status) for place, status in enumerate([*MessageStatus][1:])]
        store.commit(
            *(queue(store.clock(), key, name, f"palavra{day}") for name, key, _ in there),
            *(receive(store.clock(), key, f"in-{name}") for name, key, _ in there),
        )
        at = store.clock.advance(300)
        store.commit(*(reach(at, key, name, status, error_kind="x") for name, key, status in there))
    return store


class TestMessages:
    def test_the_oldest_go_a_slice_at_a_time(self, aged: Store) -> None:
        before = aged.one("SELECT count(*) FROM messages")
        cut_ms = aged.clock().wall_ms - 30 * DAY_MS
        old = aged.one("SELECT count(*) FROM messages WHERE happened_at < ?", cut_ms)
        counts = []
        while (removed := prune(aged, 30, limit=30)).count:
            counts.append(removed.count)
            assert check(aged) == []
        assert max(counts) == 30
        assert sum(counts) == old > 60
        assert aged.one("SELECT count(*) FROM messages") == before - old
        assert aged.one("SELECT min(happened_at) FROM messages") >= cut_ms

    def test_totals_and_statistics_keep_what_they_counted(self, aged: Store) -> None:
        totals = "SELECT total_messages_sent, total_messages_received, total_messages_failed FROM sessions"
        aged.writer.spread_rollups()
        before, rollups = aged.rows(totals), aged.rows("SELECT * FROM latency_rollups ORDER BY 1, 2, 3, 4")
        assert prune(aged, 20).count > 0
        assert aged.rows(totals) == before
        assert aged.rows("SELECT * FROM latency_rollups ORDER BY 1, 2, 3, 4") == rollups
        assert check(aged) == []

    def test_they_are_not_found_any_more(self, aged: Store) -> None:
        found = "SELECT count(*) FROM messages_search WHERE messages_search MATCH ?"
        assert aged.one(found, "palavra3") > 0
        prune(aged, 20)
        assert (aged.one(found, "palavra3"), aged.one(found, "palavra39") > 0) == (0, True)

    def test_what_is_queued_stays(self, store: Store) -> None:
        key = store.session().key
        store.commit(queue(store.clock(), key, "waits"), receive(store.clock(), key, "came"))
        store.clock.advance(40 * DAY_MS)
        assert prune(store, 30).count == 1
        assert [row.status for row in (store.message(key, "waits"),)] == ["queued"]
        store.do(reach(store.clock.advance(5), key, "waits", MessageStatus.SENT))
        assert check(store) == []

    def test_life_goes_on_in_the_same_batch(self, aged: Store) -> None:
        """Also for a receipt of a message that goes: there is nothing to learn any more."""
        now = aged.clock()
        report = aged.commit(
            PruneMessages(at=now, before_ms=now.wall_ms - 30 * DAY_MS, limit=1000),
            reach(now, 1, "0-sent", MessageStatus.READ),
            reach(now, 1, "39-sent", MessageStatus.READ),
            receive(now, 1, "new"),
        )
        assert (report.answers[1], report.answers[2].status) == (None, "read")
        assert check(aged) == []

    def test_what_is_missing_otherwise_is_still_damage(self, aged: Store) -> None:
        prune(aged, 30)
        aged.connection.execute("DELETE FROM messages WHERE id = (SELECT max(id) FROM messages)")
        problems = "\n".join(check(aged))
        assert "speak of messages that it does not have" in problems
        assert "counts" in problems
        assert "latency rollups: days and messages differ" in problems

    def test_the_files_they_spoke_of_are_named(self, store: Store) -> None:
        key = store.session().key
        put(store, ONE)
        store.commit(picture(store, key, "p", ONE), picture(store, key, "q", ONE), queue(store.clock(), key, "t"))
        for name in "pqt":
            store.do(reach(store.clock.advance(5), key, name, MessageStatus.SENT))
        store.clock.advance(40 * DAY_MS)
        assert prune(store, 30) == RemovedMessages(3, (ONE,))


class TestFiles:
    def test_one_that_nobody_speaks_of_goes_after_its_time(self, store: Store) -> None:
        put(store, ONE)
        assert forget(store, ONE) == []
        store.clock.advance(2 * DAY_MS)
        assert forget(store, ONE, TWO) == [ONE]
        assert store.rows("SELECT * FROM media") == []

    def test_put_again_it_is_new(self, store: Store) -> None:
        """Whoever uploads what is there already may be about to send it."""
        put(store, ONE)
        store.clock.advance(2 * DAY_MS)
        put(store, ONE)
        assert forget(store, ONE) == []

    @pytest.mark.parametrize("order", ["sent first", "forgotten first"])
    def test_a_send_in_the_same_transaction(self, store: Store, order: str) -> None:
        key = store.session().key
        put(store, ONE)
        now = store.clock.advance(2 * DAY_MS)
        send = picture(store, key, "p", ONE)
        gone = ForgetMedia(at=now, sha256s=(ONE,), put_before_ms=now.wall_ms - DAY_MS)
        if order == "sent first":
            queued, removed = store.commit(send, gone).answers
            assert (queued.created, removed) == (True, [])
        else:
            removed, refusal = store.commit(gone, send).answers
            assert (removed, refusal.kind) == ([ONE], Kind.INVALID)

    def test_of_old_messages_they_may_go_before_the_messages(self, store: Store) -> None:
        key = store.session().key
        put(store, ONE)
        put(store, TWO)
        store.commit(picture(store, key, "old", ONE), picture(store, key, "waits", TWO))
        store.do(reach(store.clock.advance(5), key, "old", MessageStatus.SENT))
        store.clock.advance(10 * DAY_MS)
        said_before_ms = store.clock().wall_ms - 5 * DAY_MS
        assert forget(store, ONE, TWO) == []
        assert forget(store, ONE, TWO, said_before_ms=said_before_ms) == [ONE]
        content = store.message(key, "old").content
        assert content is not None
        assert content["media"]["sha256"] == ONE

    def test_one_that_a_newer_message_speaks_of_stays(self, store: Store) -> None:
        key = store.session().key
        put(store, ONE)
        store.do(picture(store, key, "old", ONE))
        store.do(reach(store.clock.advance(5), key, "old", MessageStatus.SENT))
        store.clock.advance(10 * DAY_MS)
        store.do(picture(store, key, "new", ONE, link_id="L-new"))
        store.do(reach(store.clock.advance(5), key, "new", MessageStatus.SENT))
        assert forget(store, ONE, said_before_ms=store.clock().wall_ms - 5 * DAY_MS) == []

    def test_they_are_looked_through_a_page_at_a_time(self, store: Store) -> None:
        names = [f"{number:064x}" for number in range(5)]
        for name in names:
            put(store, name)
        key = store.session().key
        store.do(picture(store, key, "p", names[1]))
        later_ms = store.clock().wall_ms + 1
        found, past = list[str](), ""
        for _ in range(3):
            page, after = unused_media(store.connection, past, 2, later_ms, None)
            found, past = found + page, after or ""
        assert (found, past) == ([names[0], *names[2:]], "")
        assert without_row(store.connection, [names[0], ONE]) == [ONE]


def test_purging_names_the_files_too(store: Store) -> None:
    key = store.session().key
    put(store, ONE)
    store.do(picture(store, key, "p", ONE))
    purge = removal_changes.PurgeMessages(at=store.clock(), session_key=key, limit=10)
    assert store.do(purge) == RemovedMessages(1, (ONE,))
