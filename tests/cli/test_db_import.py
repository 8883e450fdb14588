"""`pombal db import-django`: the command whole, on real files. What becomes of each row is tested with the store."""

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from pombal.config.locks import hold_locks
from pombal.config.paths import Paths, ensure
from tests.cli.commands import WAIT_S, Runner
from tests.store.django.dumps import message, session, written


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "of-pombal"


def test_a_report_for_people(run: Runner, state: Path, tmp_path: Path) -> None:
    rows = [
        session(), message(), message(2, message_id="B", status="lost"), message(3, message_id="C", poll_id=4),
        {"model": "auth.user", "pk": 7, "fields": {}},
    ]  # fmt: skip
    dump = written(tmp_path / "dump.json", *rows)
    outcome = run("db", "import-django", str(dump), "--state-dir", str(state))
    assert outcome.code == 1
    for line in (
        "Sessions  1 added, 0 there already",
        "Messages  2 added, 0 moved on, 0 there already",
        "Refused   1 row",
        "status is none that Pombal knows  1     line 3 (pk 2)",
        "auth.user",
        "whatsapp.whatsappmessage.poll_id",
    ):
        assert line.split() in [shown.split() for shown in outcome.lines] or line in outcome.out
    assert (state / "pombal.db").stat().st_mode & 0o777 == 0o600


def test_a_report_for_programs_and_each_refused_row(run: Runner, state: Path, tmp_path: Path) -> None:
    dump = written(tmp_path / "dump.json", session(), message(2, direction="up"))
    outcome = run("db", "import-django", str(dump), "--state-dir", str(state), "--refused", "refused.jsonl", "--json")
    assert outcome.code == 1
    assert outcome.json["sessions"] == {"added": 1, "known": 0}
    assert outcome.json["reasons"] == [
        {
            "reason": "direction is neither inbound nor outbound",
            "rows": 1,
            "first": [{"line": 2, "model": "whatsapp.whatsappmessage", "pk": "2"}],
        }
    ]
    (refused,) = map(json.loads, (tmp_path / "refused.jsonl").read_text().splitlines())
    assert (refused["line"], refused["pk"], refused["detail"]) == (2, "2", "'up'")


def test_all_came_in_is_0_and_links_follow_the_configuration(run: Runner, state: Path, tmp_path: Path) -> None:
    config = tmp_path / "p.toml"
    config.write_text(f'[daemon]\nstate_dir = "{state}"\n[sessions]\ndefault_link = "simulator"\n')
    dump = written(tmp_path / "dump.json", session())
    assert run("db", "import-django", str(dump), "--config", str(config)).code == 0
    assert run("db", "import-django", str(dump), "--config", str(config), "--source", "b", "--link", "web").code == 0
    with closing(sqlite3.connect(state / "pombal.db")) as connection:
        assert connection.execute("SELECT link FROM sessions ORDER BY key").fetchall() == [("simulator",), ("web",)]


def test_times_of_a_zone(run: Runner, state: Path, tmp_path: Path) -> None:
    dump = written(tmp_path / "dump.json", session(), message(queued_at="2025-11-20T12:00:00"))
    run("db", "import-django", str(dump), "--state-dir", str(state), "--timezone", "America/Sao_Paulo")
    with closing(sqlite3.connect(state / "pombal.db")) as connection:
        assert connection.execute("SELECT queued_at FROM messages").fetchone() == (1_763_650_800_000,)


def test_refusals_in_words(run: Runner, state: Path, tmp_path: Path) -> None:
    dump = written(tmp_path / "dump.json", session())
    words = ["db", "import-django", str(dump), "--state-dir", str(state)]
    unknown = run(*words, "--timezone", "Mars/Olympus")
    assert (unknown.code, "there is no time zone 'Mars/Olympus'" in unknown.err) == (2, True)
    unwritable = run(*words, "--refused", "no/such/directory")
    assert (unwritable.code, "cannot be written" in unwritable.err) == (1, True)
    assert run("db", "import-django", "no-such-file").code == 2
    damaged = tmp_path / "dump.json.gz"
    damaged.write_bytes(b"no archive")
    broken = run("db", "import-django", str(damaged), "--state-dir", str(state))
    assert (broken.code, f"{damaged} cannot be read" in broken.err) == (1, True)


def test_beside_a_running_daemon_is_refused(run: Runner, state: Path, tmp_path: Path) -> None:
    dump = written(tmp_path / "dump.json", session())
    ensure(Paths(state, state / "run"))
    with hold_locks(Paths(state, state / "run")):
        outcome = run("db", "import-django", str(dump), "--state-dir", str(state))
    assert (outcome.code, "stop it first" in outcome.err) == (1, True)
    assert not (state / "pombal.db").exists()


def test_shows_how_far_it_is(run: Runner, state: Path, tmp_path: Path) -> None:
    rows = [message(number, message_id=f"M{number}") for number in range(3000)]
    dump = written(tmp_path / "dump.json", session(), *rows)
    with run.terminal("db", "import-django", str(dump), "--state-dir", str(state)) as terminal:
        terminal.wait_for("importing")
        assert terminal.finish() == 0
    assert b"3000 added" in terminal.seen


def test_killed_in_its_midst_the_next_run_adds_the_rest(run: Runner, state: Path, tmp_path: Path) -> None:
    rows = [message(number, message_id=f"M{number}") for number in range(20_000)]
    dump = written(tmp_path / "dump.json", session(), *rows)
    words = ["db", "import-django", str(dump), "--state-dir", str(state), "--json"]
    with run.process(*words) as process:
        there = _wait_for_messages(state / "pombal.db", lambda: process.poll() is None)
        process.kill()
    assert there > 0
    outcome = run(*words)
    messages = outcome.json["messages"]
    assert outcome.code == 0
    assert messages["added"] + messages["known"] == 20_000
    assert messages["known"] >= there
    assert run(*words).json["messages"] == {"added": 0, "moved_on": 0, "known": 20_000}
    assert run("db", "check", "--state-dir", str(state)).code == 0


def _wait_for_messages(database: Path, is_running: Callable[[], bool]) -> int:
    deadline = time.monotonic() + WAIT_S * 3
    while time.monotonic() < deadline:
        count = _count(database)
        if count:
            return count
        if not is_running():
            return _count(database)
        time.sleep(0.01)
    raise AssertionError("no message ever came in")


def _count(database: Path) -> int:
    if not database.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)) as connection:
            (count,) = connection.execute("SELECT count(*) FROM messages").fetchone()
            return int(count)
    except sqlite3.OperationalError:  # its tables are not there yet
        return 0
