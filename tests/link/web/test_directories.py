"""Directories of sessions that are no more."""

import fcntl
from pathlib import Path
from threading import Timer

from pombal.link.web.directories import LOCK, remove, sweep


def keys_in(directory: Path) -> Path:
    directory.mkdir(parents=True)
    (directory / "keys.db").write_text("secret")
    return directory


def test_removed_with_all_that_is_in_it(tmp_path: Path) -> None:
    directory = keys_in(tmp_path / "a")
    keys_in(directory / "files")
    assert remove(directory, 0)
    assert not directory.exists()
    assert remove(directory, 0)


def test_a_gateway_that_holds_it_is_waited_for(tmp_path: Path) -> None:
    directory = keys_in(tmp_path / "a")
    with (directory / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        release = Timer(0.2, lambda: fcntl.flock(lock, fcntl.LOCK_UN))
        release.start()
        assert remove(directory, 60)
        release.join()
    assert not directory.exists()


def test_but_not_for_ever(tmp_path: Path) -> None:
    directory = keys_in(tmp_path / "a")
    with (directory / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert remove(directory, 0.1)
    assert not directory.exists()


def test_at_boot_those_of_sessions_that_are_no_more_go(tmp_path: Path) -> None:
    for name in ("there", "gone", "gone too"):
        keys_in(tmp_path / name)
    (tmp_path / "a file").write_text("")
    assert sweep(tmp_path, {"there"}) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a file", "there"]
    assert sweep(tmp_path / "nowhere", set()) == 0
