"""The socket's file: made, taken over, removed."""

import os
import socket
import stat
from pathlib import Path

import pytest
import trio

from pombal.config.errors import StartRefused
from pombal.control.bind import adopt_socket, bind_socket
from pombal.control.peers import PeerRules

ALONE = PeerRules(own_uid=os.geteuid())


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def accepts(path: Path, listener: trio.SocketListener) -> bool:
    async with await trio.open_unix_socket(str(path)), await listener.accept():
        return True


async def test_it_listens_and_is_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with bind_socket(path, ALONE) as listener:
        assert mode_of(path) == 0o660
        assert await accepts(path, listener)
    assert not path.exists()


@pytest.mark.parametrize(
    ("rules", "mode", "gid"),
    [
        (PeerRules(0, admin_gid=12345), 0o660, 12345),
        (PeerRules(0, read_gid=12345), 0o660, 12345),
        (PeerRules(0, admin_gid=12345, read_gid=12345), 0o660, 12345),
        (PeerRules(0, admin_gid=12345, read_gid=54321), 0o666, os.getegid()),
    ],
)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to any group")
def test_groups_can_reach_it(tmp_path: Path, rules: PeerRules, mode: int, gid: int) -> None:
    path = tmp_path / "control.sock"
    with bind_socket(path, rules):
        assert (mode_of(path), path.stat().st_gid) == (mode, gid)


def test_a_group_that_is_not_ours_to_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refuse)
    path = tmp_path / "control.sock"
    with pytest.raises(StartRefused, match="make the daemon's user a member"), bind_socket(path, PeerRules(0, 5)):
        pass
    assert not path.exists()


async def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with bind_socket(path, ALONE) as listener:
        assert await accepts(path, listener)


def test_a_live_socket_of_another_daemon_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        with pytest.raises(StartRefused, match="another daemon answers"), bind_socket(path, ALONE):
            pass
        assert path.exists()


def test_something_else_in_its_place_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    path.write_text("precious")
    with pytest.raises(StartRefused, match="is no socket"), bind_socket(path, ALONE):
        pass
    assert path.read_text() == "precious"


def test_a_path_too_long(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="at most 107"), bind_socket(tmp_path / ("x" * 120), ALONE):
        pass


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="cannot make the control socket"), bind_socket(tmp_path / "no" / "s", ALONE):
        pass


def test_what_took_its_place_stays(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with bind_socket(path, ALONE):
        path.unlink()
        path.write_text("other")
    assert path.read_text() == "other"


async def test_an_inherited_socket_is_used_and_never_removed(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    made.listen()
    listener = adopt_socket(made.detach())
    assert await accepts(path, listener)
    await listener.aclose()
    assert path.exists()


def test_an_inherited_descriptor_of_another_kind() -> None:
    with socket.socket(socket.AF_INET) as wrong, pytest.raises(StartRefused, match="no listening Unix stream socket"):
        adopt_socket(wrong.fileno())
    read, write = os.pipe()
    with pytest.raises(StartRefused, match="is no socket"):
        adopt_socket(read)
    os.close(read)
    os.close(write)
