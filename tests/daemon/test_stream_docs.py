"""docs/websocket.md shows what really goes over the wire: its commands are carried out, its frames compared."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.daemon.harness import Home, until_all
from tests.daemon.stream_world import World, world_of
from tests.daemon.streams import Socket, event_source, listening

TEXT = (Path(__file__).parents[2] / "docs/websocket.md").read_text()
SHOWN: list[dict[str, Any]] = [json.loads(block) for block in re.findall(r"```json\n(.*?)\n```", TEXT, flags=re.DOTALL)]
COMMANDS = ("send", "mark_read", "inject")


def fits(shown: Any, real: Any) -> bool:
    """Whether real has all that is shown, of the same types; a message may be shortened on the page."""
    if isinstance(shown, dict):
        return isinstance(real, dict) and all(name in real and fits(value, real[name]) for name, value in shown.items())
    if isinstance(shown, list):
        return isinstance(real, list) and bool(real) and all(fits(shown[0], each) for each in real[:1])
    return isinstance(real, type(shown))


def is_shown(shown: dict[str, Any], real: dict[str, Any]) -> bool:
    return list(shown) == list(real) and fits(shown, real)


def only(kind: str) -> dict[str, Any]:
    (found,) = [each for each in SHOWN if each["type"] == kind]
    return found


async def _check_commands(world: World, client: Socket) -> None:
    """Each with the answer below it; then what the page says is refused."""
    for shown, answer in pairwise(SHOWN):
        if shown["type"] not in COMMANDS:
            continue
        command = dict(shown)
        if command["type"] == "mark_read":
            await world.inject("vendas", 1)
            page = await world.client.message_list(session="vendas", direction="inbound")
            command["message_ids"] = [page.results[0].message_id]
        real = await client.ask(command)
        assert is_shown(answer, real)
        assert real["ref"] == command["ref"]
    conflict, unknown = (each for each in SHOWN if each["type"] == "error")
    again = {**only("send"), "ref": conflict["ref"], "text": "something else"}
    assert await client.ask(again) == conflict
    assert await client.ask({"type": "unheard of"}) == unknown


async def test_every_frame_of_the_page(home: Home) -> None:
    async with world_of(home, {"events": {"cursor_every": 10}}) as world:
        async with listening(world.daemon, world.ana) as (client, hello):
            assert is_shown(only("hello"), hello)
            seq = await world.inject("vendas", 1)
            (received,) = await client.events(seq)
            assert is_shown(only("message.received"), received)
            await _check_commands(world, client)
            await until_all(world.client, "vendas", {only("send")["message_id"]}, "read")
        types = "message.queued,message.status"
        async with listening(world.daemon, world.ana, after=0, batch=2, types=types) as (client, _):
            frame = await client.frame()
            assert is_shown(only("events"), frame)
            assert [each["type"] for each in frame["events"]] == types.split(",")
        async with listening(world.daemon, world.ana, after=3, log_id="another") as (client, _):
            assert is_shown(only("gap"), await client.event())
        async with listening(world.daemon, world.ana, types="session.deleted") as (client, _):
            await world.inject("vendas", 20)
            assert is_shown(only("cursor"), await client.event())
        async with event_source(world.daemon, world.ana, after=0, types="message.received") as source:
            assert await source.block() == ["retry: 2000"]
            assert await source.event() is not None
        await world.daemon.stop()


def test_the_page_names_every_close_code_and_parameter() -> None:
    from pombal.api.stream_query import WebSocketQuery
    from pombal.api.websocket import Close

    assert {f"| {code} |" for code in Close} <= set(re.findall(r"\| \d{4} \|", TEXT)) | {"| 1002 |"}
    assert set(re.findall(r"^\| `(\w+)=", TEXT, flags=re.MULTILINE)) == set(WebSocketQuery.model_fields) - {"token"}
