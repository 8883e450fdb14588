"""Files in chunks: their bytes are written by threads, so no clock is jumped here."""

import base64
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio

from pombal.model.caller import Caller, Role
from pombal.model.errors import Kind, PombalError
from pombal.model.message import MessageType
from tests.fakes.link import incoming
from tests.fakes.rooms import ADMIN, World, outcome, running
from tests.service.world import ask

OTHER = Caller("other", Role.ADMIN)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path, sections={"media": {"max_bytes": 1000, "max_uploads": 3}}) as built:
        yield built


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def files(world: World) -> list[Path]:
    return sorted(path for path in (world.path / "media").rglob("*") if path.is_file())


async def put(world: World, data: bytes, caller: Caller = ADMIN, **raw: Any) -> Any:
    return await ask(world, "media.put", caller, data=encoded(data), **raw)


async def get(world: World, digest: str, **raw: Any) -> tuple[bytes, bool]:
    chunk = await ask(world, "media.get", sha256=digest, **raw)
    return base64.b64decode(chunk["data"]), chunk["eof"]


@pytest.mark.parametrize("data", [b"", b"a file", bytes(range(256)) * 3])
async def test_a_file_in_one_chunk(world: World, data: bytes) -> None:
    assert await put(world, data, sha256=sha256(data)) == {"sha256": sha256(data), "size_bytes": len(data)}
    assert await get(world, sha256(data)) == (data, True)
    assert await put(world, data, sha256=sha256(data)) == {"sha256": sha256(data), "size_bytes": len(data)}
    (path,) = files(world)
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_file_in_many_chunks(world: World) -> None:
    data = os.urandom(900)
    upload, offset = dict[str, Any](), 0
    while offset < 800:
        answer = await put(world, data[offset : offset + 100], offset=offset, **upload)
        upload, offset = {"upload": answer["upload"]}, answer["offset"]
    assert await put(world, data[800:], offset=800, sha256=sha256(data), **upload) == {
        "sha256": sha256(data),
        "size_bytes": 900,
    }
    read = b""
    while True:
        chunk, eof = await get(world, sha256(data), offset=len(read), limit=77)
        read += chunk
        if eof:
            break
    assert read == data


async def test_a_wrong_hash_leaves_nothing(world: World) -> None:
    assert await outcome(put(world, b"a file", sha256=sha256(b"another"))) == Kind.INVALID
    assert files(world) == []
    assert world.connection.execute("SELECT count(*) FROM media").fetchone() == (0,)


async def test_a_wrong_offset_is_told_the_right_one(world: World) -> None:
    upload = (await put(world, b"abc"))["upload"]
    for offset in (0, 2, 4, 2**62):
        with pytest.raises(PombalError) as refused:
            await put(world, b"def", upload=upload, offset=offset)
        assert refused.value.kind == Kind.CONFLICT
        assert refused.value.data == {"offset": 3}
    assert await outcome(put(world, b"x", offset=5)) == Kind.INVALID
    assert (await put(world, b"def", upload=upload, offset=3, sha256=sha256(b"abcdef")))["size_bytes"] == 6


@pytest.mark.parametrize("upload", ["unknown", "a\0b", "../../etc/passwd"])
async def test_an_upload_that_is_not_there(world: World, upload: str) -> None:
    assert await outcome(put(world, b"x", upload=upload)) == Kind.NOT_FOUND


async def test_anothers_upload_is_not_there(world: World) -> None:
    upload = (await put(world, b"abc"))["upload"]
    assert await outcome(put(world, b"def", OTHER, upload=upload, offset=3)) == Kind.NOT_FOUND


async def test_too_large(world: World) -> None:
    assert await outcome(put(world, b"x" * 1001, sha256=sha256(b"x" * 1001))) == Kind.TOO_LARGE
    upload = (await put(world, b"x" * 600))["upload"]
    assert await outcome(put(world, b"x" * 401, upload=upload, offset=600)) == Kind.TOO_LARGE
    assert await outcome(put(world, b"x", upload=upload, offset=600)) == Kind.NOT_FOUND
    assert files(world) == []
    assert await outcome(ask(world, "media.put", data=encoded(b"x" * 524_289))) == Kind.INVALID
    assert await outcome(ask(world, "media.put", data="not base64!")) == Kind.INVALID


async def test_unfinished_uploads_are_bounded_even_if_all_begin_at_once(world: World) -> None:
    answers: list[Any] = []

    async def begin() -> None:
        answers.append(await outcome(put(world, b"x")))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(begin)
    assert answers.count(Kind.RATE_LIMITED) == 17
    assert len(files(world)) == 3


async def test_two_chunks_at_once_of_one_upload(world: World) -> None:
    upload = (await put(world, b"abc"))["upload"]
    answers: list[Any] = []

    async def more() -> None:
        answers.append(await outcome(put(world, b"def", upload=upload, offset=3)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(more)
        nursery.start_soon(more)
    assert sorted(map(str, answers))[0] == Kind.CONFLICT
    assert (await put(world, b"", upload=upload, offset=6, sha256=sha256(b"abcdef")))["size_bytes"] == 6


async def test_an_upload_that_falls_silent_makes_room_for_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        await put(world, b"x")
    assert await outcome(put(world, b"x")) == Kind.RATE_LIMITED
    late = trio.current_time() + 601
    monkeypatch.setattr("pombal.service.uploads.trio.current_time", lambda: late)
    answers: list[Any] = []

    async def begin() -> None:
        answers.append(await outcome(put(world, b"x")))

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(begin)
    assert all(answer["offset"] == 1 for answer in answers)
    assert len(files(world)) == 3


async def test_what_is_not_there_and_what_lies_beyond_the_end(world: World) -> None:
    assert await outcome(get(world, sha256(b"unknown"))) == Kind.NOT_FOUND
    await put(world, b"a file", sha256=sha256(b"a file"))
    for offset in (6, 7, 2**63 - 1):
        assert await get(world, sha256(b"a file"), offset=offset) == (b"", True)
    for digest in ("../../../etc/passwd", "A" * 64, "a\0b", ""):
        assert await outcome(get(world, digest)) == Kind.INVALID


async def test_a_file_that_has_not_come_yet_is_said_to_be_on_its_way(world: World) -> None:
    link = await world.ready()
    media = {"sha256": sha256(b"later"), "mime_type": "image/png", "size_bytes": 5, "file_name": None}
    link.tell(incoming("x", message_type=MessageType.IMAGE, content={"media": media}))
    await world.until_true(lambda: world.row().total_messages_received)
    with pytest.raises(PombalError, match="not here yet") as announced:
        await get(world, sha256(b"later"))
    with pytest.raises(PombalError, match="no message speaks of it") as unknown:
        await get(world, sha256(b"unknown"))
    assert announced.value.kind == unknown.value.kind == Kind.NOT_FOUND
    with pytest.raises(PombalError, match="not here yet"):
        await world.service.media_size(sha256(b"later"))
    await put(world, b"later", sha256=sha256(b"later"))
    assert await get(world, sha256(b"later")) == (b"later", True)


@pytest.mark.parametrize("step", ["begin", "write", "finish"])
async def test_a_full_disk_is_said_so_and_nothing_is_left_open(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    where = {"begin": "mkstemp", "write": "os.write", "finish": "os.fsync"}[step]
    before = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patched:
        patched.setattr(f"pombal.media.files.{where}", full)
        with pytest.raises(PombalError) as refused:
            await put(world, b"a file", sha256=sha256(b"a file"))
    assert refused.value.kind == Kind.UNAVAILABLE
    assert "No space left" in refused.value.message
    assert files(world) == []
    assert len(os.listdir("/proc/self/fd")) == before
    assert (await put(world, b"a file", sha256=sha256(b"a file")))["size_bytes"] == 6


async def test_what_an_earlier_life_left_unfinished_is_swept(world: World) -> None:
    await put(world, b"abc")
    await put(world, b"a file", sha256=sha256(b"a file"))
    world.deps.media.sweep()
    assert [path.name for path in files(world)] == [sha256(b"a file")[2:]]
