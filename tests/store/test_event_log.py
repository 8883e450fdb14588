"""Reading the log: pages, filters, bounds, and what retention leaves."""

import pytest

from pombal.model import changes, removal_changes
from pombal.model.events import show_event
from pombal.model.message import MessageStatus
from pombal.store import event_log
from pombal.store.event_log import count_events, events_after, last_seq, log_bounds, newest_events
from tests.store.building import START_MS, Store, queue, reach, receive

NOW = START_MS + 10**6


@pytest.fixture
def filled(store: Store) -> Store:
    """Twelve events: two sessions created, then five of each session by turns."""
    one, two = store.session("one").key, store.session("two").key
    for number in range(10):
        store.do(receive(store.clock.advance(1000), (one, two)[number % 2], f"x{number}"))
    return store


def seqs(page: object) -> list[int]:
    return [event.seq for event in page.events]  # type: ignore[attr-defined]


def test_pages_follow_each_other(filled: Store) -> None:
    met, after = list[int](), 0
    while (page := events_after(filled.connection, after, 5, NOW)).events:
        met, after = met + seqs(page), page.read_to
    assert met == list(range(1, 13))
    assert (after, page.bounds.first_seq, page.bounds.last_seq) == (12, 1, 12)


def test_beyond_the_end_there_is_nothing_yet(filled: Store) -> None:
    page = events_after(filled.connection, 99, 5, NOW)
    assert (seqs(page), page.read_to, page.bounds.last_seq) == ([], 99, 12)


def test_an_empty_log(store: Store) -> None:
    assert (log_bounds(store.connection).first_seq, log_bounds(store.connection).last_seq) == (1, 0)
    assert events_after(store.connection, 0, 5, NOW).read_to == 0
    assert newest_events(store.connection, 5, NOW).events == []


@pytest.mark.parametrize("ref", ["one", "ID-one"])
def test_filters_and_how_far_was_read(filled: Store, ref: str) -> None:
    page = events_after(filled.connection, 0, 3, NOW, frozenset({ref}))
    assert (seqs(page), page.read_to) == ([1, 3, 5], 5)
    page = events_after(filled.connection, 5, 30, NOW, frozenset({ref}), frozenset({"message.received"}))
    assert (seqs(page), page.read_to) == ([7, 9, 11], 12)
    assert seqs(events_after(filled.connection, 0, 9, NOW, frozenset({"none"}))) == []
    assert seqs(events_after(filled.connection, 0, 9, NOW, types=frozenset({"session.created"}))) == [1, 2]


def test_how_many_there_are(filled: Store) -> None:
    received = frozenset({"message.received"})
    assert count_events(filled.connection, 0, None, None) == 12
    assert count_events(filled.connection, 2, None, None) == 10
    assert count_events(filled.connection, 5, frozenset({"one"}), received) == 3
    assert count_events(filled.connection, 99, None, None) == 0


def test_the_newest_page_begins_with_its_oldest(filled: Store) -> None:
    page = newest_events(filled.connection, 3, NOW)
    assert (seqs(page), page.read_to) == ([10, 11, 12], 12)
    assert seqs(newest_events(filled.connection, 2, NOW, frozenset({"one"}))) == [9, 11]


def test_what_is_rare_is_found_without_reading_the_log(filled: Store) -> None:
    chat, key = "5511888888888@s.whatsapp.net", 1
    filled.do(changes.RevokeMessage(at=filled.clock(), session_key=key, chat_id=chat, link_id="x2"))
    rare = frozenset({"message.deleted", "session.status"})
    statements: list[str] = []
    filled.connection.set_trace_callback(statements.append)
    page = newest_events(filled.connection, 5, NOW, frozenset({"one"}), rare)
    after = events_after(filled.connection, 1, 5, NOW, frozenset({"one"}), rare)
    filled.connection.set_trace_callback(None)
    assert [event.object()["data"]["message_id"] for event in page.events] == ["M-x2"]
    assert seqs(page) == seqs(after)
    pages = [sql for sql in statements if "INDEXED BY" in sql]
    for sql in pages:
        plan = [row[3] for row in filled.connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
        assert any("INDEX events_rare (session_key=? AND rowid>" in step for step in plan), plan
    assert len(pages) == 2


def test_bounds_after_pruning(filled: Store) -> None:
    prune = removal_changes.PruneEvents(at=filled.clock(), before_ms=START_MS + 5000, limit=100)
    assert filled.do(prune) == 6
    assert (log_bounds(filled.connection).first_seq, log_bounds(filled.connection).last_seq) == (7, 12)
    assert seqs(events_after(filled.connection, 0, 3, NOW)) == [7, 8, 9]


def test_pruning_goes_in_slices_and_leaves_the_newest(filled: Store) -> None:
    removed = []
    while gone := filled.do(removal_changes.PruneEvents(at=filled.clock(), before_ms=NOW, limit=5)):
        removed.append(gone)
    assert removed == [5, 5, 1]
    assert (log_bounds(filled.connection).first_seq, last_seq(filled.connection)) == (12, 12)
    filled.reopen()
    filled.do(receive(filled.clock(), 1, "next"))
    assert seqs(events_after(filled.connection, 0, 9, NOW)) == [12, 13]


def test_an_event_is_shown_as_it_was_told(store: Store) -> None:
    """The live ring shows what was committed, the log looks it up later: both must say the same."""
    key = store.session().key
    reports = [store.commit(queue(store.clock(), key, "a", "olá"), receive(store.clock(), key, "x", "oi"))]
    for status in (MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.READ):
        reports.append(store.commit(reach(store.clock.advance(50), key, "a", status)))
    live = [show_event(told.row, told.session, told.message, NOW) for report in reports for told in report.events]
    assert events_after(store.connection, 1, 50, NOW).events == live


def test_events_of_removed_messages_and_deleted_sessions_stay(filled: Store) -> None:
    filled.do(removal_changes.PurgeMessages(at=filled.clock(), session_key=1, limit=100))
    filled.do(changes.DeleteSession(at=filled.clock(), session_key=1, messages_deleted=5))
    page = events_after(filled.connection, 0, 50, NOW, frozenset({"ID-one"}))
    assert seqs(page) == [1, 3, 5, 7, 9, 11, 13]
    assert {event.object()["data"].get("erased") for event in page.events[1:6]} == {True}
    assert page.events[-1].object()["data"]["messages_deleted"] == 5


def test_codes_are_not_shown_once_expired_even_before_they_are_emptied(store: Store) -> None:
    key = store.session().key
    store.do(changes.ShowCode(at=store.clock(), session_key=key, is_qr=True, code="2@x", expires_at_ms=START_MS + 20))
    assert events_after(store.connection, 1, 1, START_MS + 19).events[0].object()["data"]["code"] == "2@x"
    assert events_after(store.connection, 1, 1, START_MS + 20).events[0].object()["data"]["code"] is None


def test_a_page_is_read_by_sequence_alone(filled: Store) -> None:
    statements: list[str] = []
    filled.connection.set_trace_callback(statements.append)
    events_after(filled.connection, 3, 5, NOW)
    newest_events(filled.connection, 5, NOW, frozenset({"one"}), frozenset({"message.received"}))
    filled.connection.set_trace_callback(None)
    pages = [sql for sql in statements if "FROM events AS e" in sql]
    assert len(pages) == 2
    for sql in pages:
        plan = [row[3] for row in filled.rows(f"EXPLAIN QUERY PLAN {sql}")]
        assert "SEARCH e USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)" in plan
        assert not [step for step in plan if "TEMP B-TREE" in step]


def test_a_filter_that_lets_little_pass_is_answered_in_slices(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the log is, one page looks at so many events and says how far it has read."""
    monkeypatch.setattr(event_log, "SCAN_EVENTS", 2)
    nothing = frozenset({"no-such-session"})
    page = events_after(filled.connection, 0, 100, NOW, nothing)
    assert (page.events, page.read_to) == ([], 2)
    last = page.bounds.last_seq
    while page.read_to < last:
        after = page.read_to
        page = events_after(filled.connection, after, 100, NOW, nothing)
        assert page.read_to == min(last, after + 2)
