"""The shelf: files in and out in pieces, each whole or not at all."""

import errno
import hashlib
import os
from pathlib import Path

import pytest
import trio

from pombal.link.base import MediaShelf
from pombal.media.claims import Claims
from pombal.media.files import MediaFiles, Upload
from pombal.media.shelf import Shelf
from pombal.model.errors import Kind, PombalError

DATA = bytes(range(256)) * 4
SHA256 = hashlib.sha256(DATA).hexdigest()


class Books:
    """What was committed, and a failure in its place."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, int]] = []
        self.failure: Exception | None = None

    async def commit(self, sha256: str, size_bytes: int) -> None:
        await trio.lowlevel.checkpoint()
        if self.failure is not None:
            raise self.failure
        self.rows.append((sha256, size_bytes))


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
def shelf(tmp_path: Path, books: Books) -> MediaShelf:
    return Shelf(MediaFiles(tmp_path), Claims(), lambda: len(DATA), books.commit)


def files(path: Path) -> list[Path]:
    return [each for each in path.rglob("*") if each.is_file()]


async def take(shelf: MediaShelf, data: bytes, sha256: str, size_bytes: int) -> None:
    async with shelf.receive(sha256, size_bytes) as reception:
        for start in range(0, len(data), 100):
            await reception.write(data[start : start + 100])
        await reception.keep()


async def refused(shelf: MediaShelf, data: bytes, sha256: str, size_bytes: int) -> Kind:
    with pytest.raises(PombalError) as error:
        await take(shelf, data, sha256, size_bytes)
    return error.value.kind


async def test_in_and_out(shelf: MediaShelf, books: Books, tmp_path: Path) -> None:
    assert await shelf.size_of(SHA256) is None
    await take(shelf, DATA, SHA256, len(DATA))
    await take(shelf, DATA, SHA256, len(DATA))
    assert books.rows == [(SHA256, len(DATA))] * 2
    assert await shelf.size_of(SHA256) == len(DATA)
    read = b""
    while piece := await shelf.read(SHA256, len(read), 77):
        read += piece
    assert read == DATA
    (path,) = files(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600


async def test_what_is_not_here(shelf: MediaShelf) -> None:
    with pytest.raises(PombalError) as error:
        await shelf.read("0" * 64, 0, 10)
    assert error.value.kind == Kind.NOT_FOUND


@pytest.mark.parametrize(
    ("data", "sha256", "size_bytes", "kind"),
    [
        (DATA, SHA256, len(DATA) + 1, Kind.TOO_LARGE),  # than [media] max_bytes
        (DATA, SHA256, len(DATA) - 1, Kind.TOO_LARGE),  # than was told
        (DATA[:-1], SHA256, len(DATA), Kind.INVALID),
        (DATA, "0" * 64, len(DATA), Kind.INVALID),
    ],
)
async def test_what_is_not_what_was_told_leaves_nothing(
    shelf: MediaShelf, books: Books, tmp_path: Path, data: bytes, sha256: str, size_bytes: int, kind: Kind
) -> None:
    assert await refused(shelf, data, sha256, size_bytes) == kind
    assert (books.rows, files(tmp_path)) == ([], [])


async def test_given_up_half_way_nothing_is_left(shelf: MediaShelf, tmp_path: Path) -> None:
    with trio.CancelScope() as scope:
        async with shelf.receive(SHA256, len(DATA)) as reception:
            await reception.write(DATA[:100])
            assert len(files(tmp_path)) == 1
            scope.cancel()
            await reception.write(DATA[100:])
    assert scope.cancelled_caught
    assert files(tmp_path) == []


async def test_a_full_disk_is_a_refusal(shelf: MediaShelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(upload: Upload, chunk: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Upload, "write", full)
    assert await refused(shelf, DATA, SHA256, len(DATA)) == Kind.UNAVAILABLE
    assert files(tmp_path) == []


async def test_a_row_that_is_not_committed_is_not_kept_for_the_sender(shelf: MediaShelf, books: Books) -> None:
    books.failure = PombalError(Kind.UNAVAILABLE, "the store is locked")
    assert await refused(shelf, DATA, SHA256, len(DATA)) == Kind.UNAVAILABLE
    assert await shelf.size_of(SHA256) == len(DATA)  # it comes again, and is found
