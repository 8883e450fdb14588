"""A disk of the test's own (tmpfs), which can be filled, and made read-only."""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def missing() -> str | None:
    """What keeps one from being mounted here; CI may run in a container that is not allowed to."""
    if shutil.which("mount") is None:
        return "mount is not installed (Debian: apt install mount)"
    if os.geteuid() != 0:
        return "only root may mount a small disk"
    probe = ["unshare", "--mount", "mount", "-t", "tmpfs", "pombal", "/mnt"]
    done = subprocess.run(probe, capture_output=True, check=False)
    return f"no small disk can be mounted here: {done.stderr.decode().strip()}" if done.returncode else None


@contextmanager
def small_disk(path: Path, size_mb: int = 12) -> Iterator[None]:
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "pombal", str(path)]
    subprocess.run(mount, capture_output=True, check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    """While nobody has a file there open for writing: the kernel refuses it otherwise."""
    subprocess.run(["mount", "-o", "remount,ro", str(path)], capture_output=True, check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(path)], capture_output=True, check=True)


@contextmanager
def full(path: Path) -> Iterator[None]:
    """To the last byte."""
    filler = path / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            _write_until_full(file, bytes(size))
    try:
        yield
    finally:
        filler.unlink()


def _write_until_full(file: IO[bytes], data: bytes) -> None:
    while True:
        try:
            file.write(data)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return
