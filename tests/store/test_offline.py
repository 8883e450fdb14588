"""Migrating, backing up and restoring without the daemon, and beside it."""

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from pombal.model.changes import Change
from pombal.store.connection import StoreError, log_id_of
from pombal.store.migrations import migrations
from pombal.store.offline import backup_database, check_database, migrate_database, restore_database
from tests.store.building import TABLES, Store, dump, queue, receive


def quiet(done: int, total: int) -> None:
    assert 0 <= done <= total


def fill(store: Store, count: int = 50) -> int:
    key = store.session().key
    batch: list[Change] = [receive(store.clock.advance(7), key, f"in{number}", "text " * 50) for number in range(count)]
    store.commit(*batch, queue(store.clock(), key, "out"))
    return key


def files(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


class TestBackup:
    def test_is_one_private_whole_file_with_everything_in_it(self, store: Store, tmp_path: Path) -> None:
        fill(store)
        target = tmp_path / "copies" / "backup.db"
        target.parent.mkdir()
        backup_database(store.path, target, progress=quiet)
        assert files(target.parent) == {"backup.db"}
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        assert check_database(target, progress=lambda step: None) == []
        copy = sqlite3.connect(f"file:{target}?mode=ro&immutable=1", uri=True)
        assert dump(copy, TABLES) == dump(store.connection, TABLES)
        copy.close()

    def test_tells_how_far_it_is(self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("pombal.store.offline.SLICE_PAGES", 20)
        fill(store, 500)
        told: list[tuple[int, int]] = []
        backup_database(store.path, tmp_path / "b.db", progress=lambda done, total: told.append((done, total)))
        assert len(told) > 1
        assert told == sorted(told)
        assert told[-1][0] == told[-1][1]

    def test_ends_beside_a_daemon_that_never_stops_writing(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """SQLite begins a copy anew whenever another connection writes, unless a snapshot is held."""
        monkeypatch.setattr("pombal.store.offline.SLICE_PAGES", 20)
        key = fill(store, 500)
        told = 0

        def write(done: int, total: int) -> None:
            nonlocal told
            told += 1
            assert told < 100, "the backup begins anew at every commit"
            store.do(receive(store.clock.advance(1), key, f"during {told}"))

        backup_database(store.path, tmp_path / "b.db", progress=write)
        assert told > 1
        copy = sqlite3.connect(tmp_path / "b.db")
        assert copy.execute("SELECT count(*) FROM messages").fetchone() == (501,)
        copy.close()

    def test_does_not_overwrite(self, store: Store, tmp_path: Path) -> None:
        (tmp_path / "b.db").write_text("precious")
        with pytest.raises(StoreError, match="is there already"):
            backup_database(store.path, tmp_path / "b.db", progress=quiet)
        assert (tmp_path / "b.db").read_text() == "precious"

    def test_does_not_overwrite_what_appears_meanwhile(self, store: Store, tmp_path: Path) -> None:
        target = tmp_path / "b.db"

        def appear(done: int, total: int) -> None:
            target.write_text("precious")

        with pytest.raises(StoreError, match="has appeared meanwhile"):
            backup_database(store.path, target, progress=appear)
        assert target.read_text() == "precious"
        assert not [name for name in files(tmp_path) if name.endswith(".part")]

    def test_leaves_nothing_behind_when_it_is_interrupted(self, store: Store, tmp_path: Path) -> None:
        before = files(tmp_path)

        def interrupt(done: int, total: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            backup_database(store.path, tmp_path / "b.db", progress=interrupt)
        assert files(tmp_path) == before

    def test_says_where_it_cannot_write(self, store: Store, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match=r"none/b\.db cannot be written: No such file or directory"):
            backup_database(store.path, tmp_path / "none" / "b.db", progress=quiet)

    def test_refuses_a_damaged_source(self, store: Store, tmp_path: Path) -> None:
        fill(store)
        page = store.one("SELECT rootpage FROM sqlite_master WHERE name = 'messages_by_chat'")
        store.close()
        with store.path.open("r+b") as file:
            file.seek((page - 1) * 4096)
            file.write(os.urandom(4096))
        with pytest.raises(StoreError, match="is damaged"):
            backup_database(store.path, tmp_path / "b.db", progress=quiet)
        assert not (tmp_path / "b.db").exists()


class TestRestore:
    def test_brings_the_backup_back_under_a_new_log_id(self, store: Store, tmp_path: Path) -> None:
        key = fill(store)
        backup_database(store.path, tmp_path / "b.db", progress=quiet)
        wanted, old_log_id = dump(store.connection, TABLES), log_id_of(store.connection)
        store.commit(queue(store.clock(), key, "after the backup"))
        store.close()

        log_id = restore_database(tmp_path / "b.db", store.path)
        store.open()
        assert dump(store.connection, TABLES) == wanted
        assert log_id_of(store.connection) == log_id != old_log_id
        assert store.do(queue(store.clock(), key, "new")).created
        assert check_database(store.path, progress=lambda step: None) == []

    def test_does_not_let_the_old_log_into_the_new_database(self, store: Store, tmp_path: Path) -> None:
        """As after kill -9: the old -wal holds commits that are not in the old file."""
        key = fill(store)
        backup_database(store.path, tmp_path / "b.db", progress=quiet)
        store.commit(queue(store.clock(), key, "only in the log"))
        died = tmp_path / "died"
        died.mkdir()
        for suffix in ("", "-wal", "-shm"):
            (died / f"pombal.db{suffix}").write_bytes(Path(f"{store.path}{suffix}").read_bytes())
        restore_database(tmp_path / "b.db", died / "pombal.db")
        assert files(died) == {"pombal.db"}
        restored = Store(died / "pombal.db")
        assert restored.rows("SELECT message_id FROM messages WHERE message_id LIKE 'only%'") == []
        restored.close()

    def test_into_an_empty_directory(self, store: Store, tmp_path: Path) -> None:
        fill(store)
        backup_database(store.path, tmp_path / "b.db", progress=quiet)
        target = tmp_path / "new" / "pombal.db"
        target.parent.mkdir()
        restore_database(tmp_path / "b.db", target)
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        assert check_database(target, progress=lambda step: None) == []

    def test_the_backup_stays_as_it_was(self, store: Store, tmp_path: Path) -> None:
        fill(store)
        backup_database(store.path, tmp_path / "b.db", progress=quiet)
        before = (tmp_path / "b.db").read_bytes()
        restore_database(tmp_path / "b.db", tmp_path / "c.db")
        assert (tmp_path / "b.db").read_bytes() == before

    @pytest.mark.parametrize("damage", ["garbage", "page", "foreign", "newer", "missing", "empty"])
    def test_a_bad_backup_changes_nothing(self, store: Store, tmp_path: Path, damage: str) -> None:
        fill(store)
        backup = tmp_path / "b.db"
        backup_database(store.path, backup, progress=quiet)
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


def untold(step: str) -> None:
    """Nobody listens."""


class TestMigrate:
    def test_does_nothing_twice(self, store: Store) -> None:
        store.close()
        assert migrate_database(store.path, progress=untold) == []

    def test_makes_an_empty_file_a_database(self, tmp_path: Path) -> None:
        (tmp_path / "new.db").touch()
        assert migrate_database(tmp_path / "new.db", progress=untold) == [
            migration.name for migration in migrations._migrations
        ]
        assert check_database(tmp_path / "new.db", progress=lambda step: None) == []

    def test_refuses_what_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="there is no database at"):
            migrate_database(tmp_path / "none.db", progress=untold)
        assert files(tmp_path) == set()

    def test_refuses_a_database_that_is_in_use_with_what_to_do(self, store: Store) -> None:
        store.connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'm0006_media_and_rejected'")
        store.connection.execute("DROP TABLE rejected")
        store.connection.execute("DROP TABLE media")
        store.connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"is locked by another program.*end that program"):
            migrate_database(store.path, progress=untold)
        store.connection.execute("ROLLBACK")
        told: list[str] = []
        assert migrate_database(store.path, progress=told.append) == ["m0006_media_and_rejected"] == told
