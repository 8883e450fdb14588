"""Where files lie, and which places are refused."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pombal.config.errors import StartRefused
from pombal.config.paths import (
    SOCKET_PATH_MAX_BYTES,
    Paths,
    check_socket_path,
    client_socket_candidates,
    ensure,
    find_client_socket,
    resolve_paths,
)
from pombal.config.settings import DaemonSettings

NOBODY = 65534
HOME = {"HOME": "/home/ana"}
NOTHING_SET = DaemonSettings()


def resolve(environ: dict[str, str], settings: DaemonSettings = NOTHING_SET) -> tuple[str, str]:
    paths = resolve_paths(settings, HOME | environ)
    return str(paths.state), str(paths.runtime)


class TestResolving:
    def test_nothing_said(self) -> None:
        assert resolve({}) == ("/home/ana/.local/state/pombal", "/home/ana/.local/state/pombal/run")

    def test_xdg(self) -> None:
        environ = {"XDG_STATE_HOME": "/x/state", "XDG_RUNTIME_DIR": "/run/user/1000"}
        assert resolve(environ) == ("/x/state/pombal", "/run/user/1000/pombal")

    def test_relative_xdg_paths_are_passed_over(self) -> None:
        assert resolve({"XDG_STATE_HOME": "state", "XDG_RUNTIME_DIR": "run"}) == resolve({})

    def test_systemd_may_give_several(self) -> None:
        environ = {
            "STATE_DIRECTORY": "/var/lib/pombal:/var/lib/other",
            "RUNTIME_DIRECTORY": "/run/pombal:/run/other",
            "XDG_STATE_HOME": "/x/state",
            "XDG_RUNTIME_DIR": "/run/user/1000",
        }
        assert resolve(environ) == ("/var/lib/pombal", "/run/pombal")

    def test_the_settings_come_first(self) -> None:
        environ = {"STATE_DIRECTORY": "/var/lib/pombal", "RUNTIME_DIRECTORY": "/run/pombal"}
        assert resolve(environ, DaemonSettings(state_dir="/s", runtime_dir="/r")) == ("/s", "/r")

    def test_a_relative_setting_is_made_absolute(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert resolve({}, DaemonSettings(state_dir="state")) == (f"{tmp_path}/state", f"{tmp_path}/state/run")

    def test_an_unknown_home_is_refused(self) -> None:
        with pytest.raises(StartRefused, match="there is no such home directory"):
            resolve({}, DaemonSettings(state_dir="~nobody-of-this-name/pombal"))

    def test_names_of_files(self) -> None:
        paths = Paths(Path("/s"), Path("/r"))
        assert [paths.database, paths.media, paths.simulator_db, paths.state_lock] == [
            Path("/s/pombal.db"), Path("/s/media"), Path("/s/simulator.db"), Path("/s/lock"),
        ]  # fmt: skip
        assert [paths.socket, paths.control_lock] == [Path("/r/control.sock"), Path("/r/control.lock")]


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's right to write everywhere, where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "s", tmp_path / "r")


class TestEnsuring:
    def test_directories_are_made_whatever_the_umask(self, tmp_path: Path) -> None:
        paths = Paths(tmp_path / "deep/state", tmp_path / "run")
        before = os.umask(0o077)
        try:
            ensure(paths)
        finally:
            os.umask(before)
        assert [mode_of(path) for path in (paths.state, paths.media, paths.runtime)] == [0o700, 0o700, 0o755]

    def test_the_mode_of_what_exists_is_left_alone(self, paths: Paths) -> None:
        paths.state.mkdir()
        paths.state.chmod(0o750)
        ensure(paths)
        assert mode_of(paths.state) == 0o750

    def test_a_second_time_is_no_fault(self, paths: Paths) -> None:
        ensure(paths)
        ensure(paths)
        assert paths.media.is_dir()

    def test_a_file_is_refused(self, paths: Paths) -> None:
        paths.state.touch()
        with pytest.raises(StartRefused, match=r"/s is no directory; .*state_dir"):
            ensure(paths)

    def test_a_file_on_the_way_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(StartRefused, match=r"cannot create the directory .*/file/state"):
            ensure(Paths(tmp_path / "file/state", tmp_path / "run"))

    def test_a_dangling_link_is_refused(self, paths: Paths) -> None:
        paths.state.symlink_to("gone")
        with pytest.raises(StartRefused, match="cannot create the directory"):
            ensure(paths)

    def test_one_that_is_not_ours_is_refused(self, tmp_path: Path) -> None:
        uid = os.geteuid()
        foreign = tmp_path if uid == 0 else Path("/usr")
        if uid == 0:
            os.chown(tmp_path, NOBODY, NOBODY)
        with pytest.raises(StartRefused, match=r"belongs to uid \d+, not to us; .*state_dir"):
            ensure(Paths(foreign, tmp_path / "run"))

    def test_one_that_cannot_be_written_is_refused(self, paths: Paths) -> None:
        paths.state.mkdir()
        _open_the_way_to(paths.state)
        if os.geteuid() == 0:
            os.chown(paths.state, NOBODY, NOBODY)
        paths.state.chmod(0o500)
        with (
            as_nobody(),
            pytest.raises(StartRefused, match=r"/s cannot be written; .*state_dir"),
        ):
            ensure(paths)


def _open_the_way_to(path: Path) -> None:
    """pytest's own directories are private; another user has to get through them."""
    for parent in path.parents:
        if str(parent) != "/tmp" and parent.stat().st_uid == os.geteuid() and parent.stat().st_mode & 0o001 == 0:
            parent.chmod(0o711)


class TestSocketPath:
    def test_the_longest(self) -> None:
        check_socket_path(Path("/" + "é" * 53))
        assert len(os.fsencode("/" + "é" * 53)) == SOCKET_PATH_MAX_BYTES

    def test_one_byte_more_is_refused_before_anything_is_made(self, tmp_path: Path) -> None:
        fill = SOCKET_PATH_MAX_BYTES + 1 - len(os.fsencode(tmp_path)) - len("//control.sock")
        paths = Paths(tmp_path / "s", tmp_path / ("x" * fill))
        with pytest.raises(StartRefused, match=r"has 108 bytes, .* at most 107; set \[daemon\] runtime_dir"):
            ensure(paths)
        assert list(tmp_path.iterdir()) == []


class TestClients:
    def test_what_is_named_is_the_only_candidate(self) -> None:
        assert client_socket_candidates("/a.sock", {"POMBAL_SOCKET": "/b.sock"}) == [Path("/a.sock")]
        assert client_socket_candidates(None, {"POMBAL_SOCKET": "/b.sock"}) == [Path("/b.sock")]

    def test_the_order_of_places(self) -> None:
        environ = HOME | {"XDG_RUNTIME_DIR": "/run/user/1000"}
        assert client_socket_candidates(None, environ) == [
            Path("/run/user/1000/pombal/control.sock"),
            Path("/run/pombal/control.sock"),
            Path("/home/ana/.local/state/pombal/run/control.sock"),
        ]

    def test_the_first_that_exists(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("pombal.config.paths.SYSTEM_RUNTIME", tmp_path / "system")
        environ = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "xdg")}
        assert find_client_socket(None, environ) == tmp_path / "xdg/pombal/control.sock"
        (tmp_path / "system").mkdir()
        (tmp_path / "system/control.sock").touch()
        assert find_client_socket(None, environ) == tmp_path / "system/control.sock"
