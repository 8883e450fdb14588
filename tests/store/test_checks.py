"""What a check of the database finds: nothing in a whole one, and each kind of damage by its name."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from pombal.model import changes, removal_changes
from pombal.model.message import Direction, MessageStatus, Origin
from pombal.store.connection import StoreError
from pombal.store.offline import check_database
from tests.store.building import START_MS, Store, queue, reach, receive

HOUR_MS = 3_600_000


def fill(store: Store) -> None:
    """Two sessions with everything that happens to messages, over more than a day."""
    one, two = store.session("one").key, store.session("two").key
    for number in range(60):
        store.clock.advance(HOUR_MS // 2)
        key, name = (one, two)[number % 2], f"m{number}"
        store.commit(
            queue(store.clock(), key, name, f"número {number}"),
            receive(
                store.clock(), key, f"in{number}", offline=number % 7 == 0, sent_at_ms=store.clock().wall_ms - 4321
            ),
            receive(store.clock(), key, f"ph{number}", direction=Direction.OUTBOUND, origin=Origin.DEVICE),
        )
        store.do(changes.MarkDispatched(at=store.clock.advance(5), message_ids=(store.message(key, name).id,)))
        for status in list(MessageStatus)[1 : 1 + number % 6]:
            store.do(reach(store.clock.advance(37 * number), key, name, status, error_kind="x"))
    for number in (1, 2, 8):
        if store.message((one, two)[number % 2], f"m{number}").status in ("failed", "uncertain"):
            at, key = store.clock.advance(HOUR_MS * 5), (one, two)[number % 2]
            store.do(changes.ResendMessage(at=at, session_key=key, message_id=f"m{number}"))
    edit = changes.EditMessage(at=store.clock(), session_key=one, chat_id="5511888888888@s.whatsapp.net",
                               link_id="in2", text="something else")  # fmt: skip
    assert store.do(edit) is not None


@pytest.fixture
def filled(store: Store) -> Store:
    fill(store)
    return store


def check(path: Path) -> list[str]:
    return check_database(path, progress=lambda step: None)


def test_a_whole_database_is_whole_also_while_the_daemon_has_it(filled: Store) -> None:
    steps: list[str] = []
    assert check_database(filled.path, progress=steps.append) == []
    assert "event log" in steps
    assert steps[-1] == "0 rows lie among the rejected"


def test_an_empty_database_is_whole(store: Store) -> None:
    assert check(store.path) == []


def test_it_stays_whole_through_retention_and_deletion(filled: Store) -> None:
    now = filled.clock.advance(HOUR_MS)
    filled.do(removal_changes.PruneEvents(at=now, before_ms=START_MS + 10 * HOUR_MS, limit=10_000))
    filled.writer.spread_rollups()
    filled.do(removal_changes.PruneRollups(at=now, session_keys=(0, 1, 2), before_ms=START_MS + 7 * HOUR_MS + 600_000))
    filled.do(removal_changes.PurgeMessages(at=now, session_key=2, limit=1000))
    filled.do(changes.DeleteSession(at=now, session_key=2, messages_deleted=90))
    assert check(filled.path) == []


def test_it_stays_whole_when_a_message_moves_whose_minute_is_forgotten(store: Store) -> None:
    """A receipt after weeks, or a message that is sent again: its minute is there once more, without its neighbours."""
    key = store.session().key
    store.clock.advance(HOUR_MS - START_MS % HOUR_MS)
    store.commit(*(queue(store.clock(), key, name) for name in ("late", "again", "third")))
    for name in ("late", "again"):
        store.do(reach(store.clock.advance(5), key, name, MessageStatus.FAILED, error_kind="x"))
    now = store.clock.advance(20 * 24 * HOUR_MS)
    store.writer.spread_rollups()
    store.do(removal_changes.PruneRollups(at=now, session_keys=(0, key), before_ms=now.wall_ms - 7 * 24 * HOUR_MS))
    store.do(reach(now, key, "late", MessageStatus.DELIVERED))
    store.do(changes.ResendMessage(at=now, session_key=key, message_id="again"))
    assert check(store.path) == []
    store.writer.spread_rollups()
    assert check(store.path) == []


def test_the_check_writes_nothing(filled: Store) -> None:
    filled.close()  # moves the log into the file
    before = filled.path.read_bytes()
    check(filled.path)
    assert filled.path.read_bytes() == before
    filled.open()


def test_the_check_holds_up_no_commit(filled: Store) -> None:
    """Even while it reads: busy_timeout is 0, so a lock would refuse the commit."""
    committed = []

    def commit(step: str) -> None:
        committed.append(filled.do(receive(filled.clock.advance(1), 1, f"during {step}")))

    assert check_database(filled.path, progress=commit) == []
    assert len(committed) > 5


def test_rejected_rows_are_told_and_are_no_damage(filled: Store) -> None:
    filled.commit(receive(filled.clock(), 2**63, "x"))
    steps: list[str] = []
    assert check_database(filled.path, progress=steps.append) == []
    assert steps[-1] == "1 row lies among the rejected"


DAMAGE = {
    "hole": ("DELETE FROM events WHERE seq = 7", "the event log has holes: 1 events between 1 and "),
    "tail": ("DELETE FROM events WHERE seq > 20", "the event log ends at 20, but "),
    "message gone": ("DELETE FROM messages WHERE id = 4", "speak of messages that it does not have"),
    "counter": ("UPDATE sessions SET total_messages_failed = 99", "session 'one' counts 99 messages failed, but has "),
    "no session": ("UPDATE messages SET session_key = 77 WHERE id = 3", "1 messages belong to session 77, which there"),
    "contact of none": (
        "INSERT INTO contacts VALUES (8, '5511999999999', '5511999999999@s.whatsapp.net', NULL, NULL)",
        "1 contacts belong to session 8, which there",
    ),
    "event of none": ("UPDATE events SET session_key = 9 WHERE seq = 1", "1 events belong to session 9, which there"),
    "hash": ("UPDATE messages SET content_hash = NULL WHERE origin = 'api'", "have no content hash"),
    "value": ("UPDATE messages SET status = 'gone' WHERE id = 3", "1 rows of messages have the unknown status 'gone'"),
    "day": (
        "UPDATE latency_rollups SET late = late + 1 WHERE span_s = 86400 AND session_key = 1 AND measure = 'to_sent'",
        "days and messages differ",
    ),
    "bucket": (
        "UPDATE latency_histograms SET count = count + 1 WHERE span_s = 86400 AND session_key = 2",
        "days and messages differ",
    ),
    "hour": ("DELETE FROM latency_rollups WHERE span_s = 3600 AND session_key = 1", "days and hours differ"),
    "minute": (
        f"UPDATE latency_rollups SET messages = 0 WHERE span_s = 60 AND starts_at > {START_MS + 2 * HOUR_MS}",
        "hours and minutes differ",
    ),
    "all": ("UPDATE latency_rollups SET sum_ms = 0 WHERE session_key = 0", "all sessions and each differ"),
    "owner": ("UPDATE latency_rollups SET late = late + 1 WHERE session_key < 0", "owners and sessions differ"),
    "message late": (
        "UPDATE messages SET delivered_at = delivered_at + 9999 WHERE origin = 'api' AND delivered_at IS NOT NULL",
        "days and messages differ",
    ),
    "search": (
        (
            "INSERT INTO messages_search (messages_search, rowid, text_content, contact_number, contact_name) "
            "SELECT 'delete', id, text_content, contact_number, contact_name FROM messages WHERE id = 4"
        ),
        "the full-text index does not fit the texts",
    ),
    "search lost": ("DELETE FROM messages_search_data WHERE id > 10", "the full-text index does not fit the texts"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_found_and_named(filled: Store, kind: str) -> None:
    filled.writer.spread_rollups()
    sql, told = DAMAGE[kind]
    filled.connection.execute(sql)
    problems = check(filled.path)
    assert any(told in problem for problem in problems), problems


def test_damage_of_what_is_recent_is_found(filled: Store) -> None:
    filled.connection.execute("UPDATE latency_recent SET late = late + 1 WHERE session_key = 1")
    problems = check(filled.path)
    assert [" ".join(problem.split(" ")[2:6]) for problem in problems] == [
        "days and messages differ", "all sessions and each", "owners and sessions differ",
    ]  # fmt: skip


def test_a_text_changed_behind_the_index_is_found(filled: Store) -> None:
    filled.connection.execute("DROP TRIGGER messages_search_update")
    filled.connection.execute("UPDATE messages SET text_content = 'other' WHERE id = 4")
    assert check(filled.path) == ["the full-text index does not fit the texts: searches find too little or too much"]


def test_a_torn_page_is_found(filled: Store) -> None:
    filled.close()
    page = filled_page(filled.path, "messages")
    with filled.path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(os.urandom(4096))
    problems = check(filled.path)
    assert problems
    assert any("damaged" in problem or "cannot be read" in problem for problem in problems)


def filled_page(path: Path, table: str) -> int:
    connection = sqlite3.connect(path)
    (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [table]).fetchone()
    connection.close()
    return int(page)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"this is no database, whatever its name says" * 99, "is damaged or no SQLite database"),
        (b"", "is empty"),
        (None, "cannot be opened"),
    ],
)
def test_what_is_no_database_is_refused(tmp_path: Path, content: bytes | None, told: str) -> None:
    path = tmp_path / "pombal.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StoreError, match=told):
        check(path)


def test_a_foreign_database_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "other.db")
    connection.execute("CREATE TABLE songs (title)")
    connection.close()
    with pytest.raises(StoreError, match="not one of Pombal's"):
        check(tmp_path / "other.db")


def test_a_newer_and_an_older_database_are_refused_with_what_to_do(filled: Store, tmp_path: Path) -> None:
    filled.close()
    shutil.copy(filled.path, tmp_path / "older.db")
    for path, sql in (
        (filled.path, "INSERT INTO _sqlite_migrations VALUES (99, 'pombal', 'm0099_future', 'now')"),
        (tmp_path / "older.db", "DELETE FROM _sqlite_migrations WHERE name = 'm0006_media_and_rejected'"),
    ):
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute(sql)
        connection.close()
    with pytest.raises(StoreError, match=r"written by a newer Pombal .*m0099_future"):
        check(filled.path)
    with pytest.raises(StoreError, match=r"older Pombal.*db migrate \(m0006"):
        check(tmp_path / "older.db")
