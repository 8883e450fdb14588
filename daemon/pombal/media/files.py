"""The media store on disk: files by their sha256, in ``ab/cd…``, each there once and whole or not at all."""

import hashlib
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkstemp

from pombal.model.errors import not_found

UNFINISHED = "unfinished"
DRAWERS = 256  # directories, by the first two digits of the sha256
IS_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(slots=True)
class Upload:
    """A file that is being received: how much there is of it, and the hash so far."""

    descriptor: int
    path: Path
    size_bytes: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def write(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        while view:
            view = view[os.write(self.descriptor, view) :]
        self.digest.update(chunk)
        self.size_bytes += len(chunk)

    def close(self) -> None:
        """Once and for all: by a second time the number may be another file's."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def discard(self) -> None:
        """Remove what was received; of one that has its name by now, nothing is left to remove."""
        self.close()
        self.path.unlink(missing_ok=True)


class MediaFiles:
    """Blocking, so called in threads. Files have mode 0600 (mkstemp), and never change once they have their name."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def begin(self) -> Upload:
        directory = self._root / UNFINISHED
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, path = mkstemp(dir=directory)
        return Upload(descriptor, Path(path))

    def finish(self, upload: Upload) -> str:
        """Give the file its name, durably; returns its sha256. One that is there already stays."""
        sha256 = upload.digest.hexdigest()
        target = self.path_of(sha256)
        os.fsync(upload.descriptor)
        if target.exists():
            upload.discard()
            return sha256
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        upload.close()
        upload.path.rename(target)
        _sync_directory(target.parent)
        return sha256

    def read(self, sha256: str, offset: int, limit: int) -> tuple[bytes, bool]:
        """(bytes from offset, whether nothing follows). Raises PombalError (not_found)."""
        try:
            with self.path_of(sha256).open("rb") as file:
                size_bytes = os.fstat(file.fileno()).st_size
                file.seek(min(offset, size_bytes))
                data = file.read(limit)
                return data, offset + len(data) >= size_bytes
        except FileNotFoundError:
            raise not_found(f"there is no media with sha256 {sha256}") from None

    def size_of(self, sha256: str) -> int | None:
        """How many bytes the file has; None where it is not here."""
        try:
            return self.path_of(sha256).stat().st_size
        except FileNotFoundError:
            return None

    def remove(self, sha256s: Iterable[str]) -> int:
        """Remove files for good; how many bytes that was. One that is not here is passed over."""
        size_bytes = 0
        for path in map(self.path_of, sha256s):
            with suppress(FileNotFoundError):
                size_bytes += path.stat().st_size
                path.unlink()
        return size_bytes

    def drawer(self, number: int, before_s: float) -> list[str]:
        """The files in one of the DRAWERS directories that were written before then (epoch seconds), by sha256."""
        directory = self._root / f"{number:02x}"
        if not directory.is_dir():
            return []
        names = [f"{directory.name}{entry.name}" for entry in os.scandir(directory) if entry.stat().st_mtime < before_s]
        return sorted(name for name in names if IS_SHA256.fullmatch(name))

    def sweep(self) -> None:
        """Remove what an earlier life left unfinished."""
        for path in (self._root / UNFINISHED).glob("*"):
            path.unlink(missing_ok=True)

    def path_of(self, sha256: str) -> Path:
        return self._root / sha256[:2] / sha256[2:]


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
