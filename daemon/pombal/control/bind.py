"""The control socket's file: made safely, taken over from systemd, and removed by nobody but its maker."""

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import trio

from pombal.config.errors import StartRefused
from pombal.config.paths import check_socket_path
from pombal.control.peers import PeerRules

# So many may wait to be accepted; the kernel cuts it down to net.core.somaxconn.
BACKLOG = 1024


@contextmanager
def bind_socket(path: Path, rules: PeerRules) -> Iterator[trio.SocketListener]:
    """Listen at path; the file goes away at the end. Only for who holds the runtime directory's lock.

    Raises StartRefused where a daemon answers there, or the file cannot be made.
    """
    check_socket_path(path)
    _remove_stale(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        made = _bind(sock, path)
        try:
            _permit(path, rules)
            # Nobody can connect before this, so nobody meets a socket with the wrong owner or mode.
            sock.listen(BACKLOG)
            yield _listener(sock)
        finally:
            _remove(path, made)


def adopt_socket(descriptor: int) -> trio.SocketListener:
    """Listen on a socket that systemd made and owns (sd_listen_fds(3)); its file is never touched.

    Raises StartRefused where it is no listening Unix stream socket.
    """
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError as error:
        raise StartRefused(f"inherited descriptor {descriptor} is no socket: {error.strerror}") from error
    if sock.family != socket.AF_UNIX or sock.type != socket.SOCK_STREAM or not _is_listening(sock):
        sock.detach()
        raise StartRefused(
            f"inherited descriptor {descriptor} is no listening Unix stream socket; pombal.socket needs ListenStream="
        )
    os.set_inheritable(descriptor, False)
    return _listener(sock)


@contextmanager
def adopted(descriptor: int) -> Iterator[trio.SocketListener]:
    """As adopt_socket, on a copy of the descriptor: a server that is started again finds the original still open."""
    listener = adopt_socket(os.dup(descriptor))
    try:
        yield listener
    finally:
        listener.socket.close()


def _listener(sock: socket.socket) -> trio.SocketListener:
    sock.setblocking(False)
    return trio.SocketListener(trio.socket.from_stdlib_socket(sock))


def _is_listening(sock: socket.socket) -> bool:
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _remove_stale(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise StartRefused(
            f"{path} exists and is no socket; move it away, or set [daemon] runtime_dir to another place"
        )
    if _answers(path):
        raise StartRefused(
            f"another daemon answers at {path}; stop it first, or set [daemon] runtime_dir to another place"
        )
    with suppress(FileNotFoundError):
        path.unlink()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        code = probe.connect_ex(str(path))
    # EAGAIN: somebody listens, whose backlog is full.
    return code in (0, errno.EAGAIN)


def _bind(sock: socket.socket, path: Path) -> tuple[int, int]:
    try:
        sock.bind(str(path))
    except OSError as error:
        raise StartRefused(f"cannot make the control socket {path}: {error.strerror}") from error
    return _identity(path)


def _identity(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino


def _permit(path: Path, rules: PeerRules) -> None:
    """The file's mode lets in who may speak; each peer's credentials are looked at all the same."""
    gids = {gid for gid in (rules.admin_gid, rules.read_gid) if gid is not None}
    try:
        if len(gids) == 1:
            os.chown(path, -1, gids.pop())
        # A file has one group: with two of them the credentials alone decide.
        path.chmod(0o666 if len(gids) > 1 else 0o660)
    except PermissionError as error:
        raise StartRefused(
            f"cannot give {path} to the group of [control]: {error.strerror}; "
            "make the daemon's user a member of it (SupplementaryGroups= in pombal.service)"
        ) from error


def _remove(path: Path, made: tuple[int, int]) -> None:
    # Somebody may have put another file there since.
    with suppress(FileNotFoundError):
        if _identity(path) == made:
            path.unlink()
