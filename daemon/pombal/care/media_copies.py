"""Files of messages from one media store to another. They never change, and their name is their hash: it is held to."""

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pombal.care.durable import MODE, private, sync_directory

CHUNK_BYTES = 1_048_576


class Damaged(Exception):
    """A file whose bytes are not the ones that its name says."""


@dataclass(slots=True)
class MediaCopy:
    """Into a store that is being made. like: an earlier copy, of which the same files are linked instead of copied.

    A link costs no room and no reading, and each copy is whole all the same: a file goes when its last name does.
    """

    source: Path
    target: Path
    like: Path | None = None
    files: int = 0
    size_bytes: int = 0
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    def take(self, known: Iterable[tuple[str, int]], told: Callable[[int], None]) -> None:
        """The files known by (sha256, size in bytes). told hears how many are done. Raises OSError."""
        touched = set[Path]()
        for number, (sha256, size_bytes) in enumerate(known, 1):
            place = _place(self.target, sha256)
            if place.parent not in touched:
                for directory in (self.target, place.parent):
                    directory.mkdir(mode=MODE, exist_ok=True)
                touched.add(place.parent)
            self._one(sha256, size_bytes, place)
            told(number)
        for directory in touched:
            sync_directory(directory)
        if touched:
            sync_directory(self.target)

    def _one(self, sha256: str, size_bytes: int, place: Path) -> None:
        try:
            if not _has(place, size_bytes) and not self._linked(sha256, size_bytes, place):
                copy_file(_place(self.source, sha256), place, sha256)
        except FileNotFoundError:
            self.missing.append(sha256)
        except Damaged:
            self.damaged.append(sha256)
        else:
            self.files += 1
            self.size_bytes += size_bytes

    def _linked(self, sha256: str, size_bytes: int, place: Path) -> bool:
        if self.like is None or not _has(earlier := _place(self.like, sha256), size_bytes):
            return False
        try:
            os.link(earlier, place)
        except OSError:  # another file system, or one without hard links, or too many of them
            return False
        return True


def copy_file(source: Path, target: Path, sha256: str) -> None:
    """Durably, 0600, and only if it is what its name says. Raises Damaged, OSError; leaves nothing half-written."""
    part = target.with_name(f".{target.name}.part")
    digest = hashlib.sha256()
    try:
        with source.open("rb") as read, open(part, "wb", opener=private) as written:
            while chunk := read.read(CHUNK_BYTES):
                digest.update(chunk)
                written.write(chunk)
            written.flush()
            os.fsync(written.fileno())
        if digest.hexdigest() != sha256:
            raise Damaged(sha256)
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)


def _has(path: Path, size_bytes: int) -> bool:
    try:
        return path.stat().st_size == size_bytes
    except FileNotFoundError:
        return False


def _place(root: Path, sha256: str) -> Path:
    return root / sha256[:2] / sha256[2:]
