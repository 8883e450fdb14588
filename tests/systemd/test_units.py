"""The units agree with the program, and systemd has nothing to say about them."""

import os
import re
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from pombal.config.credentials import CREDENTIALS
from pombal.config.paths import RUNTIME_MODE, STATE_MODE, SYSTEM_RUNTIME, Paths
from pombal.config.settings import Settings

FOLDER = Path(__file__).parents[2] / "systemd"
EXPOSURE_AT_MOST = 15  # tenths; docs/security.md says what is left out and why


def unit(name: str) -> Mapping[str, Sequence[str]]:
    """All assignments of a unit file; a key may come several times."""
    found: dict[str, list[str]] = defaultdict(list)
    for key, value in re.findall(r"^([A-Za-z]+)=(.*)$", (FOLDER / name).read_text(), flags=re.MULTILINE):
        found[key].append(value)
    return found


SERVICE = unit("pombal.service")
SOCKET = unit("pombal.socket")
HTTP_SOCKET = unit("pombal-http.socket")
BACKUP = unit("pombal-backup.service")


def test_the_service_has_time_to_drain() -> None:
    assert int(SERVICE["TimeoutStopSec"][0]) > Settings().daemon.drain_s


def test_the_service_tells_and_is_watched() -> None:
    assert SERVICE["Type"] == ["notify"]
    assert SERVICE["WatchdogSec"] == ["30"]
    assert SERVICE["ExecReload"] == ["/bin/sh -c 'kill -HUP ${MAINPID}'"]


def test_the_service_comes_back_but_not_with_a_wrong_configuration() -> None:
    assert SERVICE["Restart"] == ["always"]
    assert SERVICE["RestartPreventExitStatus"] == ["2"]
    assert SERVICE["StartLimitIntervalSec"] == ["0"]


def test_what_would_break_the_control_socket_is_not_there() -> None:
    assert SERVICE["RuntimeDirectoryPreserve"] == ["yes"]
    assert "PrivateUsers" not in SERVICE
    assert SERVICE["KillMode"] == ["control-group"]


def test_directories_are_those_that_the_program_knows() -> None:
    assert SERVICE["StateDirectory"] == SERVICE["RuntimeDirectory"] == [SYSTEM_RUNTIME.name]
    assert int(SERVICE["StateDirectoryMode"][0], 8) == STATE_MODE
    assert int(SERVICE["RuntimeDirectoryMode"][0], 8) == int(SOCKET["DirectoryMode"][0], 8) == RUNTIME_MODE
    assert SOCKET["ListenStream"] == [str(Paths(Path("/nowhere"), SYSTEM_RUNTIME).socket)]


def test_the_socket_is_handed_over_by_name_and_closed_to_others() -> None:
    assert SOCKET["FileDescriptorName"] == ["control"]
    assert SOCKET["SocketMode"] == ["0660"]


def test_the_address_of_http_may_be_handed_over_as_well() -> None:
    assert HTTP_SOCKET["FileDescriptorName"] == ["http"]
    assert HTTP_SOCKET["ListenStream"] == [Settings().http.bind]
    assert HTTP_SOCKET["Service"] == ["pombal.service"]


def test_every_credential_that_the_program_looks_for_is_loaded() -> None:
    """By a name, and not by a path: systemd passes over one that is not there."""
    assert SERVICE["LoadCredential"] == [f"{name}:pombal.{name}" for name in CREDENTIALS]


def test_a_backup_is_made_every_night_where_it_may_write() -> None:
    command = BACKUP["ExecStart"][0].split()
    assert command[:4] == [SERVICE["ExecStart"][0].split()[0], "db", "backup", "--keep"]
    assert BACKUP["ReadWritePaths"] == [command[-1]]
    assert f"d {command[-1]} 0700 pombal pombal -" in (FOLDER / "pombal.tmpfiles.conf").read_text()
    assert BACKUP["StateDirectory"] == SERVICE["StateDirectory"]
    assert (unit("pombal-backup.timer")["Persistent"], "Unit" in unit("pombal-backup.timer")) == (["yes"], False)


def test_a_backup_leaves_the_machine_to_the_daemon() -> None:
    assert (BACKUP["Nice"], BACKUP["IOSchedulingClass"], BACKUP["CPUSchedulingPolicy"]) == (["19"], ["idle"], ["idle"])


def test_a_backup_is_locked_down_as_the_daemon_is_and_speaks_to_nobody() -> None:
    allowed = {"RestrictAddressFamilies", "SystemCallFilter"}
    for key, values in SERVICE.items():
        if key.startswith(("Protect", "Restrict", "Private", "NoNew", "Lock", "Memory", "System", "Capability")):
            assert key in allowed or key == "ProtectSystem" or BACKUP[key] == values, key
    assert BACKUP["PrivateNetwork"] == ["yes"]


def test_every_directive_that_surprises_says_why() -> None:
    text = (FOLDER / "pombal.service").read_text()
    for directive in (
        "RuntimeDirectoryPreserve",
        "RestartPreventExitStatus",
        "TimeoutStopSec",
        "StartLimitIntervalSec",
    ):
        assert re.search(rf"^# .*\n{directive}=", text, flags=re.MULTILINE), directive


@pytest.mark.system("systemd-analyze")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """With a program that exists in the place of ours, which is not installed where the tests run."""
    names = ("pombal.service", "pombal.socket", "pombal-http.socket", "pombal-backup.service", "pombal-backup.timer")
    for name in names:
        text = (FOLDER / name).read_text().replace("/opt/pombal/bin/pombal", "/bin/true")
        (tmp_path / name).write_text(text)
    command = ["systemd-analyze", "verify", *(str(tmp_path / name) for name in names)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if "pombal" in line]
    assert (done.returncode, said) == (0, [])


@pytest.mark.system("systemd-analyze")
@pytest.mark.parametrize(("name", "at_most"), [("pombal.service", EXPOSURE_AT_MOST), ("pombal-backup.service", 10)])
def test_the_services_are_locked_down(name: str, at_most: int) -> None:
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={at_most}", "--no-pager"]
    done = subprocess.run([*command, str(FOLDER / name)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout.splitlines()[-1:] + done.stderr.splitlines()


@pytest.mark.system("systemd-sysusers", "systemd-tmpfiles")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a directory to another user")
def test_the_user_and_its_directory_are_made(tmp_path: Path) -> None:
    for name in ("etc", "run"):
        (tmp_path / name).mkdir()
    for program, action, name in [
        ("systemd-sysusers", [], "pombal.sysusers.conf"),
        ("systemd-tmpfiles", ["--create"], "pombal.tmpfiles.conf"),
    ]:
        command = [program, f"--root={tmp_path}", *action, str(FOLDER / name)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    name, _, uid, gid, _, home, _ = (tmp_path / "etc/passwd").read_text().strip().split(":")
    assert (tmp_path / "var/backups/pombal").stat().st_mode & 0o7777 == 0o700
    made = (tmp_path / "run/pombal").stat()
    assert (name, home) == ("pombal", "/var/lib/pombal")
    assert (made.st_uid, made.st_gid, made.st_mode & 0o7777) == (int(uid), int(gid), RUNTIME_MODE)
