"""`pombal db`: which database, who may be running, what is asked first. What is done there is tested in its rooms."""

import sqlite3
from pathlib import Path

import pytest

from pombal.config.locks import hold_locks
from pombal.config.paths import Paths, ensure
from pombal.model.message import MessageStatus
from pombal.store.migrations import migrations
from tests.care.state import State, file_of
from tests.cli.commands import Runner
from tests.store.building import Store, queue


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with a database in it, one message that waits, and a picture that was sent."""
    built = State(tmp_path / "of-pombal")
    built.picture("p", b"picture")
    built.store.do(queue(built.store.clock(), built.key, "waits"))
    built.store.close()
    return built.paths.state


def one(path: Path, sql: str) -> object:
    connection = sqlite3.connect(path / "pombal.db")
    (value,) = connection.execute(sql).fetchone()
    connection.close()
    return value


def backup(run: Runner, state: Path) -> Path:
    outcome = run("db", "backup", "backups", "--state-dir", str(state), "--json")
    assert (outcome.code, outcome.err) == (0, "")
    return Path(outcome.json["backup"])


class TestCheck:
    def test_whole(self, run: Runner, state: Path) -> None:
        outcome = run("db", "check", "--state-dir", str(state), "--deep")
        assert (outcome.code, outcome.lines[0]) == (0, f"{state}/pombal.db: whole")
        assert not [line for line in outcome.lines if line.startswith("0 ")]  # nothing to tell is not told

    def test_damage_is_1_with_every_problem(self, run: Runner, state: Path) -> None:
        connection = sqlite3.connect(state / "pombal.db")
        connection.execute("UPDATE sessions SET total_messages_received = 7")
        connection.commit()
        (sha256,) = connection.execute("SELECT sha256 FROM media").fetchone()
        connection.close()
        file_of(state, sha256).unlink()
        outcome = run("db", "check", "--state-dir", str(state), "--json")
        assert outcome.code == 1
        assert [problem.partition(",")[0] for problem in outcome.json["problems"]] == [
            "session 'one' counts 7 messages received", "1 files that the database knows of are gone",
        ]  # fmt: skip
        assert "restore a backup: pombal db restore BACKUP" in outcome.err

    def test_a_backup_is_checked_where_it_lies(self, run: Runner, state: Path) -> None:
        made = backup(run, state)
        outcome = run("db", "check", "--state-dir", str(made), "--deep", "--json")
        assert (outcome.code, outcome.json["problems"]) == (0, [])
        assert sorted(path.name for path in made.iterdir()) == ["backup.json", "media", "pombal.db"]


@pytest.mark.parametrize("words", [["check"], ["migrate"], ["backup", "backups"]])
def test_no_database_is_1_and_says_where_it_was_looked_for(run: Runner, tmp_path: Path, words: list[str]) -> None:
    outcome = run("db", *words)
    assert outcome.code == 1
    assert f"there is no database at {tmp_path}/state/pombal/pombal.db" in outcome.err
    assert not (tmp_path / "backups").exists()


class TestMigrate:
    def test_an_empty_one(self, run: Runner, tmp_path: Path) -> None:
        directory = tmp_path / "new"
        ensure(Paths(directory, directory / "run"))
        (directory / "pombal.db").touch(0o600)
        file = tmp_path / "p.toml"
        file.write_text(f'[daemon]\nstate_dir = "{directory}"\nruntime_dir = "/proc/nowhere"\n')
        outcome = run("db", "migrate", "--config", str(file))
        assert (outcome.code, outcome.lines) == (0, [f"applied {each.name}" for each in migrations._migrations])
        assert run("db", "migrate", "--config", str(file)).out == f"{directory}/pombal.db: nothing to do\n"

    def test_beside_a_running_daemon_is_refused(self, run: Runner, state: Path) -> None:
        with hold_locks(Paths(state, state / "run")):
            outcome = run("db", "migrate", "--state-dir", str(state))
        assert outcome.code == 1
        assert "stop it first" in outcome.err


class TestBackup:
    def test_beside_the_daemon_it_says_what_was_made(self, run: Runner, state: Path, tmp_path: Path) -> None:
        with hold_locks(Paths(state, state / "run")):
            outcome = run("db", "backup", "backups", "--state-dir", str(state), "--keep", "1")
        (made,) = (tmp_path / "backups").glob("pombal-*")
        assert (outcome.code, outcome.err) == (0, "")
        assert outcome.out.startswith(f"{made}: 3 messages, database ")
        assert outcome.out.endswith("1 file 7 B\n")
        outcome = run("db", "backup", "backups", "--state-dir", str(state), "--keep", "1")
        assert outcome.lines[-1] == f"removed {made}"

    def test_in_json_it_is_the_manifest(self, run: Runner, state: Path) -> None:
        said = run("db", "backup", "backups", "--state-dir", str(state), "--no-media", "--json").json
        assert (said["messages"], said["media_files"], said["removed"], said["damaged"]) == (3, None, [], [])

    def test_a_file_that_is_gone_is_1_though_there_is_a_backup(self, run: Runner, state: Path, tmp_path: Path) -> None:
        file_of(state, str(one(state, "SELECT sha256 FROM media"))).unlink()
        outcome = run("db", "backup", "backups", "--state-dir", str(state))
        assert outcome.code == 1
        assert "1 file of messages could not be backed up, 0 of them damaged" in outcome.err
        assert len([*(tmp_path / "backups").glob("pombal-*")]) == 1

    def test_a_place_that_is_not_there_is_told(self, run: Runner, state: Path, tmp_path: Path) -> None:
        outcome = run("db", "backup", "no/such", "--state-dir", str(state))
        assert outcome.code == 1
        assert f"backups cannot be written to {tmp_path}/no/such: No such file or directory" in outcome.err

    def test_keeping_none_is_wrong_usage(self, run: Runner, state: Path) -> None:
        assert run("db", "backup", "backups", "--state-dir", str(state), "--keep", "0").code == 2


class TestRestore:
    def test_asks_before_it_replaces(self, run: Runner, state: Path) -> None:
        made = backup(run, state)
        words = ["db", "restore", str(made), "--state-dir", str(state)]
        refused = run(*words)
        assert refused.code == 1
        assert "would be replaced, and nobody can be asked here: pass --yes" in refused.err
        assert not (state / "replaced").exists()
        outcome = run(*words, "--yes")
        assert outcome.code == 0
        assert outcome.lines[1] == "1 message of the queue: uncertain now, and not sent by itself"
        assert outcome.lines[2].startswith(f"the former database is in {state}/replaced/")
        restored = Store(state / "pombal.db")
        assert restored.message(1, "waits").status == MessageStatus.UNCERTAIN
        restored.close()

    def test_onto_a_new_machine_asks_nothing(self, run: Runner, state: Path, tmp_path: Path) -> None:
        outcome = run("db", "restore", str(backup(run, state)), "--json")
        assert (outcome.code, outcome.json["database"]) == (0, f"{tmp_path}/state/pombal/pombal.db")
        assert (outcome.json["held"], outcome.json["files"], outcome.json["replaced"]) == (1, 1, None)
        assert outcome.json["log_id"] == one(tmp_path / "state/pombal", "SELECT value FROM meta WHERE key = 'log_id'")

    def test_beside_a_running_daemon_is_refused(self, run: Runner, state: Path) -> None:
        made = backup(run, state)
        with hold_locks(Paths(state, state / "run")):
            outcome = run("db", "restore", str(made), "--state-dir", str(state), "--yes")
        assert outcome.code == 1
        assert "stop it first" in outcome.err

    def test_a_directory_of_backups_is_not_guessed_at(self, run: Runner, state: Path) -> None:
        made = backup(run, state)
        outcome = run("db", "restore", str(made.parent), "--yes")
        assert outcome.code == 1
        assert f"name one of them; the newest is {made}" in outcome.err
