"""docs/link-protocol.md: its examples are read by the codec, and it names all there is."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from pombal.link.wire import CHUNK_MAX_BYTES, CloseCode, WireError, frames
from pombal.link.wire.codec import FROM_DAEMON, FROM_GATEWAY, decode, decode_chunk, encode, encode_chunk
from pombal.link.wire.commands import COMMANDS
from pombal.link.wire.events import EVENTS
from pombal.link.wire.limits import TEXT_FRAME_MAX_BYTES, WINDOW_CHUNKS
from pombal.link.wire.shapes import Family
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs/link-protocol.md").read_text()
FAMILIES = {"daemon": [FROM_DAEMON], "gateway": [FROM_GATEWAY], "both": [FROM_DAEMON, FROM_GATEWAY]}
EXAMPLES = re.findall(r"^```json (\w+)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


def read() -> Iterator[tuple[Family[Any], str, Any]]:
    """(family, text, frame) of every example; an event's and a command's own part is read, too."""
    for sender, text in EXAMPLES:
        for family in FAMILIES[sender]:
            yield family, text, decode(family, text)


def test_every_frame_has_an_example() -> None:
    shown = {(sender, json.loads(text)["type"]) for sender, text in EXAMPLES}
    names = {("daemon", name) for name in FROM_DAEMON.names()} | {("gateway", name) for name in FROM_GATEWAY.names()}
    assert {pair for pair in names if pair not in shown and ("both", pair[1]) not in shown} == set()


def test_examples_say_what_the_codec_would_say() -> None:
    for family, text, frame in read():
        assert json.loads(encode(family, frame)) == json.loads(text) | json.loads(encode(family, frame))
        match frame:
            case frames.EventFrame(event=event):
                EVENTS.from_wire(event)
            case frames.CommandFrame(command=command):
                COMMANDS.from_wire(command)


def test_the_chunk() -> None:
    (digits,) = re.findall(r"^```text chunk\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    chunk = decode_chunk(bytes.fromhex(digits))
    assert chunk == frames.Chunk(7, b"foo")
    assert encode_chunk(chunk) == bytes.fromhex(digits)


def table_after(heading: str) -> set[str]:
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) - {"kind"}


def test_tables_name_every_event_and_command() -> None:
    assert table_after("Events") >= set(EVENTS.names())
    assert table_after("Commands") == set(COMMANDS.names())
    assert table_after("Greeting") == {kind.value for kind in frames.RefusedKind}


@pytest.mark.parametrize("kind", ["event", "command"])
def test_the_tables_name_every_field(kind: str) -> None:
    family, heading = {"event": (EVENTS, "Events"), "command": (COMMANDS, "Commands")}[kind]
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    for name in family.names():
        shape = family.shape_of({"type": name})
        assert shape is not None
        assert [field for field in shape.fields if not re.search(rf"`{field}\??`", section)] == []


def test_numbers_and_close_codes() -> None:
    for number in (TEXT_FRAME_MAX_BYTES, CHUNK_MAX_BYTES):
        assert f"{number:,}" in PAGE
    assert WINDOW_CHUNKS == 4
    assert "At most four chunks" in PAGE
    for code in CloseCode:
        assert str(code.value) in PAGE, code


def test_what_the_page_says_of_unknown_frames() -> None:
    assert decode(FROM_GATEWAY, '{"type": "new", "optional": true}') is None
    with pytest.raises(WireError):
        decode(FROM_GATEWAY, '{"type": "new"}')
