"""Exit codes, what is said on stderr, and how quickly the command is there."""

import signal
import subprocess
import sys
from typing import Any

import pytest

from pombal import __version__
from pombal.cli import failures
from pombal.cli.failures import ExitCode, explain, sole_cause
from pombal.config.errors import StartRefused
from pombal.model.errors import Kind, PombalError
from tests.cli import objects
from tests.cli.commands import WAIT_S, Runner
from tests.cli.fake_daemon import FakeDaemon, HangUp, Refusal, Subscription

HEAVY = ("fastapi", "hypercorn", "sqlite3", "sqlite_utils", "trio", "prometheus_client", "segno", "httpx2")


def test_the_commands_load_nothing_heavy() -> None:
    code = f"import sys, pombal.cli.main; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_version(run: Runner) -> None:
    outcome = run("--version")
    assert (outcome.code, outcome.out) == (0, f"pombal {__version__}\n")


def test_help_names_every_command(run: Runner) -> None:
    outcome = run("--help")
    assert outcome.code == 0
    for name in ("serve", "status", "ps", "top", "session", "send", "message", "latency", "events", "config", "db"):
        assert name in outcome.out


def test_done_is_0_and_json_is_the_result_object_itself(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["daemon.status"] = objects.daemon_status() | {"something_new": ["é", None, 1.5]}
    outcome = run("status", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.json == daemon.answers["daemon.status"]
    assert len(outcome.lines) == 1


def test_refused_is_1_with_the_message_on_stderr(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["session.get"] = Refusal("not_found", "there is no session 'x'", missing="session")
    outcome = run("session", "show", "x", "--json")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == "pombal: there is no session 'x'; `pombal session list` shows what there is\n"


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["session", "show"],
        ["session", "list", "--status", "happy"],
        ["latency", "--since", "yesterday"],
        ["message", "list", "--limit", "0"],
        ["message", "list", "--limit", "501"],
        ["message", "show", "not-a-number"],
        ["session", "update", "suporte"],
        ["session", "create", "suporte", "--setting", "seed"],
        ["send", "suporte", "5511988887777"],
        ["send", "suporte", "5511988887777", "--file", "/nowhere/at/all"],
        ["send", "suporte", "5511988887777", "--location", "here"],
        ["send", "suporte", "5511988887777", "--contact", "5511"],
        ["send", "suporte", "5511988887777", "x", "--wait", "queued"],
        ["events", "--follow", "--all"],
        ["events", "--type", "message.invented"],
    ],
)
def test_wrong_usage_is_2_before_anything_is_asked(run: Runner, daemon: FakeDaemon, words: list[str]) -> None:
    outcome = run(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert "Error" in outcome.err
    assert "Traceback" not in outcome.err
    assert daemon.calls == []


@pytest.mark.parametrize("words", [["status"], ["top", "--once"], ["events", "--follow"], ["session", "qr", "suporte"]])
def test_no_daemon_is_3_and_says_how_to_start_it(run: Runner, socket_path: object, words: list[str]) -> None:
    outcome = run(*words)
    assert (outcome.code, outcome.out) == (3, "")
    assert outcome.err == f"pombal: no daemon answers at {socket_path}: is it running? start it with `pombal serve`\n"


def test_a_daemon_that_hangs_up_before_it_answers_is_3(run: Runner, daemon: FakeDaemon) -> None:
    def hang_up(params: Any) -> Any:
        raise HangUp

    daemon.answers["daemon.status"] = hang_up
    outcome = run("status")
    assert outcome.code == 3
    assert "closed the connection" in outcome.err


def test_socket_goes_before_the_environment(run: Runner, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POMBAL_SOCKET", "/nowhere/control.sock")
    daemon.answers["daemon.status"] = objects.daemon_status()
    assert run("status").code == 3
    assert run("status", "--socket", str(daemon.path)).code == 0


def test_text_of_the_daemon_cannot_steer_the_terminal(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["session.get"] = Refusal("invalid", "\x1b[2Jgone [red]not markup[/red] :smile:")
    outcome = run("session", "show", "x")
    assert outcome.err == "pombal: \ufffd[2Jgone [red]not markup[/red] :smile:\n"


def test_ctrl_c_is_130_and_quiet(run: Runner, daemon: FakeDaemon) -> None:
    def play(subscription: Subscription) -> None:
        subscription.emit(objects.status_event(13, "sent"))

    daemon.answers["events.list"] = {"results": [], "last_seq": 12, "log_id": "LOG"}
    daemon.plays = [play]
    with run.process("events", "--follow") as process:
        assert process.stdout is not None
        assert "message.status" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=WAIT_S)
    assert (process.returncode, err) == (ExitCode.INTERRUPTED, "")


def test_a_reader_that_leaves_ends_it_quietly(run: Runner, daemon: FakeDaemon) -> None:
    def play(subscription: Subscription) -> None:
        for seq in range(13, 5000):
            subscription.emit(objects.status_event(seq, "sent"))

    daemon.plays = [play]
    with run.process("events", "--follow", "--after", "12") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read()
        assert process.wait(WAIT_S) == ExitCode.BROKEN_PIPE
    assert err == ""


def test_a_fault_of_ours_keeps_its_traceback(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["daemon.status"] = {"unexpected": "shape"}
    with pytest.raises(KeyError):
        run("status")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PombalError(Kind.CONFLICT, "no"), 1),
        (StartRefused("no"), 1),
        (PermissionError(13, "Permission denied", "/x"), 1),
        (failures.CommandFailed("no", ExitCode.USAGE), 2),
    ],
)
def test_expected_errors_have_a_code(error: Exception, code: int) -> None:
    told = explain(error)
    assert told is not None
    assert told[0] == code


def test_of_a_group_ctrl_c_counts_then_what_is_expected() -> None:
    expected = PombalError(Kind.CONFLICT, "no")
    crash = ValueError("bug")
    group = ExceptionGroup("", [crash, ExceptionGroup("", [expected])])
    assert sole_cause(group) is expected
    assert isinstance(sole_cause(BaseExceptionGroup("", [group, KeyboardInterrupt()])), KeyboardInterrupt)
    assert sole_cause(ExceptionGroup("", [crash])) is crash
    two = ExceptionGroup("", [crash, TypeError()])
    assert sole_cause(two) is two
