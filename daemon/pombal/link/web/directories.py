"""Where gateways keep what lasts of a session, its keys among it: removed with the session, or else at boot."""

import fcntl
import shutil
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger()

LOCK = "lock"
LOOK_EVERY_S = 0.05


def remove(directory: Path, wait_s: float) -> bool:
    """Blocking. Remove a session's directory, once no gateway holds its lock, or after wait_s all the same.

    False where something of it could not be removed.
    """
    if not directory.is_dir():
        return True
    with suppress(FileNotFoundError), (directory / LOCK).open("ab") as lock:
        _await_lock(lock.fileno(), wait_s)
        shutil.rmtree(
            directory, onerror=lambda _, path, error: log.error("not removed", path=str(path), reason=str(error[1]))
        )
    return not directory.exists()


def _not_removed(_: object, path: str, error: Any) -> None:
    log.error("not removed", path=path, reason=str(error[1]))


def sweep(root: Path, sessions: Collection[str]) -> int:
    """Blocking. At boot: remove the directories of sessions that are no more; how many there were."""
    if not root.is_dir():
        return 0
    stale = [path for path in root.iterdir() if path.is_dir() and path.name not in sessions]
    for path in stale:
        log.info("directory of a deleted session removed", path=str(path))
        remove(path, 0)
    return len(stale)


def _await_lock(descriptor: int, wait_s: float) -> None:
    deadline_s = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline_s:
                return
            time.sleep(LOOK_EVERY_S)
        else:
            return
