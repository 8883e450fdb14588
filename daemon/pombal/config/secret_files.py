"""Files that hold secrets: read only where nobody but the daemon's user can read them."""

import os
import stat
from pathlib import Path

_ROOT = 0
# PostgreSQL's rule for its server's key: ours alone, or root's with a group that may read (`root:pombal 0640`), as
# Debian's ssl-cert does it and systemd its credentials.
_FORBIDDEN_OURS, _FORBIDDEN_ROOTS = 0o077, 0o037


class SecretExposed(Exception):
    """Others can read the file, or change it; the text says how to mend that. The file's content is never in it."""


def read_secret(path: Path, max_bytes: int) -> bytes:
    """At most max_bytes of the file. Raises OSError, SecretExposed."""
    with path.open("rb") as file:
        _check(path, os.fstat(file.fileno()))
        return file.read(max_bytes)


def check_secret(path: Path) -> None:
    """For a file that somebody else will open. Raises OSError, SecretExposed."""
    _check(path, path.stat())


def _check(path: Path, found: os.stat_result) -> None:
    advice = exposure(stat.S_IMODE(found.st_mode), found.st_uid, os.geteuid())
    if advice is not None:
        raise SecretExposed(f"{path} holds a secret and {advice.format(path=path)}")


def exposure(mode: int, owner: int, us: int) -> str | None:
    """Why a file of this mode and owner is no secret, with what to do about it; None where it is one.

    mode: the permission bits. owner, us: user ids.
    """
    if owner not in (us, _ROOT):
        return f"belongs to uid {owner}: chown {us} {{path}} && chmod 600 {{path}}"
    if mode & (_FORBIDDEN_ROOTS if owner == _ROOT else _FORBIDDEN_OURS):
        return f"is open to others (mode {mode:04o}): chmod {'640' if owner != us else '600'} {{path}}"
    return None
