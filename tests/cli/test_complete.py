"""Shell completion: commands, values, and names of sessions from a running daemon."""

import os
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from pombal.cli import complete
from tests.cli import objects
from tests.cli.commands import COMMAND, Runner
from tests.cli.fake_daemon import FakeDaemon, Refusal


def completions(*words: str) -> list[str]:
    """What bash would offer for the last word."""
    line = " ".join(["pombal", *words])
    asked = {"_POMBAL_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words))}
    done = subprocess.run(COMMAND, env=os.environ | asked, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.split()


def test_commands_and_values(run: Runner) -> None:
    assert completions("session", "re") == ["restart"]
    assert completions("message", "list", "--direction", "in") == ["inbound"]


def test_session_names(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["session.list"] = objects.page(
        objects.session("suporte"), objects.session("suporte-2"), objects.session("vendas", device_name="suporte")
    )
    assert completions("session", "show", "sup") == ["suporte", "suporte-2"]
    assert daemon.calls == [("session.list", {"limit": 100, "search": "sup"})]


def test_socket_is_heeded(run: Runner, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POMBAL_SOCKET", "/nowhere/control.sock")
    daemon.answers["session.list"] = objects.page(objects.session("suporte"))
    assert completions("message", "list", "--socket", str(daemon.path), "--session", "s") == ["suporte"]


def test_no_daemon_is_silence(run: Runner, socket_path: Path) -> None:
    assert complete.session_names(socket_path, "s") == []
    assert completions("session", "show", "s") == []


def test_a_refusal_is_silence(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["session.list"] = Refusal("forbidden", "members only")
    assert complete.session_names(daemon.path, "") == []


def test_a_daemon_that_does_not_answer_is_not_waited_for(
    run: Runner, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    def hang(params: dict[str, Any]) -> dict[str, Any]:
        release.wait(10)
        return objects.page()

    daemon.answers["session.list"] = hang
    monkeypatch.setattr(complete, "PATIENCE_S", 0.05)
    assert complete.session_names(daemon.path, "") == []
    assert not release.is_set()
    release.set()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_asks_this_command(shell: str) -> None:
    asked = os.environ | {"_POMBAL_COMPLETE": f"source_{shell}"}
    done = subprocess.run(COMMAND, env=asked, capture_output=True, text=True, check=True)
    assert f"_POMBAL_COMPLETE=complete_{shell}" in done.stdout
