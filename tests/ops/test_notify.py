"""What systemd is told, and what it hands over."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from pombal.config.errors import StartRefused
from pombal.ops.notify import Notifier, listen_fds, watchdog_interval_s


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """systemd's end of NOTIFY_SOCKET, and how the variable names it."""
    named = str(tmp_path / "notify") if request.param == "path" else f"@pombal-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(named.replace("@", "\0", 1) if named.startswith("@") else named)
        listening.settimeout(5)
        yield listening, named


def test_a_life(manager: tuple[socket.socket, str]) -> None:
    listening, named = manager
    environ = {"NOTIFY_SOCKET": named}
    with Notifier(environ) as notifier:
        assert notifier.is_heard
        notifier.ready("5 sessions")
        notifier.status("4 ready,\n1 waits for its scan")
        notifier.watchdog()
        notifier.reloading()
        notifier.ready()
        notifier.stopping("draining")
    heard = [listening.recv(4096).decode() for _ in range(6)]
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", heard.pop(3))
    assert heard == [
        "READY=1\nSTATUS=5 sessions",
        "STATUS=4 ready, 1 waits for its scan",
        "WATCHDOG=1",
        "READY=1",
        "STOPPING=1\nSTATUS=draining",
    ]
    assert environ == {}


def test_outside_systemd_nothing_happens() -> None:
    with Notifier({}) as notifier:
        notifier.ready("unheard")
        assert not notifier.is_heard


def test_a_manager_that_is_gone_is_logged_and_does_no_harm(tmp_path: Path) -> None:
    with Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}) as notifier, structlog.testing.capture_logs() as logs:
        notifier.ready()
    assert [(each["event"], each["message_kind"]) for each in logs] == [("systemd was not told", "READY")]


def test_a_manager_that_does_not_read_blocks_nobody(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(tmp_path / "notify"))
        with (
            Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")}) as notifier,
            structlog.testing.capture_logs() as logs,
        ):
            for _ in range(100_000):
                notifier.watchdog()
                if logs:
                    break
    assert logs[0]["event"] == "systemd was not told"


@pytest.mark.parametrize(
    ("environ", "interval_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_interval(environ: dict[str, str], interval_s: float | None) -> None:
    assert watchdog_interval_s(environ) == interval_s
    assert environ == {}


INHERIT = """
import os, sys
from pombal.ops.notify import listen_fds
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = "2"
os.environ["LISTEN_FDNAMES"] = "control:http"
for wanted, source in ((4, sys.argv[2]), (3, sys.argv[1])):
    os.dup2(int(source), wanted)
found = listen_fds(os.environ)
assert [os.get_inheritable(fd) for fd in found.values()] == [False, False]
print(found, [name for name in os.environ if name.startswith("LISTEN")])
"""


def test_sockets_are_handed_over_by_name() -> None:
    one, other = socket.socketpair()
    with one, other:
        passed = (os.dup(one.fileno()), os.dup(other.fileno()))
        try:
            command = [sys.executable, "-W", "error", "-c", INHERIT, *map(str, passed)]
            done = subprocess.run(command, pass_fds=passed, capture_output=True, text=True, check=False)
        finally:
            for descriptor in passed:
                os.close(descriptor)
    assert done.stdout == "{'control': 3, 'http': 4} []\n", done.stderr


class TestRefusals:
    @pytest.mark.parametrize(
        "environ", [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "x"}]
    )
    def test_what_is_not_for_us(self, environ: dict[str, str]) -> None:
        assert listen_fds(environ) == {}
        assert environ == {}

    def test_two_of_one_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "set_inheritable", lambda *_: None)
        environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2", "LISTEN_FDNAMES": "control:control"}
        with pytest.raises(StartRefused, match="two sockets named 'control'"):
            listen_fds(environ)

    def test_one_that_is_not_open(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("pombal.ops.notify.FIRST_DESCRIPTOR", 100_000)
        with pytest.raises(StartRefused, match="descriptor 100000, but it is not open"):
            listen_fds({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"})
