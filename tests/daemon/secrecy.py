"""What a life of the daemon has left behind: files that others can get at, and secrets in its log."""

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.daemon.harness import Running

# Others than the daemon's user must reach the control socket: its directory is passed through, and the socket itself
# asks each peer for its credentials.
ALLOWED = {"run": 0o755, "run/control.sock": 0o660}


def open_to_others(root: Path) -> list[str]:
    """Every file and directory below state and runtime whose mode lets in more than it should: 'mode path'."""
    return [
        f"{stat.S_IMODE(path.lstat().st_mode):04o} {path.relative_to(root)}"
        for path in _everything(root / "state", root / "run")
        if stat.S_IMODE(path.lstat().st_mode) & ~_most(str(path.relative_to(root)), path)
    ]


def _everything(*directories: Path) -> Iterator[Path]:
    for directory in directories:
        yield directory
        yield from directory.rglob("*")


def _most(name: str, path: Path) -> int:
    return ALLOWED.get(name, 0o700 if path.is_dir() else 0o600)


def told(daemon: Running, secrets: Mapping[str, str]) -> list[str]:
    """The names of those secrets that the daemon has written into its log, in whole or by a telling part."""
    output = daemon.output
    return [
        name for name, secret in secrets.items() if secret in output or secret[: max(12, len(secret) // 3)] in output
    ]
