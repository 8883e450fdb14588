"""WebSockets as RFC 6455 has them, and as strangers have them: a fault has its close code, and ends the connection."""

import json
import zlib

import pytest
import trio

from pombal.api import connection
from pombal.api.frames import text_frame
from tests.api.conftest import Serve
from tests.api.hostile import UPGRADE, Raw, answers, echo, frame, raw, until, websocket

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


@pytest.fixture(autouse=True)
def _no_long_goodbyes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LINGER_S", 0.1)


def code(payload: bytes) -> int:
    return int.from_bytes(payload[:2])


async def closed_with(client: Raw) -> int:
    """The code of the close that comes next; the connection ends behind it."""
    opcode, payload = await client.frame()
    assert opcode == CLOSE
    await client.rest()
    return code(payload)


class TestFrames:
    @pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 300_000])
    async def test_there_and_back(self, serving: Serve, size: int) -> None:
        async with serving(echo) as served, websocket(served.address) as client:
            await client.say(frame(b"x" * size))
            assert await client.frame() == (TEXT, b"x" * size)

    @pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
    def test_our_own_encoding_is_the_library_s(self, size: int) -> None:
        from wsproto.connection import Connection, ConnectionType
        from wsproto.events import TextMessage

        theirs = Connection(ConnectionType.SERVER).send(TextMessage("x" * size))
        assert text_frame(b"x" * size) == theirs

    async def test_a_message_in_pieces_with_a_ping_between(self, serving: Serve) -> None:
        async with serving(echo) as served, websocket(served.address) as client:
            await client.say(frame("Olá".encode()[:3], final=False))
            await client.say(frame(b"?", PING))
            await client.say(frame("Olá".encode()[3:] + b"!", opcode=0))
            assert await client.frame() == (PONG, b"?")
            assert await client.frame() == (TEXT, "Olá!".encode())

    async def test_compression_is_not_negotiated(self, serving: Serve) -> None:
        async with serving(echo) as served, raw(served.address) as client:
            await client.say(UPGRADE + b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n")
            assert b"extensions" not in (await client.until(b"\r\n\r\n")).lower()
            await client.say(frame(zlib.compress(b"x"), bits=0x40))
            assert await closed_with(client) == 1002

    async def test_a_client_closes(self, serving: Serve) -> None:
        async with serving(echo) as served, websocket(served.address) as client:
            await client.say(frame((1000).to_bytes(2), CLOSE))
            assert await closed_with(client) == 1000
            await until(lambda: served.server.connections == 0)

    async def test_we_close(self, serving: Serve) -> None:
        async with serving(echo) as served, websocket(served.address) as client:
            await client.say(frame(b"close"))
            opcode, payload = await client.frame()
            assert (opcode, code(payload), payload[2:]) == (CLOSE, 4000, b"as you say")
            await client.say(frame(payload[:2], CLOSE))
            await client.rest()
            await until(lambda: served.server.connections == 0)

    async def test_our_close_ends_with_the_client_s_answer(
        self, serving: Serve, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """And not with the time that a client gets which gives none."""
        monkeypatch.setattr(connection, "LINGER_S", 3600)
        async with serving(echo) as served, websocket(served.address) as client:
            await client.say(frame(b"close") + frame(b"on its way") + frame((4000).to_bytes(2), CLOSE))
            await until(lambda: served.server.connections == 0)


class TestFaults:
    @pytest.mark.parametrize(
        ("said", "told"),
        [
            (frame(b"x", masked=False), 1002),
            (frame(b"x", opcode=3), 1002),
            (frame(b"x", bits=0x20), 1002),
            (frame(b"x" * 126, PING), 1002),
            (frame(b"x", opcode=0), 1002),
            (frame(b"x", PING, final=False), 1002),
            (frame(b"\xff\xfe"), 1007),
            (frame(b"x" * 2000), 1009),
            (frame(b"x" * 900, final=False) + frame(b"x" * 900, opcode=0), 1009),
        ],
    )
    async def test_each_has_its_code(self, serving: Serve, said: bytes, told: int) -> None:
        async with serving(echo, frame_max_bytes=1024) as served, websocket(served.address) as client:
            await client.say(said)
            assert await closed_with(client) == told
            await until(lambda: served.server.connections == 0)

    async def test_a_frame_without_end(self, serving: Serve) -> None:
        """What it announces is not waited for, and not held in memory."""
        async with serving(echo, frame_max_bytes=100_000) as served, websocket(served.address) as client:
            await client.say(bytes((0x81, 0xFF)) + (2**40).to_bytes(8) + b"\0\0\0\0")
            with pytest.raises(trio.BrokenResourceError):
                while True:
                    await client.say(b"x" * 10_000)
            await until(lambda: served.server.connections == 0)

    async def test_talk_after_the_close(self, serving: Serve) -> None:
        async with serving(echo) as served:
            async with websocket(served.address) as client:
                await client.say(frame(b"", CLOSE) * 3 + frame(b"more") * 1000)
                assert (await client.frame())[0] == CLOSE
            await until(lambda: served.server.connections == 0)
            async with websocket(served.address) as another:
                await another.say(frame(b"well?"))
                assert await another.frame() == (TEXT, b"well?")

    @pytest.mark.parametrize(
        "without", [b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b"Sec-WebSocket-Version: 13\r\n"]
    )
    async def test_half_a_handshake(self, serving: Serve, without: bytes) -> None:
        async with serving(echo) as served, raw(served.address) as client:
            await client.say(UPGRADE.replace(without, b"") + b"\r\n")
            [(status, body)] = answers(await client.rest())
            assert (status, json.loads(body)["status"]) == (400, 400)
            await until(lambda: served.server.connections == 0)

    async def test_frames_before_the_handshake_is_answered(self, serving: Serve) -> None:
        async with serving(echo) as served, raw(served.address) as client:
            await client.say(UPGRADE + b"\r\n" + frame(b"early"))
            assert (await client.rest()).startswith(b"HTTP/1.1 400 ")
            await until(lambda: served.server.connections == 0)


class TestLife:
    async def test_a_quiet_client_is_pinged_and_stays_while_it_answers(self, serving: Serve) -> None:
        async with (
            serving(echo, heartbeat_s=0.02, stream_timeout_s=60) as served,
            websocket(served.address) as client,
        ):
            for _ in range(10):
                opcode, payload = await client.frame()
                assert opcode == PING
                await client.say(frame(payload, PONG))
            assert served.server.connections == 1

    async def test_one_that_does_not_answer_is_taken_for_gone(self, serving: Serve) -> None:
        async with (
            serving(echo, heartbeat_s=0.02, stream_timeout_s=1.0) as served,
            websocket(served.address) as client,
        ):
            assert {opcode for opcode, _ in [await client.frame() for _ in range(3)]} == {PING}
            await until(lambda: served.server.connections == 0)

    async def test_one_that_takes_nothing_is_given_up(self, serving: Serve) -> None:
        async with serving(echo, stream_timeout_s=0.2) as served, websocket(served.address) as client:
            with pytest.raises(trio.BrokenResourceError):
                while True:
                    await client.say(frame(b"x" * 100_000))
            await until(lambda: served.server.connections == 0)

    async def test_a_flood_of_pings_is_read_no_faster_than_it_is_answered(self, serving: Serve) -> None:
        async with serving(echo) as served, websocket(served.address) as client:
            with trio.move_on_after(0.5) as patience:
                while True:
                    await client.say(frame(b"x" * 100, PING) * 1000)
            assert patience.cancelled_caught
            assert served.server.connections == 1
