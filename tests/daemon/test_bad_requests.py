"""Requests that no client of ours would make: each gets a clear error, and the daemon and its data go on."""

import json
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from pombal.control.client import Client, RemoteError
from pombal.control.framing import REQUEST_MAX_BYTES
from tests.daemon.books import check_database, messages_in
from tests.daemon.harness import Home, Life, ready_session, until, until_all
from tests.daemon.raw_line import raw_line

ANA = "5511987654321"
STATUS = b'{"jsonrpc": "2.0", "id": 7, "method": "daemon.status"}\n'


@pytest.fixture(scope="module")
def shared() -> Iterator[Life]:
    """Whole at the end, and ended well."""
    with tempfile.TemporaryDirectory(prefix="pombal-") as directory:
        home = Home(Path(directory))
        with home.shared() as life:
            yield life
        assert life.logged("actor crashed") == []
        check_database(home.database)


@pytest.fixture
async def daemon(shared: Life) -> AsyncIterator[Life]:
    """With the session `vendas`, which sends as before when the test is over."""
    async with shared.client() as client:
        if not (await client.session_list()).results:
            await ready_session(client)
    yield shared
    async with shared.client() as client:
        seq = (await client.daemon_status()).last_event_seq
        sent = await client.message_send("vendas", ANA, text="still here")
        await until_all(client, "vendas", {sent.message_id}, "read", after=seq)


# Frames


BAD_LINES = [
    (b"hello?\n", -32700, "not JSON"),
    (b'{"jsonrpc": "2.0", "id": 1, "method": \n', -32700, "not JSON"),
    (b'{"id": 1, "method": "daemon.status", "params": {"a": "\xff\xfe"}}\n', -32700, "not UTF-8"),
    (b"[" * 100_000 + b"\n", -32700, "nested too deeply"),
    (b'{"id": 1, "method": "daemon.status", "params": {"n": 1e999}}\n', -32700, "too large"),
    (b'{"id": 1, "method": "daemon.status", "params": {"n": NaN}}\n', -32700, "NaN"),
    (b'{"id": 1, "id": 2, "method": "daemon.status"}\n', -32700, "twice"),
    (b'[{"id": 1, "method": "daemon.status"}]\n', -32600, "batches"),
    (b'"daemon.status"\n', -32600, "JSON object"),
    (b'{"id": 1}\n', -32600, "method is missing"),
    (b'{"id": {}, "method": "daemon.status"}\n', -32600, "id must be"),
    (b'{"id": 1, "method": "daemon.stats"}\n', -32601, "did you mean daemon.status?"),
    (b'{"id": 1, "method": "daemon.status", "params": [1]}\n', -32602, "by position"),
]  # fmt: skip


async def test_a_bad_line_is_answered_and_the_next_one_too(daemon: Life) -> None:
    async with raw_line(daemon.home.socket) as raw:
        for line, code, said in BAD_LINES:
            refusal = await raw.ask(line)
            assert refusal["error"]["code"] == code
            assert said in refusal["error"]["message"]
            assert (await raw.ask(STATUS))["result"]["pid"] == daemon.pid


async def test_a_line_too_long_is_told_and_ends_the_connection_alone(daemon: Life) -> None:
    async with (
        raw_line(daemon.home.socket) as raw,
        raw_line(daemon.home.socket) as other,
        trio.open_nursery() as nursery,
    ):
        # It may hang up before it has taken all of it.
        nursery.start_soon(_write_what_goes, raw.stream, b"x" * (REQUEST_MAX_BYTES + 70_000))
        refusal = await raw.answer()
        assert refusal is not None
        assert refusal["error"]["data"]["kind"] == "too_large"
        assert await raw.answer() is None
        assert (await other.ask(STATUS))["result"]["pid"] == daemon.pid


async def _write_what_goes(stream: trio.SocketStream, data: bytes) -> None:
    try:
        await stream.send_all(data)
    except trio.BrokenResourceError:
        return


async def test_half_a_line_harms_nobody(daemon: Life) -> None:
    async with raw_line(daemon.home.socket) as raw:
        await raw.write(STATUS[:20])
    async with raw_line(daemon.home.socket) as raw:
        for byte in STATUS[:-1]:
            await raw.write(bytes([byte]))
        assert (await raw.ask(b"\n"))["id"] == 7


async def test_a_thousand_sends_in_one_write_keep_their_order(daemon: Life) -> None:
    lines = [
        {"id": number, "method": "message.send", "params": {"session": "vendas", "to": ANA, "text": f"n{number}"}}
        for number in range(1000)
    ]
    async with raw_line(daemon.home.socket) as raw, trio.open_nursery() as nursery:
        nursery.start_soon(raw.write, b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        answers = [await raw.answer() for _ in lines]
    assert [answer and answer["id"] for answer in answers] == list(range(1000))
    texts = [row["text_content"] for row in messages_in(daemon.home.database)]
    assert [text for text in texts if re.fullmatch(r"n\d+", text)] == [f"n{number}" for number in range(1000)]


# Params


async def refused(client: Client, kind: str, method: str, **params: Any) -> str:
    with pytest.raises(RemoteError) as caught:
        await client.call(method, params)
    assert caught.value.kind == kind, caught.value
    return caught.value.message


async def test_params_of_a_wrong_shape(daemon: Life) -> None:
    async with daemon.client() as client:
        assert "no such parameter" in await refused(client, "invalid", "daemon.status", verbose=True)
        assert "session: is required" in await refused(client, "invalid", "message.send", to=ANA, text="x")
        wrong: Any
        for wrong in (7, None, [], {}, True, 1.5):
            await refused(client, "invalid", "message.send", session="vendas", to=wrong, text="x")
            await refused(client, "invalid", "message.send", session="vendas", to=ANA, text=[wrong])
        for wrong in ("5", 5.5, -1, 0, 501, 2**63, -(2**63) - 1, 10**300, True):
            await refused(client, "invalid", "message.list", limit=wrong)
        for huge in (2**63, 10**40, -1):
            message = await refused(client, "invalid", "message.get", id=huge)
            assert "id" in message
            await refused(client, "invalid", "events.list", after=huge)
        assert await refused(client, "not_found", "message.get", id=2**63 - 1)
        assert "session_state" not in await refused(client, "invalid", "message.list", status="sent!")


BAD_NAMES = [
    "..", ".", "", "start", "stop", "status", "restart", "logout", "a" * 65, "Ana", "a b", "a/b", "á", "-a",
    "a\n", "a\0",
]  # fmt: skip


async def test_names_that_no_session_may_have(daemon: Life) -> None:
    async with daemon.client() as client:
        before = (await client.session_list()).results
        for name in BAD_NAMES:
            await refused(client, "invalid", "session.create", name=name)
        assert [session.id for session in (await client.session_list()).results] == [each.id for each in before]
    assert sorted(path.name for path in daemon.home.root.iterdir() if path.is_dir()) == ["run", "state"]


async def test_names_that_are_no_session(daemon: Life) -> None:
    async with daemon.client() as client:
        for name in ("..", "nobody", "../vendas", "VENDAS", "'; --", "\ud800"):
            assert "no session" in await refused(client, "not_found", "session.get", name=name)
            await refused(client, "not_found", "message.send", session=name, to=ANA, text="x")
        await refused(client, "already_exists", "session.create", name="vendas")
        await refused(client, "unsupported", "session.create", name="real", link="cloud")
        await refused(client, "invalid", "session.create", name="real", link="carrier-pigeon")
        await refused(client, "invalid", "session.create", name="real", settings={"sent_ms": "soon"})


async def test_message_ids(daemon: Life) -> None:
    async with daemon.client() as client:
        for name in ("á", "a b", "", "x" * 129, "a\0", "\u202e1", "a\n"):
            message = await refused(
                client, "invalid", "message.send", session="vendas", to=ANA, text="x", message_id=name
            )
            assert "message_id" in message
        for name in ("x" * 128, "!~", "'\"\\;--"):
            sent = await client.message_send("vendas", ANA, text="x", message_id=name)
            assert sent.message_id == name
            assert (await client.message_get("vendas", name)).id == sent.id


async def test_texts_of_every_kind_come_through_as_they_are(daemon: Life) -> None:
    texts = [
        "🚚👩🏽‍🚀 olá", "שלום עולם", "\u202eevil\u202c", "a\r\nb\tc", "'; DROP TABLE messages; --", "ﷺ" * 100,
        "e\u0301", "x" * 65_536, "🚚" * 65_536, "\x01\x1f\x7f", "\ufeff", "{\"json\": true}",
    ]  # fmt: skip
    async with daemon.client() as client:
        for text in texts:
            seq = (await client.daemon_status()).last_event_seq
            sent = await client.message_send("vendas", ANA, text=text)
            assert (await client.message_get(id=sent.id)).text_content == text
            await until_all(client, "vendas", {sent.message_id}, "read", after=seq)
            seen = (await client.daemon_status()).last_event_seq
            await client.simulator_inject("vendas", ANA, text=text)
            came = await until(client, lambda _: True, after=seen, types=["message.received"])
            assert came["data"]["text_content"] == text


async def test_texts_that_cannot_be_sent(daemon: Life) -> None:
    async with daemon.client() as client:
        assert "text" in await refused(client, "invalid", "message.send", session="vendas", to=ANA, text="")
        assert "NUL" in await refused(client, "invalid", "message.send", session="vendas", to=ANA, text="a\0b")
        assert "65536" in (
            await refused(client, "too_large", "message.send", session="vendas", to=ANA, text="x" * 65_537)
        ).replace(",", "")
        mended = await client.message_send("vendas", ANA, text="half \ud83d of an emoji")
        assert (await client.message_get(id=mended.id)).text_content == "half \ufffd of an emoji"


async def test_texts_from_people_that_no_store_takes(daemon: Life) -> None:
    """Inbound is never refused: what cannot be stored is mended."""
    async with daemon.client() as client:
        for text, stored in (("a\0b", "a\ufffdb"), ("\udc00", "\ufffd"), ("z" * 70_000, "z" * 65_536)):
            seen = (await client.daemon_status()).last_event_seq
            await client.simulator_inject("vendas", ANA, text=text)
            came = await until(client, lambda _: True, after=seen, types=["message.received"])
            assert came["data"]["text_content"] == stored


async def test_recipients(daemon: Life) -> None:
    async with daemon.client() as client:
        for to in (
            "",
            "ana",
            "12",
            "+",
            "0" * 11,
            "55119" * 9,
            "a@s.whatsapp.net",
            "1@example.com",
            "5511987654321\0",
            "١٢٣٤٥٦٧٨",
        ):
            await refused(client, "invalid", "message.send", session="vendas", to=to, text="x")
        failed_before = (await client.session_get("vendas")).total_messages_failed
        unknown = await client.message_send("vendas", "5511900000000", text="x", message_id="nobody")
        assert unknown.status == "queued"
        await until_all(client, "vendas", {"nobody"}, "failed")
        failed = await client.message_get("vendas", "nobody")
        assert failed.error is not None
        assert failed.error.kind == "not_on_whatsapp"
        assert (await client.session_get("vendas")).total_messages_failed == failed_before + 1


async def test_times_cursors_and_searches(daemon: Life) -> None:
    async with daemon.client() as client:
        for since in ("yesterday", "15", "99999999999d", "2026-13-01", "-1h"):
            await refused(client, "invalid", "message.list", since=since)
        for cursor in ("abc", "-1", "9" * 40, "١"):
            assert "cursor" in await refused(client, "invalid", "message.list", cursor=cursor)
        await client.session_create("mute", start=False)
        for search in ("", " ", '"', "*", "a*b", "NEAR(", "text_content:x", "\0", "((", "\ud800", "x" * 256):
            assert (await client.message_list(session="mute", search=search)).results == []
        assert (
            await client.message_list(session="mute", since="0001-01-01", until="9999-12-31T23:59:59Z")
        ).next is None
