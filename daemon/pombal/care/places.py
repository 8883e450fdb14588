"""A directory of backups: how they are named, who may work in it, which is the newest, and which are too many."""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pombal.care.durable import MODE, sync_directory
from pombal.care.manifest import FILE, CareRefused

_NAME = re.compile(r"pombal-\d{8}T\d{6}\.\d{3}Z")
_PART = ".part"
_LOCK = ".lock"


def backups_in(directory: Path) -> list[Path]:
    """The finished ones, oldest first: by name, which is the time."""
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.iterdir() if _NAME.fullmatch(path.name) and (path / FILE).is_file())


@contextmanager
def working_in(directory: Path) -> Iterator[None]:
    """Alone, in a directory that is made where it is missing; what an earlier one left unfinished is removed.

    Raises CareRefused.
    """
    try:
        directory.mkdir(mode=MODE, exist_ok=True)
        descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CareRefused(f"backups cannot be written to {directory}: {error.strerror} ({error.filename})") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CareRefused(f"another backup to {directory} is under way: wait until it is done") from None
        for left in directory.glob(f".*{_PART}"):
            shutil.rmtree(left)
        yield
    finally:
        os.close(descriptor)


def new_name(directory: Path, at: datetime) -> str:
    """`pombal-20261129T031500.123Z`: sorted by name they are sorted by time."""
    while (directory / (name := f"pombal-{at.astimezone(UTC):%Y%m%dT%H%M%S}.{at.microsecond // 1000:03d}Z")).exists():
        at += timedelta(milliseconds=1)
    return name


@contextmanager
def unfinished(directory: Path, name: str) -> Iterator[Path]:
    """A directory for what is not whole yet; gone at the end, unless it was given its name by then."""
    part = directory / f".{name}{_PART}"
    part.mkdir(mode=MODE)
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


def finish(part: Path, name: str) -> Path:
    """Give a whole backup its name, durably."""
    target = part.parent / name
    sync_directory(part)
    part.rename(target)
    sync_directory(target.parent)
    return target


def rotate(directory: Path, keep: int, newest: Path) -> list[Path]:
    """Remove all but the last ``keep`` backups; never the newest, whatever the clock said when it was made."""
    others = [path for path in backups_in(directory) if path != newest]
    gone = others[: max(0, len(others) - (keep - 1))]
    for path in gone:
        # Under another name first: one that is half removed must not pass for a backup.
        going = path.rename(directory / f".{path.name}{_PART}")
        shutil.rmtree(going)
    return gone
