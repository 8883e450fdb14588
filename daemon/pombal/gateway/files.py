"""Files on their way: those of messages to come, put here by the daemon, and those that came, until it has them.

``<session>/sending/<sha256>`` and ``<session>/received/<sha256>``. A file has its name only once it is whole, and its
hash is the one that its name says.
"""

import hashlib
import os
import time
from pathlib import Path
from tempfile import mkstemp
from types import TracebackType
from typing import Self

SENDING, RECEIVED = "sending", "received"
UNFINISHED = ".part"
KEPT_S = 3_600
"""How long a file of ours stays after its last use: a message that is tried again finds it."""
BLOCK_BYTES = 1_048_576


class NotTheFile(Exception):
    """Its size or its hash is not the one that was told."""


class Files:
    """Blocking, so called in threads."""

    def __init__(self, directory: Path) -> None:
        self._sending, self._received = directory / SENDING, directory / RECEIVED
        for each in (self._sending, self._received):
            each.mkdir(mode=0o700, exist_ok=True)
            for part in each.glob(f"*{UNFINISHED}"):
                part.unlink()

    def to_send(self, sha256: str) -> Path | None:
        """A file that was put here, used now; None where it is not."""
        path = self._sending / sha256
        try:
            os.utime(path)
        except FileNotFoundError:
            return None
        return path

    def putting(self, sha256: str, size_bytes: int) -> "Part":
        return Part(self._sending / sha256, sha256, size_bytes)

    def receiving(self, sha256: str) -> "Part":
        return Part(self._received / sha256, sha256, None)

    def received(self, sha256: str) -> Path:
        return self._received / sha256

    def taken(self, sha256: str) -> None:
        self.received(sha256).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove the files of ours that nobody has used for a while."""
        oldest_s = time.time() - KEPT_S
        for path in self._sending.iterdir():
            if path.stat().st_mtime < oldest_s:
                path.unlink(missing_ok=True)


class Part:
    """A file being written; ``keep`` gives it its name, and what was not kept is gone when the block ends."""

    def __init__(self, target: Path, sha256: str, size_bytes: int | None) -> None:
        descriptor, name = mkstemp(dir=target.parent, suffix=UNFINISHED)
        self.path = Path(name)
        self._file = os.fdopen(descriptor, "wb")
        self._target = target
        self._sha256 = sha256
        self._size_bytes = size_bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        """Raises NotTheFile past the size that was told."""
        self._file.write(data)
        if self._size_bytes is not None and self._file.tell() > self._size_bytes:
            raise NotTheFile("more bytes than were told")

    def keep(self) -> int:
        """The size of the file, which is on disk under its own name now. Raises NotTheFile."""
        self._file.flush()
        with self.path.open("rb") as whole:
            digest = hashlib.file_digest(whole, "sha256").hexdigest()
            size_bytes = os.fstat(whole.fileno()).st_size
            if digest != self._sha256 or self._size_bytes not in (None, size_bytes):
                raise NotTheFile("the bytes are not those of the hash that was told")
            os.fsync(whole.fileno())
        self.path.rename(self._target)
        directory = os.open(self._target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return size_bytes
