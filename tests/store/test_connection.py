"""Opening: pragmas, migrations, and what is said of a file that is not what it should be."""

import os
import sqlite3
from pathlib import Path

import pytest

from pombal.config.settings import RecorderSettings, StoreSettings
from pombal.store import connection as opening
from pombal.store.connection import StoreError, log_id_of, open_reader, open_writer
from pombal.store.migrations import SCHEMA_VERSION, migrations
from tests.store.building import Store, queue


def opened(path: Path) -> sqlite3.Connection:
    return open_writer(path, RecorderSettings(), StoreSettings(wal_checkpoint_pages=123))


def pragma(connection: sqlite3.Connection, name: str) -> object:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def test_pragmas(tmp_path: Path) -> None:
    connection = opened(tmp_path / "a.db")
    wanted = {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 1000, "wal_autocheckpoint": 123, "temp_store": 2}
    assert {name: pragma(connection, name) for name in wanted} == wanted
    connection.close()


def test_a_new_database_gets_a_schema_and_a_name_for_its_log_once(tmp_path: Path) -> None:
    connection = opened(tmp_path / "a.db")
    (applied,) = connection.execute("SELECT count(*) FROM _sqlite_migrations").fetchone()
    assert applied == SCHEMA_VERSION == len(migrations._migrations)
    log_id = log_id_of(connection)
    assert len(log_id) == 26
    connection.close()
    connection = opened(tmp_path / "a.db")
    assert log_id_of(connection) == log_id
    connection.close()


def test_every_table_is_strict(tmp_path: Path) -> None:
    connection = opened(tmp_path / "a.db")
    loose = connection.execute(
        "SELECT name FROM pragma_table_list WHERE type = 'table' AND schema = 'main' AND NOT strict"
    ).fetchall()
    assert {name for (name,) in loose} <= {"_sqlite_migrations", "sqlite_schema", "sqlite_sequence"}
    connection.close()


def foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE songs (title)")
    connection.close()


def newer(path: Path) -> None:
    connection = opened(path)
    connection.execute("INSERT INTO _sqlite_migrations VALUES (99, 'pombal', 'm0099_future', 'now')")
    connection.close()


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no database, whatever its name says" * 99)


def torn(path: Path) -> None:
    opened(path).close()
    with path.open("r+b") as file:
        file.seek(100)
        file.write(os.urandom(4000))


def directory(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (foreign, r"not one of Pombal's; set \[daemon\] state_dir to another directory"),
        (newer, rf"newer Pombal \(schema {SCHEMA_VERSION + 1}, this program knows {SCHEMA_VERSION}; .*m0099_future"),
        (garbage, r"damaged or no SQLite database .*pombal db restore"),
        (torn, r"damaged or no SQLite database .*pombal db restore"),
        (directory, r"cannot be opened .*does its directory exist"),
    ],
)
def test_what_is_not_ours_is_refused_and_left_as_it_was(tmp_path: Path, make: object, told: str) -> None:
    path = tmp_path / "pombal.db"
    make(path)  # type: ignore[operator]
    before = None if path.is_dir() else path.read_bytes()
    with pytest.raises(StoreError, match=told):
        opened(path)
    assert before is None or path.read_bytes() == before


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does its directory exist"):
        opened(tmp_path / "none" / "pombal.db")


def test_a_lock_that_does_not_go_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = sqlite3.connect(tmp_path / "pombal.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **kw: connect(*args, **(kw | {"timeout": 0})))
    with pytest.raises(StoreError, match="locked by another program"):
        opened(tmp_path / "pombal.db")
    other.close()


def test_an_interrupted_migration_goes_on_where_it_was(tmp_path: Path) -> None:
    connection = opened(tmp_path / "a.db")
    for table in ("media", "rejected"):
        connection.execute(f"DROP TABLE {table}")
    connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'm0006_media_and_rejected'")
    connection.close()
    connection = opened(tmp_path / "a.db")
    assert connection.execute("SELECT count(*) FROM rejected").fetchone() == (0,)
    connection.close()


def test_a_long_migration_says_that_it_is_at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "TOLD_EVERY_S", 0.0)
    monkeypatch.setattr(opening, "_STEPS_BETWEEN_LOOKS", 10)
    opened(tmp_path / "a.db").close()
    told: list[str] = []
    database = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    assert opening.migrate(database, told.append) == told == []
    for table in ("media", "rejected"):
        database.execute(f"DROP TABLE {table}")
    database.execute("DELETE FROM _sqlite_migrations WHERE name = 'm0006_media_and_rejected'")
    assert opening.migrate(database, told.append) == told[:1] == ["m0006_media_and_rejected"]
    assert "m0006_media_and_rejected, for 0 s so far" in told
    database.close()


def test_a_reader_writes_nothing_whatever_it_is_asked(store: Store) -> None:
    store.do(queue(store.clock(), store.session().key, "a"))
    reader = open_reader(store.path, 0)
    assert reader.execute("SELECT count(*) FROM messages").fetchone() == (1,)
    for sql in ("DELETE FROM messages", "CREATE TABLE x (a)", "PRAGMA user_version = 7", "DROP TABLE media"):
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.execute(sql)
    reader.execute("PRAGMA query_only = OFF")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM messages")
    reader.close()
    assert store.one("SELECT count(*) FROM messages") == 1
