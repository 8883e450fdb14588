"""A fake daemon, and commands run against it: in this process, in another one, or on a terminal."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import Runner
from tests.cli.fake_daemon import FakeDaemon, running


@pytest.fixture
def socket_path() -> Iterator[Path]:
    """Short: pytest's own directories can be too long for a Unix socket."""
    with tempfile.TemporaryDirectory(prefix="pombal") as directory:
        yield Path(directory) / "control.sock"


@pytest.fixture
def daemon(socket_path: Path) -> Iterator[FakeDaemon]:
    with running(socket_path) as fake:
        yield fake


@pytest.fixture
def run(socket_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Runner:
    """Runs a command in this process; whether a daemon listens at the socket is the test's affair."""
    monkeypatch.chdir(tmp_path)
    for variable in ("POMBAL_CONFIG", "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR", "COLUMNS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("POMBAL_SOCKET", str(socket_path))
    return Runner(socket_path)
