"""One daemon a directory: `flock` on a file in the state directory and on one beside the control socket.

The kernel lets go of a lock when its process ends, however it ends; so whoever holds both knows that a socket found
in the runtime directory was left behind by a daemon that is gone.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from pombal.config.errors import StartRefused
from pombal.config.paths import Paths


@contextmanager
def hold_locks(paths: Paths) -> Iterator[None]:
    """Hold the state directory and the runtime directory. Raises StartRefused where another daemon has one."""
    with ExitStack() as held:
        held.enter_context(_hold(paths.state_lock, "the state directory", "[daemon] state_dir"))
        held.enter_context(_hold(paths.control_lock, "the runtime directory", "[daemon] runtime_dir"))
        yield


@contextmanager
def _hold(path: Path, what: str, setting: str) -> Iterator[None]:
    # The file stays when the lock goes: a second daemon may have opened it by then, and would hold a file that
    # nobody else can find.
    descriptor = _open(path)
    try:
        _take(descriptor, path, what, setting)
        _sign(descriptor)
        yield
    finally:
        os.close(descriptor)


def _sign(descriptor: int) -> None:
    """Write our pid for whoever is refused after us."""
    os.ftruncate(descriptor, 0)
    # It only informs: on a full disk the daemon starts without it, and comes back once there is room.
    with suppress(OSError):
        os.write(descriptor, f"{os.getpid()}\n".encode())


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartRefused(f"cannot open the lock file {path}: {error.strerror}") from error


def _take(descriptor: int, path: Path, what: str, setting: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StartRefused(
            f"another pombal{_holder(descriptor)} uses {what} {path.parent}; "
            f"stop it first, or give this one its own ({setting})"
        ) from None
    except OSError as error:
        raise StartRefused(f"cannot lock {path}: {error.strerror}; {what} must lie on a local disk") from error


def _holder(descriptor: int) -> str:
    written = os.pread(descriptor, 32, 0).strip()
    return f" (pid {int(written)})" if written.isdigit() else ""
