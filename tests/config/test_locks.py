"""Two daemons never share a directory."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pombal.config.errors import StartRefused
from pombal.config.locks import hold_locks
from pombal.config.paths import Paths, ensure

HOLDER = """
import sys
from pathlib import Path
from pombal.config.locks import hold_locks
from pombal.config.paths import Paths
with hold_locks(Paths(Path(sys.argv[1]), Path(sys.argv[2]))):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path / "s", tmp_path / "r")
    ensure(made)
    return made


def test_the_pid_is_written_and_the_lock_let_go(paths: Paths) -> None:
    for _ in range(2):
        with hold_locks(paths):
            assert paths.state_lock.read_text() == paths.control_lock.read_text() == f"{os.getpid()}\n"


def test_a_second_daemon_on_the_same_state_is_refused(paths: Paths, tmp_path: Path) -> None:
    other = Paths(paths.state, tmp_path)
    with hold_locks(paths), pytest.raises(StartRefused) as caught, hold_locks(other):
        raise AssertionError("both hold it")
    assert str(caught.value) == (
        f"another pombal (pid {os.getpid()}) uses the state directory {paths.state}; "
        "stop it first, or give this one its own ([daemon] state_dir)"
    )


def test_a_second_daemon_on_the_same_socket_is_refused_and_lets_its_state_go(paths: Paths, tmp_path: Path) -> None:
    other = Paths(tmp_path, paths.runtime)
    with hold_locks(paths):
        with (
            pytest.raises(StartRefused, match=r"uses the runtime directory .*\[daemon\] runtime_dir"),
            hold_locks(other),
        ):
            raise AssertionError("both hold it")
        with hold_locks(Paths(tmp_path, tmp_path)):
            assert other.state_lock.read_text() == f"{os.getpid()}\n"


def test_a_killed_daemon_leaves_no_lock_behind(paths: Paths) -> None:
    command = [sys.executable, "-c", HOLDER, str(paths.state), str(paths.runtime)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StartRefused, match=rf"another pombal \(pid {holder.pid}\)"), hold_locks(paths):
            raise AssertionError("both hold it")
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with hold_locks(paths):
        assert paths.state_lock.read_text() == f"{os.getpid()}\n"


def test_a_link_in_the_place_of_the_lock_is_not_followed(paths: Paths, tmp_path: Path) -> None:
    paths.state_lock.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StartRefused, match="cannot open the lock file"), hold_locks(paths):
        raise AssertionError("it was followed")
    assert not (tmp_path / "elsewhere").exists()


def test_a_holder_that_has_not_signed_yet(paths: Paths) -> None:
    with hold_locks(paths):
        paths.state_lock.write_text("")
        with pytest.raises(StartRefused, match="another pombal uses the state directory"), hold_locks(paths):
            raise AssertionError("both hold it")
