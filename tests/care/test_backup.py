"""Backups: whole or not there, private, sharing files with the one before, and not too many."""

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from pombal.care import backup as backup_module
from pombal.care.manifest import CareRefused, read_manifest
from pombal.care.media_check import check_media
from pombal.care.places import backups_in
from pombal.config.paths import Paths
from pombal.store.connection import StoreError
from pombal.store.offline import check_database
from tests.care.state import State, everything, file_of, sha256_of


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def check(directory: Path, *, deep: bool = True) -> tuple[list[str], list[str]]:
    paths = Paths(directory, directory / "run")
    problems = check_database(paths.database, progress=lambda step: None)
    of_files, told = check_media(paths, deep=deep, progress=lambda step: None)
    return problems + of_files, told


def test_a_backup_is_a_private_directory_with_all_there_is_but_credentials(state: State, tmp_path: Path) -> None:
    pictures = [state.picture(f"p{number}", b"picture" * number) for number in range(1, 4)]
    (state.paths.web / "ID-one").mkdir(parents=True)
    (state.paths.web / "ID-one" / "keys.db").write_bytes(b"the keys of a linked phone")
    state.paths.token_secret.write_bytes(b"secret")
    made = state.backup(tmp_path / "backups")
    assert made.path == tmp_path / "backups" / "pombal-20261129T031500.000Z"
    assert set(everything(made.path)) == {
        "backup.json", "pombal.db", *(f"media/{sha256[:2]}/{sha256[2:]}" for sha256 in pictures)
    }  # fmt: skip
    assert check(made.path)[0] == []
    said = read_manifest(made.path)
    assert (said.messages, said.media_files, said.missing_files) == (6, 3, 0)
    assert (said.made_at, said.database_bytes) == ("2026-11-29T03:15:00.000Z", (made.path / "pombal.db").stat().st_size)
    for path in (made.path.parent, *made.path.rglob("*"), made.path):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_the_next_one_takes_room_for_what_is_new_only(state: State, tmp_path: Path) -> None:
    old = state.picture("old", b"old")
    first = state.backup(tmp_path / "backups")
    new = state.picture("new", b"new")
    second = state.backup(tmp_path / "backups", later_s=1)
    assert file_of(first.path, old).samefile(file_of(second.path, old))
    assert not file_of(second.path, new).samefile(file_of(state.paths.state, new))
    assert check(second.path)[0] == []
    file_of(state.paths.state, old).unlink()
    third = state.backup(tmp_path / "backups", later_s=2)  # the backup before still has it
    assert (third.manifest.missing_files, file_of(third.path, old).read_bytes()) == (0, b"old")


def test_only_the_newest_are_kept(state: State, tmp_path: Path) -> None:
    sha256 = state.picture("p", b"picture")
    made = [state.backup(tmp_path / "backups", keep=2, later_s=number) for number in range(4)]
    assert [len(each.removed) for each in made] == [0, 0, 1, 1]
    assert backups_in(tmp_path / "backups") == [made[2].path, made[3].path]
    assert file_of(made[3].path, sha256).read_bytes() == b"picture"
    assert names(tmp_path / "backups") == [".lock", made[2].path.name, made[3].path.name]


def test_the_one_just_made_is_kept_though_the_clock_was_set_back(state: State, tmp_path: Path) -> None:
    state.backup(tmp_path / "backups")
    made = state.backup(tmp_path / "backups", keep=1, later_s=-86_400)
    assert backups_in(tmp_path / "backups") == [made.path]


def test_two_within_a_millisecond_have_two_names(state: State, tmp_path: Path) -> None:
    made = [state.backup(tmp_path / "backups").path.name for _ in range(2)]
    assert made == ["pombal-20261129T031500.000Z", "pombal-20261129T031500.001Z"]


def test_without_files(state: State, tmp_path: Path) -> None:
    state.picture("p", b"picture")
    made = state.backup(tmp_path / "backups", with_media=False)
    assert names(made.path) == ["backup.json", "pombal.db"]
    assert check(made.path) == ([], ["a backup without files"])


def test_files_that_are_gone_or_damaged_are_told_and_do_not_stop_the_rest(state: State, tmp_path: Path) -> None:
    gone, spoilt, well = (state.picture(name, name.encode()) for name in ("gone", "spoilt", "well"))
    file_of(state.paths.state, gone).unlink()
    file_of(state.paths.state, spoilt).write_bytes(b"SPOILT")
    made = state.backup(tmp_path / "backups")
    assert (made.manifest.media_files, made.manifest.missing_files, made.damaged) == (1, 2, [spoilt])
    assert file_of(made.path, well).read_bytes() == b"well"
    assert not file_of(made.path, spoilt).exists()


@pytest.mark.parametrize("fails_at", ["database", "files", "finish"])
def test_what_fails_leaves_nothing(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: str
) -> None:
    state.picture("p", b"picture")
    directory = tmp_path / "backups"
    directory.mkdir()

    def fail(*arguments: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    target = {"database": "copy_database", "files": "MediaCopy", "finish": "places.finish"}[fails_at]
    monkeypatch.setattr(f"{backup_module.__name__}.{target}", fail)
    with pytest.raises(CareRefused, match=r"cannot be written to .*backups: No space left"):
        state.backup(directory)
    assert names(directory) == [".lock"]


def test_what_a_killed_one_left_is_removed_by_the_next(state: State, tmp_path: Path) -> None:
    left = tmp_path / "backups" / ".pombal-20261128T031500.000Z.part"
    left.mkdir(parents=True)
    (left / "pombal.db").write_bytes(b"half")
    made = state.backup(tmp_path / "backups")
    assert names(tmp_path / "backups") == [".lock", made.path.name]


def test_two_at_once_are_refused(state: State, tmp_path: Path) -> None:
    directory = tmp_path / "backups"
    state.backup(directory)
    with (directory / ".lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(CareRefused, match=r"another backup to .* is under way"):
            state.backup(directory)


def test_no_place_for_it_is_told(state: State, tmp_path: Path) -> None:
    with pytest.raises(CareRefused, match=r"cannot be written to .*none/backups: No such file"):
        state.backup(tmp_path / "none" / "backups")


def test_what_is_no_database_of_ours_is_not_backed_up(state: State, tmp_path: Path) -> None:
    state.store.close()
    state.paths.database.write_bytes(b"garbage" * 5000)
    with pytest.raises(StoreError, match="is damaged or no SQLite database"):
        state.backup(tmp_path / "backups")
    assert names(tmp_path / "backups") == [".lock"]
    state.store.connection.close()


def test_under_load_it_is_one_moment_and_whole(state: State, tmp_path: Path) -> None:
    for number in range(50):
        state.picture(f"before {number}", b"before" * number)
    with state.filling() as begun:
        assert begun.wait(120)
        made = state.backup(tmp_path / "backups")
    problems, told = check(made.path)
    assert problems == []
    assert not [each for each in told if "that are not here" in each]
    assert 2 * 70 <= made.manifest.messages <= state.store.one("SELECT count(*) FROM messages")


@pytest.mark.parametrize(
    ("harm", "problem"),
    [
        (lambda path: path.unlink(), "1 files that the database knows of are gone, first "),
        (lambda path: path.write_bytes(b"longer than it was"), "1 files have another size than the database says"),
        (lambda path: path.write_bytes(b"spoilt!"), "1 files are damaged: their bytes are not those of their name"),
    ],
)
def test_a_check_finds_harmed_files(state: State, harm: Callable[[Path], object], problem: str) -> None:
    state.picture("well", b"well")
    harm(file_of(state.paths.state, state.picture("harmed", b"picture")))
    problems, _ = check(state.paths.state)
    assert len(problems) == 1
    assert problems[0].startswith(problem)


def test_a_check_that_is_not_deep_reads_no_file(state: State) -> None:
    file_of(state.paths.state, state.picture("p", b"picture")).write_bytes(b"spoilt!")
    assert check(state.paths.state, deep=False)[0] == []


def test_a_check_tells_of_files_that_nobody_needs(state: State) -> None:
    stray = file_of(state.paths.state, sha256_of(b"stray"))
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"stray")
    problems, told = check(state.paths.state)
    assert (problems, told[0]) == ([], "1 files have no row: the daemon removes them in time")
