"""A contact's data as a zip: what is in it, in chunks, once; and what becomes of one that nobody reads."""

import base64
import hashlib
import io
import json
import math
import zipfile
from typing import Any

import trio.testing
from trio.testing import MockClock

from pombal.media.files import MediaFiles
from pombal.model.changes import KeepRejected
from pombal.model.errors import Kind
from pombal.model.params_base import decode_base64
from tests.fakes.rooms import World, outcome
from tests.service.world import ANA, ask, injected, ready

WHOM = "5511922220000"


async def read(world: World, made: dict[str, Any], limit: int = 1000) -> zipfile.ZipFile:
    data = b""
    while True:
        chunk = await ask(world, "contact.export_chunk", export=made["export"], offset=len(data), limit=limit)
        data += decode_base64(chunk["data"])
        if chunk["eof"]:
            assert len(data) == made["size_bytes"]
            return zipfile.ZipFile(io.BytesIO(data))


def stop(clock: MockClock) -> None:
    """Files are written in threads, and a clock that jumps while everybody waits would take away an export's time."""
    clock.autojump_threshold = math.inf


def objects(whole: zipfile.ZipFile, name: str) -> Any:
    return json.loads(whole.read(f"{name}.json"))


async def test_all_of_them_and_nothing_of_others(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    await injected(world, "dela", **{"from": WHOM})
    await injected(world, "de outra", **{"from": "5511922220001"})
    sha256 = await stored(world, b"a picture")
    media = {"sha256": sha256, "mime_type": "image/png", "file_name": "x.png"}
    await world.send("resposta", to=WHOM, type="image", media=media)
    raw = KeepRejected(at=world.clock(), session_key=1, source="link", raw=f"from {WHOM}", reason="unreadable")
    await world.recorder.commit(raw)
    stop(autojump_clock)
    made = await ask(world, "contact.export", number="+55 11 92222-0000")
    assert (made["messages"], made["media_files"], made["contacts"], made["rejected"]) == (2, 1, 1, 1)
    whole = await read(world, made)
    assert whole.testzip() is None
    assert [message["text_content"] for message in objects(whole, "messages")] == ["dela", "resposta"]
    assert {event["type"] for event in objects(whole, "events")} >= {"message.received", "message.queued"}
    assert objects(whole, "contacts")[0]["number"] == WHOM
    assert objects(whole, "rejected")[0]["raw"] == f"from {WHOM}"
    assert whole.read(f"media/{sha256}") == b"a picture"
    assert objects(whole, "export")["counts"]["messages"] == 2
    assert "de outra" not in "".join(whole.read(name).decode(errors="replace") for name in whole.namelist())


async def stored(world: World, data: bytes) -> str:
    sha256 = hashlib.sha256(data).hexdigest()
    await ask(world, "media.put", data=base64.b64encode(data).decode(), sha256=sha256)
    assert MediaFiles(world.path / "media").size_of(sha256) == len(data)
    return sha256


async def test_once_read_it_is_gone_and_never_had_a_name(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    stop(autojump_clock)
    before = sorted(world.path.rglob("*"))
    made = await ask(world, "contact.export", number=WHOM)
    assert sorted(world.path.rglob("*")) == before
    assert objects(await read(world, made), "messages") == []
    assert await outcome(ask(world, "contact.export_chunk", export=made["export"])) == Kind.NOT_FOUND


async def test_as_many_at_once_as_there_is_room_for(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    stop(autojump_clock)
    made = [await ask(world, "contact.export", number=WHOM) for _ in range(2)]
    assert await outcome(ask(world, "contact.export", number=WHOM)) == Kind.RATE_LIMITED
    await read(world, made[0])
    await ask(world, "contact.export", number=WHOM)
    autojump_clock.jump(601)
    await trio.testing.wait_all_tasks_blocked()
    await ask(world, "contact.export", number=WHOM)
    assert await outcome(ask(world, "contact.export_chunk", export=made[1]["export"])) == Kind.NOT_FOUND


async def test_who_is_erased_is_not_handed_out_any_more(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    made = await ask(world, "contact.export", number=WHOM)
    await ask(world, "contact.erase", number=WHOM)
    assert await outcome(ask(world, "contact.export_chunk", export=made["export"])) == Kind.NOT_FOUND


async def test_it_is_for_admins_and_noted(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    assert await outcome(ask(world, "contact.export", ANA, number=WHOM)) == Kind.FORBIDDEN
    assert await outcome(ask(world, "contact.export_chunk", ANA, export="x")) == Kind.FORBIDDEN
    await ask(world, "contact.export", number=WHOM)
    noted = (await ask(world, "audit.list", method="contact.export"))["results"]
    assert [(entry["outcome"], entry["target"]) for entry in noted] == [
        ("ok", {"number": "5511*******00"}), ("forbidden", {"number": "5511*******00"}),
    ]  # fmt: skip
