"""Copying the database beside a daemon that writes, and putting a copy in its place."""

import errno
import os
import sqlite3
import stat
from pathlib import Path

import pytest

from pombal.model import changes
from pombal.model.changes import Change
from pombal.model.message import MessageStatus
from pombal.store import copies
from pombal.store.connection import StoreError, log_id_of
from pombal.store.copies import IDS_PASSED_OVER, RestoredDatabase, copy_database
from pombal.store.message_queries import queue_depths
from pombal.store.offline import check_database
from tests.store.building import TABLES, Store, dump, queue, reach, receive


def quiet(done: int, total: int) -> None:
    assert 0 <= done <= total


def restore_database(backup: Path, destination: Path) -> RestoredDatabase:
    aside = destination.parent / "replaced" / "now"
    return copies.restore_database(backup, destination, aside=aside, made_at="2026-11-22T03:15:00.000Z", progress=quiet)


def fill(store: Store, count: int = 50) -> int:
    key = store.session().key
    batch: list[Change] = [receive(store.clock.advance(7), key, f"in{number}", "text " * 50) for number in range(count)]
    store.commit(*batch, queue(store.clock(), key, "out"))
    return key


def _no_space(source: Path, target: Path) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", str(target))


def files(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


class TestCopy:
    def test_is_one_private_whole_file_with_everything_in_it(self, store: Store, tmp_path: Path) -> None:
        fill(store)
        target = tmp_path / "copies" / "backup.db"
        target.parent.mkdir()
        copy_database(store.path, target, progress=quiet)
        assert files(target.parent) == {"backup.db"}
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        assert check_database(target, progress=lambda step: None) == []
        copy = sqlite3.connect(f"file:{target}?mode=ro&immutable=1", uri=True)
        assert dump(copy, TABLES) == dump(store.connection, TABLES)
        copy.close()

    def test_tells_how_far_it_is(self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("pombal.store.copies.SLICE_PAGES", 20)
        fill(store, 500)
        told: list[tuple[int, int]] = []
        copy_database(store.path, tmp_path / "b.db", progress=lambda done, total: told.append((done, total)))
        assert len(told) > 1
        assert told == sorted(told)
        assert told[-1][0] == told[-1][1]

    def test_ends_beside_a_daemon_that_never_stops_writing(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """SQLite begins a copy anew whenever another connection writes, unless a snapshot is held."""
        monkeypatch.setattr("pombal.store.copies.SLICE_PAGES", 20)
        key = fill(store, 500)
        told = 0

        def write(done: int, total: int) -> None:
            nonlocal told
            told += 1
            assert told < 100, "the backup begins anew at every commit"
            store.do(receive(store.clock.advance(1), key, f"during {told}"))

        copy_database(store.path, tmp_path / "b.db", progress=write)
        assert told > 1
        copy = sqlite3.connect(tmp_path / "b.db")
        assert copy.execute("SELECT count(*) FROM messages").fetchone() == (501,)
        copy.close()

    def test_does_not_overwrite(self, store: Store, tmp_path: Path) -> None:
        (tmp_path / "b.db").write_text("precious")
        with pytest.raises(StoreError, match="is there already"):
            copy_database(store.path, tmp_path / "b.db", progress=quiet)
        assert (tmp_path / "b.db").read_text() == "precious"

    def test_does_not_overwrite_what_appears_meanwhile(self, store: Store, tmp_path: Path) -> None:
        target = tmp_path / "b.db"

        def appear(done: int, total: int) -> None:
            target.write_text("precious")

        with pytest.raises(StoreError, match="has appeared meanwhile"):
            copy_database(store.path, target, progress=appear)
        assert target.read_text() == "precious"
        assert not [name for name in files(tmp_path) if name.endswith(".part")]

    def test_leaves_nothing_behind_when_it_is_interrupted(self, store: Store, tmp_path: Path) -> None:
        before = files(tmp_path)

        def interrupt(done: int, total: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            copy_database(store.path, tmp_path / "b.db", progress=interrupt)
        assert files(tmp_path) == before

    def test_says_where_it_cannot_write(self, store: Store, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match=r"none/b\.db cannot be written: No such file or directory"):
            copy_database(store.path, tmp_path / "none" / "b.db", progress=quiet)

    def test_refuses_a_damaged_source(self, store: Store, tmp_path: Path) -> None:
        fill(store)
        page = store.one("SELECT rootpage FROM sqlite_master WHERE name = 'messages_by_chat'")
        store.close()
        with store.path.open("r+b") as file:
            file.seek((page - 1) * 4096)
            file.write(os.urandom(4096))
        with pytest.raises(StoreError, match="is damaged"):
            copy_database(store.path, tmp_path / "b.db", progress=quiet)
        assert not (tmp_path / "b.db").exists()


class TestRestore:
    def test_brings_the_backup_back_under_a_new_log_id(self, store: Store, tmp_path: Path) -> None:
        key = fill(store)
        store.do(reach(store.clock.advance(5), key, "out", MessageStatus.SENT))
        copy_database(store.path, tmp_path / "b.db", progress=quiet)
        wanted, old_log_id = dump(store.connection, ("messages", "chats", "media")), log_id_of(store.connection)
        store.commit(queue(store.clock(), key, "after the backup"))
        store.close()

        done = restore_database(tmp_path / "b.db", store.path)
        store.open()
        assert dump(store.connection, ("messages", "chats", "media")) == wanted
        assert log_id_of(store.connection) == done.log_id != old_log_id
        assert done.held == 0
        assert store.do(queue(store.clock(), key, "new")).created
        assert check_database(store.path, progress=lambda step: None) == []

    def test_what_was_queued_is_held_back_and_never_sent_by_itself(self, store: Store, tmp_path: Path) -> None:
        """Between the backup and now it has been sent, and nobody knows any more."""
        key = fill(store)
        store.commit(*(queue(store.clock(), key, f"waits {number}") for number in range(600)))
        store.do(changes.MarkDispatched(at=store.clock(), message_ids=(store.message(key, "out").id,)))
        copy_database(store.path, tmp_path / "b.db", progress=quiet)
        store.do(reach(store.clock.advance(5), key, "waits 1", MessageStatus.SENT))
        store.close()

        assert restore_database(tmp_path / "b.db", store.path).held == 601
        store.open()
        assert queue_depths(store.connection) == {}
        row = store.message(key, "waits 1")
        assert (row.status, row.error_kind) == (MessageStatus.UNCERTAIN, "restored")
        assert "2026-11-22T03:15:00.000Z" in (row.error_detail or "")
        told = store.one("SELECT count(*) FROM events WHERE type = 'message.status' AND data->>'status' = 'uncertain'")
        assert told == 601
        # The same send once more is answered as it stands; a receipt settles it; a person may send it again.
        assert store.do(queue(store.clock(), key, "waits 1")).created is False
        assert store.do(reach(store.clock(), key, "waits 1", MessageStatus.DELIVERED)).status == MessageStatus.DELIVERED
        again = changes.ResendMessage(at=store.clock(), session_key=key, message_id="waits 2")
        assert store.do(again).status == MessageStatus.QUEUED
        assert check_database(store.path, progress=lambda step: None) == []

    def test_each_session_says_that_messages_are_missing(self, store: Store, tmp_path: Path) -> None:
        fill(store)
        copy_database(store.path, tmp_path / "b.db", progress=quiet)
        store.close()
        restore_database(tmp_path / "b.db", store.path)
        store.open()
        assert "a backup of 2026-11-22T03:15:00.000Z was restored" in store.one("SELECT last_error FROM sessions")
        assert store.one("SELECT count(*) FROM events WHERE type = 'session.gap'") == 1

    def test_no_id_comes_to_mean_another_message(self, store: Store, tmp_path: Path) -> None:
        key = fill(store)
        copy_database(store.path, tmp_path / "b.db", progress=quiet)
        lost = store.do(queue(store.clock(), key, "after the backup")).message.id
        store.close()
        restore_database(tmp_path / "b.db", store.path)
        store.open()
        assert lost < store.do(queue(store.clock(), key, "new")).message.id <= lost + IDS_PASSED_OVER

    def test_the_former_database_is_put_aside_with_its_log(self, store: Store, tmp_path: Path) -> None:
        key = fill(store)
        copy_database(store.path, tmp_path / "b.db", progress=quiet)
        store.commit(queue(store.clock(), key, "only in the log"))
        died = tmp_path / "died"
        died.mkdir()
        for suffix in ("", "-wal"):
            (died / f"pombal.db{suffix}").write_bytes(Path(f"{store.path}{suffix}").read_bytes())
        done = restore_database(tmp_path / "b.db", died / "pombal.db")
        assert done.replaced == died / "replaced" / "now"
        assert stat.S_IMODE(done.replaced.stat().st_mode) == 0o700
        former = Store(done.replaced / "pombal.db")
        assert former.message(key, "only in the log").status == "queued"
        former.close()

    @pytest.mark.parametrize("which", ["link", "replace"])
    def test_a_disk_that_fails_at_the_last_step_leaves_the_database(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: str
    ) -> None:
        key = fill(store)
        copy_database(store.path, tmp_path / "b.db", progress=quiet)
        store.commit(queue(store.clock(), key, "later"))
        store.close()
        if which == "link":
            (tmp_path / "replaced").write_text("no directory")
        else:
            monkeypatch.setattr("pombal.store.copies.os.replace", _no_space)
        with pytest.raises(StoreError, match=r"pombal\.db cannot be replaced"):
            restore_database(tmp_path / "b.db", store.path)
        store.open()
        assert store.message(key, "later").status == "queued"
        assert not [name for name in files(tmp_path) if name.endswith(".part")]

    def test_one_of_an_older_version_is_brought_up_to_date(self, store: Store, tmp_path: Path) -> None:
        fill(store)
        copy_database(store.path, tmp_path / "b.db", progress=quiet)
        old = sqlite3.connect(tmp_path / "b.db", isolation_level=None)
        old.execute("ALTER TABLE sessions DROP COLUMN earlier_messages_failed")
        old.execute("DELETE FROM _sqlite_migrations WHERE name = 'm0016_earlier_failed'")
        old.close()
        store.close()
        assert restore_database(tmp_path / "b.db", store.path).held == 1
        store.open()
        assert check_database(store.path, progress=lambda step: None) == []

    def test_does_not_let_the_old_log_into_the_new_database(self, store: Store, tmp_path: Path) -> None:
        """As after kill -9: the old -wal holds commits that are not in the old file."""
        key = fill(store)
        copy_database(store.path, tmp_path / "b.db", progress=quiet)
        store.commit(queue(store.clock(), key, "only in the log"))
        died = tmp_path / "died"
        died.mkdir()
        for suffix in ("", "-wal", "-shm"):
            (died / f"pombal.db{suffix}").write_bytes(Path(f"{store.path}{suffix}").read_bytes())
        restore_database(tmp_path / "b.db", died / "pombal.db")
        assert files(died) == {"pombal.db", "replaced"}
        restored = Store(died / "pombal.db")
        assert restored.rows("SELECT message_id FROM messages WHERE message_id LIKE 'only%'") == []
        restored.close()

    def test_into_an_empty_directory(self, store: Store, tmp_path: Path) -> None:
        fill(store)
        copy_database(store.path, tmp_path / "b.db", progress=quiet)
        target = tmp_path / "new" / "pombal.db"
        target.parent.mkdir()
        restore_database(tmp_path / "b.db", target)
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        assert check_database(target, progress=lambda step: None) == []

    def test_the_backup_stays_as_it_was(self, store: Store, tmp_path: Path) -> None:
        fill(store)
        copy_database(store.path, tmp_path / "b.db", progress=quiet)
        before = (tmp_path / "b.db").read_bytes()
        restore_database(tmp_path / "b.db", tmp_path / "c.db")
        assert (tmp_path / "b.db").read_bytes() == before

    @pytest.mark.parametrize("damage", ["garbage", "page", "foreign", "newer", "missing", "empty"])
    def test_a_bad_backup_changes_nothing(self, store: Store, tmp_path: Path, damage: str) -> None:
        fill(store)
        backup = tmp_path / "b.db"
        copy_database(store.path, backup, progress=quiet)
        page = store.one("SELECT rootpage FROM sqlite_master WHERE name = 'messages_by_chat'")
        store.close()
        match damage:
            case "garbage" | "empty":
                backup.write_bytes(b"garbage" * 5000 if damage == "garbage" else b"")
            case "missing":
                backup.unlink()
            case "page":
                with backup.open("r+b") as file:
                    file.seek((page - 1) * 4096)
                    file.write(os.urandom(4096))
            case "foreign" | "newer":
                if damage == "foreign":
                    backup.unlink()
                connection = sqlite3.connect(backup, isolation_level=None)
                connection.execute("CREATE TABLE songs (title)")
                if damage == "newer":
                    connection.execute("INSERT INTO _sqlite_migrations VALUES (99, 'pombal', 'm0099_future', 'now')")
                connection.close()
        before = store.path.read_bytes()
        with pytest.raises(StoreError, match=r"b\.db"):
            restore_database(backup, store.path)
        assert store.path.read_bytes() == before
        assert not [name for name in files(tmp_path) if name.endswith(".part")]

    def test_the_database_is_no_backup_of_itself(self, store: Store) -> None:
        store.close()
        with pytest.raises(StoreError, match="is the database itself"):
            restore_database(store.path, store.path)
