"""Bringing the schema up to date, without the daemon."""

from pathlib import Path

import pytest

from pombal.store.connection import StoreError
from pombal.store.migrations import migrations
from pombal.store.offline import check_database, migrate_database
from tests.store.building import Store


def untold(step: str) -> None:
    """Nobody listens."""


def test_does_nothing_twice(store: Store) -> None:
    store.close()
    assert migrate_database(store.path, progress=untold) == []


def test_makes_an_empty_file_a_database(tmp_path: Path) -> None:
    (tmp_path / "new.db").touch()
    assert migrate_database(tmp_path / "new.db", progress=untold) == [
        migration.name for migration in migrations._migrations
    ]
    assert check_database(tmp_path / "new.db", progress=lambda step: None) == []


def test_refuses_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no database at"):
        migrate_database(tmp_path / "none.db", progress=untold)
    assert list(tmp_path.iterdir()) == []


def test_refuses_a_database_that_is_in_use_with_what_to_do(store: Store) -> None:
    store.connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'm0006_media_and_rejected'")
    store.connection.execute("DROP TABLE rejected")
    store.connection.execute("DROP TABLE media")
    store.connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match=r"is locked by another program.*end that program"):
        migrate_database(store.path, progress=untold)
    store.connection.execute("ROLLBACK")
    told: list[str] = []
    assert migrate_database(store.path, progress=told.append) == ["m0006_media_and_rejected"] == told
