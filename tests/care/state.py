"""A state directory with messages and files in it, that a writer goes on filling."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pombal.care.backup import Backup, make_backup
from pombal.config.paths import Paths, ensure
from pombal.media.files import MediaFiles
from pombal.model.changes import PutMedia
from pombal.model.message import MessageStatus, MessageType
from tests.store.building import Store, queue, reach, receive

NOW = datetime(2026, 11, 29, 3, 15, tzinfo=UTC)


class State:
    """``store`` writes into ``paths.database``; every file is spoken of by a message."""

    def __init__(self, directory: Path) -> None:
        self.paths = Paths(directory, directory / "run")
        ensure(self.paths)
        self.files = MediaFiles(self.paths.media)
        self.store = Store(self.paths.database, busy_timeout_ms=1000)
        self.key = self.store.session().key

    def picture(self, name: str, data: bytes) -> str:
        upload = self.files.begin()
        upload.write(data)
        sha256 = self.files.finish(upload)
        content = {"media": {"sha256": sha256, "mime_type": "image/png", "file_name": None}}
        at = self.store.clock.advance(3)
        self.store.commit(
            PutMedia(at=at, sha256=sha256, size_bytes=len(data)),
            queue(at, self.key, name, None, message_type=MessageType.IMAGE, content=content),
            receive(at, self.key, f"in {name}", "palavras"),
        )
        self.store.do(reach(self.store.clock.advance(3), self.key, name, MessageStatus.SENT))
        return sha256

    @contextmanager
    def filling(self) -> Iterator[threading.Event]:
        """Beside it, as fast as the disk allows. The event is set once some of it is committed."""
        begun, is_over = threading.Event(), threading.Event()
        failures: list[BaseException] = []

        def fill() -> None:
            try:
                number = 0
                while not is_over.is_set():
                    number += 1
                    self.picture(f"meanwhile {number}", f"meanwhile {number}".encode())
                    if number == 20:
                        begun.set()
            except BaseException as error:
                failures.append(error)
                begun.set()

        thread = threading.Thread(target=fill)
        thread.start()
        try:
            yield begun
        finally:
            is_over.set()
            thread.join()
        assert failures == []

    def backup(
        self, directory: Path, *, keep: int | None = None, with_media: bool = True, later_s: float = 0.0
    ) -> Backup:
        return make_backup(
            self.paths, directory, keep=keep, with_media=with_media, now=NOW + timedelta(seconds=later_s),
            progress=lambda what, done, total: None,
        )  # fmt: skip


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def file_of(root: Path, sha256: str) -> Path:
    return root / "media" / sha256[:2] / sha256[2:]


def everything(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
