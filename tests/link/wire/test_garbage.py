"""Whatever comes, a state machine raises WireError or nothing."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pombal.link.base import Delivery, Garbage, Ready
from pombal.link.wire import TEXT_FRAME_MAX_BYTES, ErrorCode, WireError, commands
from pombal.link.wire.gateway_end import Misunderstood
from tests.link.wire import strategies as make
from tests.link.wire.pair import gateway_end, greeted

TYPES = [
    "hello", "refused", "event", "answer", "facts", "media_waiting", "lost", "ping", "pong", "chunk_ack", "ack",
    "command",
]  # fmt: skip
FIELDS = [
    "protocol", "gateway", "daemon", "session", "deduplicates", "max_unacknowledged", "capabilities", "kind", "detail",
    "seq", "event", "id", "command", "result", "error", "is_alive", "last_frame_at_ms", "items", "n", "transfer",
    "size_bytes", "optional", "settings", "link_ids", "status", "sha256",
]  # fmt: skip

frames_like = st.builds(
    lambda name, rest: json.dumps({"type": name, **rest}),
    st.sampled_from(TYPES) | st.text(max_size=5),
    st.dictionaries(
        st.sampled_from(FIELDS),
        make.json_values | st.builds(dict, type=st.sampled_from(["qr", "message", "receipt", "send", "put_media"])),
        max_size=6,
    ),
)
anything = st.text(max_size=200) | st.binary(max_size=200) | frames_like | make.json_values.map(json.dumps)


@given(st.lists(anything, max_size=8))
def test_any_bytes_to_either_end(payloads: list[str | bytes]) -> None:
    daemon, gateway = greeted()
    daemon.command(commands.Probe())
    for payload in payloads:
        with suppress(WireError):
            daemon.receive(payload)
        with suppress(WireError):
            gateway.receive(payload)
    with suppress(WireError):
        gateway_end().receive(payloads[0] if payloads else "")


@given(make.events, st.data())
def test_a_frame_that_was_damaged_on_the_way(event: Any, data: st.DataObject) -> None:
    daemon, gateway = greeted()
    text = gateway.event(1, event)
    at = data.draw(st.integers(0, len(text) - 1))
    damaged = text[:at] + data.draw(st.text(max_size=3)) + text[at + data.draw(st.integers(0, 5)) :]
    with suppress(WireError):
        daemon.receive(damaged)


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


HOSTILE: dict[str, tuple[str | bytes, ErrorCode]] = {
    "nothing": ("", ErrorCode.NOT_JSON),
    "no object": ("[]", ErrorCode.NOT_JSON),
    "NaN": ('{"type":"ping","n":NaN}', ErrorCode.NOT_JSON),
    "endless digits": ('{"type":"ping","n":' + "9" * 10_000 + "}", ErrorCode.NOT_JSON),
    "nested without end": ('{"type":"ping","n":' + deep(100_000) + "}", ErrorCode.NOT_JSON),
    "beyond the bound": (f'{{"type":"ping","n":1,"x":"{"x" * TEXT_FRAME_MAX_BYTES}"}}', ErrorCode.TOO_LARGE),
    "beyond the bound in bytes": ('{"type":"ping","n":1,"x":"' + "é" * 2**19 + '"}', ErrorCode.TOO_LARGE),
    "an infinite number": ('{"type":"ping","n":1e999}', ErrorCode.INVALID),
    "a number beyond 63 bits": ('{"type":"ping","n":9223372036854775808}', ErrorCode.INVALID),
    "a negative number": ('{"type":"ping","n":-1}', ErrorCode.INVALID),
    "a number as text": ('{"type":"ping","n":"1"}', ErrorCode.INVALID),
    "true for one": ('{"type":"ping","n":true}', ErrorCode.INVALID),
    "no type": ('{"n":1}', ErrorCode.INVALID),
    "a type that is no text": ('{"type":["ping"],"n":1}', ErrorCode.INVALID),
    "an unknown type": ('{"type":"telepathy"}', ErrorCode.UNKNOWN_TYPE),
    "an unknown type that claims to matter": ('{"type":"telepathy","optional":"true"}', ErrorCode.UNKNOWN_TYPE),
    "half a transfer id": (b"\0\0\0", ErrorCode.INVALID),
    "a chunk that is too large": (bytes(4 + 262_145), ErrorCode.TOO_LARGE),
}  # fmt: skip


@pytest.mark.parametrize(("payload", "code"), HOSTILE.values(), ids=HOSTILE)
def test_hostile(payload: str | bytes, code: ErrorCode) -> None:
    for end in greeted():
        with pytest.raises(WireError) as refused:
            end.receive(payload)
        assert refused.value.code == code


def test_what_says_that_it_is_optional_is_ignored() -> None:
    for end in greeted():
        assert end.receive('{"type":"telepathy","optional":true,"n":1}') is None
        assert end.receive('{"type":"ping","n":1,"mood":"good"}') is not None


BAD_EVENTS: dict[str, Callable[[], str]] = {
    "no type": lambda: "{}",
    "an unknown type": lambda: '{"type":"poem","text":"…"}',
    "a field too few": lambda: '{"type":"edited","chat_id":"c"}',
    "a wrong type": lambda: '{"type":"receipt","link_ids":"x","status":"read"}',
    "a wrong choice": lambda: '{"type":"receipt","link_ids":["x"],"status":"eaten"}',
    "an infinite number": lambda: '{"type":"sent","link_id":"l","timestamp_s":1e999}',
    "nested deeply": lambda: '{"type":"ready","x":' + deep(900) + "}",
    "larger than it looks": lambda: '{"type":"ready","x":[' + ",".join(["1e15"] * 150_000) + "]}",
}  # fmt: skip


@pytest.mark.parametrize("make_event", BAD_EVENTS.values(), ids=BAD_EVENTS)
def test_an_event_that_cannot_be_read_can_still_be_acknowledged(make_event: Callable[[], str]) -> None:
    """Otherwise it would be replayed, and refused, with each new connection."""
    daemon, gateway = greeted()
    told = daemon.receive('{"type":"event","seq":5,"event":' + make_event() + "}")
    assert isinstance(told, Delivery)
    assert told.seq == 5
    assert isinstance(told.event, Garbage)
    daemon.ack(5)
    assert daemon.receive(gateway.event(6, Ready())) == Delivery(6, Ready())


def test_a_command_that_cannot_be_read_is_answered() -> None:
    daemon, gateway = greeted()
    daemon.command(commands.Probe())
    told = gateway.receive('{"type":"command","id":1,"command":{"type":"sing"}}')
    assert isinstance(told, Misunderstood)
    assert told.kind == "unsupported"
    daemon.receive(gateway.refuse(1, told.kind, told.detail))
    told = gateway.receive('{"type":"command","id":2,"command":{"type":"mark_read"}}')
    assert isinstance(told, Misunderstood)
    assert told.kind == "invalid"
    assert "chat_id" in told.detail
