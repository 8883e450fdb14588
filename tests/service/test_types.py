"""Every type of message goes the whole way on the simulated network."""

import hashlib
from typing import Any

import pytest
from trio.testing import MockClock

from pombal.model.changes import PutMedia
from pombal.model.errors import Kind, PombalError
from tests.fakes.rooms import World
from tests.service.world import ask, injected, ready

DATA = b"a file"
SHA = hashlib.sha256(DATA).hexdigest()
TO = "5511922220000"


def media(mime_type: str) -> dict[str, Any]:
    return {"sha256": SHA, "mime_type": mime_type, "file_name": "x"}


PARTS: dict[str, dict[str, Any]] = {
    "text": {"text": "oi"},
    "image": {"media": media("image/png"), "text": "a caption"},
    "audio": {"media": media("audio/ogg; codecs=opus")},
    "video": {"media": media("video/mp4")},
    "document": {"media": media("application/pdf"), "text": "a caption"},
    "sticker": {"media": media("image/webp")},
    "location": {"location": {"latitude": -23.55, "longitude": -46.63, "name": "Sé"}},
    "contact": {"contact": {"name": "Ana", "number": "+55 11 98888-7777"}},
}


async def put(world: World) -> None:
    await world.recorder.commit(PutMedia(at=world.clock(), sha256=SHA, size_bytes=len(DATA)))


@pytest.mark.parametrize("kind", PARTS)
async def test_sends_of_every_type(autojump_clock: MockClock, world: World, kind: str) -> None:
    await ready(world)
    await put(world)
    sent = await world.send(PARTS[kind].get("text"), to=TO, type=kind, message_id="m1", **_without_text(kind))
    await world.until_status("m1", "read")
    shown = await ask(world, "message.get", session="ana", message_id="m1")
    assert (shown["message_type"], shown["status"]) == (kind, "read")
    for part, value in _without_text(kind).items():
        assert shown[part].items() >= value.items()
    assert sent.message.media is None or sent.message.media.size_bytes == len(DATA)


def _without_text(kind: str) -> dict[str, Any]:
    return {name: value for name, value in PARTS[kind].items() if name != "text"}


async def test_a_reaction_and_a_quoted_reply(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    (target,) = await injected(world, **{"from": TO})
    await world.send("sim", to=TO, quoted_message_id=target, message_id="quote")
    reaction = {"message_id": target, "emoji": "👍"}
    await world.send(None, to=TO, type="reaction", reaction=reaction, message_id="reaction")
    await world.until_status("quote", "read")
    await world.until_status("reaction", "read")
    assert (await ask(world, "message.get", session="ana", message_id="quote"))["quoted_message_id"] == target
    assert (await ask(world, "message.get", session="ana", message_id="reaction"))["reaction"] == reaction


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"type": "image", "media": media("image/png") | {"sha256": "0" * 64}}, "its bytes must come first"),
        ({"quoted_message_id": "never seen", "text": "x"}, "quoted_message_id names no message"),
        ({"type": "reaction", "reaction": {"message_id": "never seen", "emoji": "👍"}}, "reaction names no message"),
    ],
)
async def test_what_is_refused_says_why(
    autojump_clock: MockClock, world: World, fields: dict[str, Any], told: str
) -> None:
    await ready(world)
    with pytest.raises(PombalError, match=told) as refused:
        await world.send(**({"text": None, "to": TO} | fields))
    assert refused.value.kind == Kind.INVALID


async def test_a_reaction_to_a_message_of_another_chat(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    (target,) = await injected(world, **{"from": "5511933330000"})
    with pytest.raises(PombalError, match="another chat"):
        await world.send(None, to=TO, type="reaction", reaction={"message_id": target, "emoji": "👍"})
