"""`pombal db`: which file, who may be running, what is asked first. The store's own part is tested with the store."""

import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pombal.config.locks import hold_locks
from pombal.config.paths import Paths, ensure
from tests.cli.commands import Runner


class Offline(ModuleType):
    """In place of the store's functions: what they were called with, and what they find."""

    def __init__(self) -> None:
        super().__init__("pombal.store.offline")
        self.calls: list[tuple[Any, ...]] = []
        self.problems: list[str] = []

    def check_database(self, path: Path, *, progress: Callable[[str], None]) -> list[str]:
        progress("pages")
        self.calls.append(("check", path))
        return self.problems

    def migrate_database(self, path: Path, *, progress: Callable[[str], None]) -> list[str]:
        progress("0002_search")
        self.calls.append(("migrate", path))
        return ["0002_search"]

    def backup_database(self, source: Path, destination: Path, *, progress: Callable[[int, int], None]) -> None:
        progress(1, 2)
        self.calls.append(("backup", source, destination))
        if destination.name == "broken":
            raise sqlite3.DatabaseError("disk I/O error")

    def restore_database(self, backup: Path, destination: Path) -> str:
        self.calls.append(("restore", backup, destination))
        return "01JNEW"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Offline:
    module = Offline()
    monkeypatch.setitem(sys.modules, "pombal.store.offline", module)
    return module


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with a database in it."""
    directory = tmp_path / "of-pombal"
    ensure(Paths(directory, directory / "run"))
    (directory / "pombal.db").write_bytes(b"")
    return directory


def test_check(run: Runner, offline: Offline, state: Path) -> None:
    outcome = run("db", "check", "--state-dir", str(state))
    assert (outcome.code, outcome.out) == (0, f"{state}/pombal.db: whole\n")
    assert offline.calls == [("check", state / "pombal.db")]


def test_check_of_a_damaged_one_is_1_with_every_problem(run: Runner, offline: Offline, state: Path) -> None:
    offline.problems = ["row 7 missing from index a", "page 3 is never used"]
    outcome = run("db", "check", "--state-dir", str(state), "--json")
    assert outcome.code == 1
    assert outcome.json["problems"] == offline.problems
    assert "row 7 missing from index a\npage 3 is never used\nrestore a backup" in outcome.err


@pytest.mark.parametrize("words", [["check"], ["migrate"], ["backup", "copy.db"]])
def test_no_database_is_1_and_says_where_it_was_looked_for(
    run: Runner, offline: Offline, tmp_path: Path, words: list[str]
) -> None:
    outcome = run("db", *words)
    assert (outcome.code, offline.calls) == (1, [])
    assert f"there is no database at {tmp_path}/state/pombal/pombal.db" in outcome.err


def test_migrate(run: Runner, offline: Offline, state: Path, tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text(f'[daemon]\nstate_dir = "{state}"\nruntime_dir = "/proc/nowhere"\n')
    outcome = run("db", "migrate", "--config", str(file))
    assert (outcome.code, outcome.out) == (0, "applied 0002_search\n")


@pytest.mark.parametrize("words", [["migrate"], ["restore", "copy.db", "--yes"]])
def test_beside_a_running_daemon_is_refused(
    run: Runner, offline: Offline, state: Path, tmp_path: Path, words: list[str]
) -> None:
    (tmp_path / "copy.db").write_bytes(b"")
    with hold_locks(Paths(state, state / "run")):
        outcome = run("db", *words, "--state-dir", str(state))
    assert (outcome.code, offline.calls) == (1, [])
    assert "stop it first" in outcome.err


def test_backup_may_run_beside_the_daemon(run: Runner, offline: Offline, state: Path, tmp_path: Path) -> None:
    with hold_locks(Paths(state, state / "run")):
        outcome = run("db", "backup", "copy.db", "--state-dir", str(state))
    assert (outcome.code, outcome.err) == (0, "")
    assert offline.calls == [("backup", state / "pombal.db", Path("copy.db"))]


def test_backup_overwrites_nothing(run: Runner, offline: Offline, state: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_bytes(b"")
    for destination, reason in (("copy.db", "is there already"), ("no/such/copy.db", "is no directory")):
        outcome = run("db", "backup", destination, "--state-dir", str(state))
        assert outcome.code == 1
        assert reason in outcome.err
    assert offline.calls == []


def test_errors_of_sqlite_name_the_file(run: Runner, offline: Offline, state: Path) -> None:
    outcome = run("db", "backup", "broken", "--state-dir", str(state))
    assert (outcome.code, outcome.err) == (1, f"pombal: {state}/pombal.db: disk I/O error\n")


def test_restore_asks_before_it_overwrites(run: Runner, offline: Offline, state: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_bytes(b"")
    words = ["db", "restore", "copy.db", "--state-dir", str(state)]
    refused = run(*words)
    assert (refused.code, offline.calls) == (1, [])
    assert "would be overwritten, and nobody can be asked here: pass --yes" in refused.err
    outcome = run(*words, "--yes", "--json")
    assert outcome.json == {"database": str(state / "pombal.db"), "log_id": "01JNEW"}
    assert offline.calls == [("restore", Path("copy.db"), state / "pombal.db")]


def test_restore_onto_a_new_machine_asks_nothing(run: Runner, offline: Offline, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_bytes(b"")
    outcome = run("db", "restore", "copy.db")
    assert outcome.code == 0
    assert (tmp_path / "state/pombal").is_dir()
    assert "the event log is 01JNEW from now on" in outcome.out
