"""Restoring: what comes back, what is left alone, what is put aside, and what changes nothing."""

import os
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from pombal.care.manifest import CareRefused
from pombal.care.restore import Restored, find_source, restore
from pombal.config.paths import Paths, ensure
from pombal.model.message import MessageStatus
from pombal.store.connection import StoreError
from pombal.store.copies import copy_database
from tests.care.state import NOW, State, everything, file_of
from tests.care.test_backup import check
from tests.store.building import Store, queue


def bring_back(source: Path, paths: Paths) -> Restored:
    return restore(find_source(source), paths, progress=lambda what, done, total: None, now=NOW + timedelta(days=1))


def test_onto_a_new_machine(state: State, tmp_path: Path) -> None:
    sha256 = state.picture("p", b"picture")
    state.store.do(queue(state.store.clock(), state.key, "waits"))
    made = state.backup(tmp_path / "backups")
    fresh = Paths(tmp_path / "fresh", tmp_path / "fresh" / "run")
    ensure(fresh)
    done = bring_back(made.path, fresh)
    assert (done.held, done.replaced, done.files, done.missing) == (1, None, 1, 0)
    assert file_of(fresh.state, sha256).read_bytes() == b"picture"
    assert check(fresh.state)[0] == []
    for path in (fresh.database, file_of(fresh.state, sha256)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    restored = Store(fresh.database)
    assert restored.message(1, "waits").status == MessageStatus.UNCERTAIN
    assert made.manifest.made_at in restored.one("SELECT last_error FROM sessions")
    restored.close()


def test_in_place_puts_the_former_database_aside_and_leaves_keys_alone(state: State, tmp_path: Path) -> None:
    """Keys of a linked phone go on changing: those that are here are newer than any backup of them could be."""
    kept = state.picture("kept", b"kept")
    made = state.backup(tmp_path / "backups")
    later = state.picture("later", b"later")
    file_of(state.paths.state, kept).unlink()
    keys = state.paths.web / "ID-one" / "keys.db"
    keys.parent.mkdir(parents=True)
    keys.write_bytes(b"keys of now")
    state.store.close()
    done = bring_back(made.path, state.paths)
    assert keys.read_bytes() == b"keys of now"
    assert done.replaced is not None
    assert done.replaced.parent == state.paths.replaced
    former = Store(done.replaced / "pombal.db")
    assert former.message(1, "later").status == MessageStatus.SENT
    former.close()
    problems, told = check(state.paths.state)
    assert (problems, told[0]) == ([], "1 files have no row: the daemon removes them in time")
    assert (file_of(state.paths.state, kept).read_bytes(), file_of(state.paths.state, later).exists()) == (
        b"kept",
        True,
    )
    state.store.open()


def test_a_backup_under_load_comes_back_whole(state: State, tmp_path: Path) -> None:
    with state.filling() as begun:
        assert begun.wait(120)
        made = state.backup(tmp_path / "backups")
    fresh = Paths(tmp_path / "fresh", tmp_path / "fresh" / "run")
    ensure(fresh)
    done = bring_back(made.path, fresh)
    assert done.missing == 0
    assert check(fresh.state)[0] == []


def test_from_a_database_alone(state: State, tmp_path: Path) -> None:
    state.picture("p", b"picture")
    copy_database(state.paths.database, tmp_path / "old.db", progress=lambda done, total: None)
    state.store.close()
    done = bring_back(tmp_path / "old.db", state.paths)
    assert (done.files, done.missing) == (0, 0)
    assert check(state.paths.state)[0] == []
    state.store.open()


def test_a_directory_of_backups_names_the_newest(state: State, tmp_path: Path) -> None:
    state.backup(tmp_path / "backups")
    newest = state.backup(tmp_path / "backups", later_s=60).path
    with pytest.raises(CareRefused, match=f"holds 2 backups: name one of them; the newest is {newest}"):
        find_source(tmp_path / "backups")


@pytest.mark.parametrize("damage", ["page", "manifest", "no manifest", "newer format", "no database"])
def test_a_bad_backup_changes_nothing(state: State, tmp_path: Path, damage: str) -> None:
    state.picture("p", b"picture")
    made = state.backup(tmp_path / "backups").path
    match damage:
        case "page":
            page = state.store.one("SELECT rootpage FROM sqlite_master WHERE name = 'messages_by_chat'")
            with (made / "pombal.db").open("r+b") as file:
                file.seek((page - 1) * 4096)
                file.write(os.urandom(4096))
        case "manifest":
            (made / "backup.json").write_text("{")
        case "no manifest":
            (made / "backup.json").unlink()
        case "newer format":
            said = (made / "backup.json").read_text()
            (made / "backup.json").write_text(said.replace('"format": 1', '"format": 9'))
        case "no database":
            (made / "pombal.db").unlink()
    state.store.close()
    before = everything(state.paths.state)
    with pytest.raises((CareRefused, StoreError)):
        bring_back(made, state.paths)
    assert everything(state.paths.state) == before
    state.store.open()


def test_a_damaged_file_of_the_backup_is_not_brought_back(state: State, tmp_path: Path) -> None:
    sha256 = state.picture("p", b"picture")
    made = state.backup(tmp_path / "backups").path
    file_of(made, sha256).write_bytes(b"spoilt!")
    file_of(state.paths.state, sha256).unlink()
    state.store.close()
    assert bring_back(made, state.paths).missing == 1
    assert not file_of(state.paths.state, sha256).exists()
    state.store.open()
