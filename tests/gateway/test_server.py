"""The server: greeting, refusing, replaying, superseding, and what nonsense does to it (nothing)."""

import fcntl
import hashlib
import json
import shutil
import ssl
from pathlib import Path

import pytest
import trio
from trio_websocket import wrap_client_stream

from pombal.gateway import listening, session
from pombal.gateway.client import Begun
from pombal.gateway.listening import Unusable
from pombal.gateway.options import Listen, Options
from pombal.gateway.server import Server
from pombal.link import base
from pombal.link.wire import CloseCode
from pombal.link.wire import frames as wire
from pombal.link.wire.commands import HasMedia, MediaTaken, Probe
from tests.gateway.driving import Line, connected
from tests.gateway.fake_client import FakeFactory
from tests.gateway.hosting import Hosted, hosted
from tests.gateway.protos import SHA256, e2e, file_fields, message_event

TOKEN = "a-token-of-sufficient-length"
HANDSHAKE = (
    b" HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)


def heard(line: Line, kind: type) -> bool:
    return any(isinstance(each, kind) for each in line.heard)


async def refused(line: Line) -> wire.Refused:
    """A refusal, and the code that it is closed with."""
    await line.until_closed()
    (refusal,) = [each for each in line.heard if isinstance(each, wire.Refused)]
    return refusal


def write(on: Hosted, number: int) -> None:
    """A contact writes; as WhatsApp's client calls it, in a thread."""
    on.factory.last.callbacks.message(message_event(e2e.Message(conversation=f"m{number}"), link_id=f"id-{number}"))


async def test_hello_says_who_we_are_and_what_we_can(tmp_path: Path) -> None:
    async with hosted(tmp_path, max_unacknowledged=500) as on, on.line() as line:
        assert line.hello is not None
        assert line.hello.gateway.startswith("pombal-web ")
        assert (line.hello.deduplicates, line.hello.max_unacknowledged) == (True, 500)
        await line.until(lambda: heard(line, wire.Facts))


async def test_a_client_that_takes_no_ids_of_ours_is_no_one_to_repeat_sends_to(tmp_path: Path) -> None:
    factory = FakeFactory()
    factory.fixes_ids = False
    async with hosted(tmp_path, factory) as on, on.line() as line:
        assert line.hello is not None
        assert line.hello.deduplicates is False


async def test_another_version_is_refused_in_words(tmp_path: Path) -> None:
    async with hosted(tmp_path) as on, connected(on.socket, "s1") as line:
        await line.say(
            json.dumps({"type": "hello", "protocol": 2, "daemon": "9", "session": {"id": "s1", "name": "x"}})
        )
        refusal = await refused(line)
        assert refusal.kind == "protocol_version"
        assert "2" in refusal.detail
        assert line.closed == CloseCode.PROTOCOL_VERSION
        assert not (tmp_path / "web/s1").exists()


@pytest.mark.parametrize(
    "first",
    [
        "no json",
        "[]",
        json.dumps({"type": "hello"}),
        json.dumps({"type": "ack", "seq": 1}),
        json.dumps({"type": "hello", "protocol": 1, "daemon": "9", "session": {"id": "s2", "name": "x"}}),
        b"\0\0\0\0x",
    ],
)
async def test_a_greeting_that_is_none_is_refused(tmp_path: Path, first: str | bytes) -> None:
    async with hosted(tmp_path) as on:
        async with connected(on.socket, "s1") as line:
            await line.say(first)
            assert (await refused(line)).kind == "invalid"
            assert line.closed == CloseCode.GARBAGE
        async with on.line():
            pass


@pytest.mark.parametrize("name", ["../x", "a%2fb", "", "x" * 65])
async def test_there_are_no_other_paths(tmp_path: Path, name: str) -> None:
    async with hosted(tmp_path) as on, connected(on.socket, name) as line:
        assert (await refused(line)).kind == "not_found"


@pytest.mark.parametrize("nonsense", ["{", json.dumps({"type": "what"}), json.dumps({"type": "ack", "seq": 99}), b"x"])
async def test_nonsense_ends_its_connection_and_no_other(tmp_path: Path, nonsense: str | bytes) -> None:
    async with hosted(tmp_path) as on, on.line("other") as other:
        await other.event(base.Qr)
        async with on.line() as line:
            await line.event(base.Qr)
            await line.say(nonsense)
            assert await line.until_closed() == CloseCode.GARBAGE
        await other.settled()
        async with on.line() as line:
            await line.event(base.Qr)


async def test_bytes_that_are_no_http_end_their_connection_and_no_other(tmp_path: Path) -> None:
    async with hosted(tmp_path) as on, on.line() as line:
        for said in (b"\x00\xff" * 100, b"GET / HTTP/1.1\r\n\r\n", b""):
            async with await trio.open_unix_socket(on.socket) as stream:
                await stream.send_all(said)
        await line.settled()


async def test_commands_that_it_does_not_know_are_refused_and_the_connection_goes_on(tmp_path: Path) -> None:
    async with hosted(tmp_path) as on, on.line() as line:
        await line.say(json.dumps({"type": "command", "id": 7, "command": {"type": "dance"}}))
        await line.until(lambda: any("unsupported" in each for each in line.said if isinstance(each, str)))
        await line.settled()


async def test_what_was_not_acknowledged_comes_again_in_order(tmp_path: Path) -> None:
    async with hosted(tmp_path) as on:
        async with on.line(acknowledges=False) as line:
            await line.event(base.Qr)
            on.factory.last.log_in()
            for number in range(5):
                await trio.to_thread.run_sync(write, on, number)
            await line.event(base.IncomingMessage, lambda m: m.link_id == "id-4")
            second = next(each for each in line.deliveries if getattr(each.event, "link_id", "") == "id-1")
            await line.acknowledge(second.seq)
            await line.settled()
            last = next(each.seq for each in line.deliveries if getattr(each.event, "link_id", "") == "id-4")
        async with on.line() as line:
            await line.event(base.Ready)
            messages = [each for each in line.deliveries if isinstance(each.event, base.IncomingMessage)]
            assert [each.event.link_id for each in messages] == ["id-2", "id-3", "id-4"]  # type: ignore[union-attr]
            assert messages[-1].seq == last
            await line.settled()
        async with on.line() as line:
            await line.event(base.Ready)
            assert not any(isinstance(each, base.IncomingMessage) for each in line.events)


async def test_it_tells_no_more_than_the_daemon_can_hold(tmp_path: Path) -> None:
    async with hosted(tmp_path, max_unacknowledged=3) as on, on.line(acknowledges=False) as line:
        await line.event(base.Qr)
        for number in range(6):
            await trio.to_thread.run_sync(write, on, number)
        await line.until(lambda: len(line.deliveries) == 3)
        await line.settled()
        assert len(line.deliveries) == 3
        await line.acknowledge(line.deliveries[-1].seq)
        await line.until(lambda: len(line.deliveries) == 6)


async def test_a_newer_connection_takes_the_older_ones_place(tmp_path: Path) -> None:
    async with hosted(tmp_path) as on, on.line() as older, on.line() as newer:
        assert await older.until_closed() == CloseCode.SUPERSEDED
        await newer.event(base.Qr)
        assert len(on.factory.made) == 1


async def test_a_full_gateway_says_so(tmp_path: Path) -> None:
    async with hosted(tmp_path, max_sessions=1) as on, on.line("s1"), connected(on.socket, "s2") as line:
        await line.greet("s2")
        assert (await refused(line)).kind == "unavailable"
        assert line.closed == CloseCode.UNAVAILABLE


async def test_a_process_with_many_descriptors_takes_nobody_new(tmp_path: Path) -> None:
    async with hosted(tmp_path, descriptors_max=1) as on, connected(on.socket, "s1") as line:
        await line.greet("s1")
        refusal = await refused(line)
        assert "descriptors" in refusal.detail


async def test_a_session_that_another_holds_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "LOCK_WAIT_S", 0.2)
    (tmp_path / "web/s1").mkdir(parents=True)
    async with hosted(tmp_path) as on:
        with (tmp_path / "web/s1/lock").open("w") as holder:  # nobody waits for it
            fcntl.flock(holder, fcntl.LOCK_EX)
            async with connected(on.socket, "s1") as line:
                await line.greet("s1")
                assert "holds" in (await refused(line)).detail
            monkeypatch.setattr(session, "LOCK_WAIT_S", 60.0)
            async with connected(on.socket, "s1") as line:
                await line.greet("s1")
                fcntl.flock(holder, fcntl.LOCK_UN)
                await line.event(base.Qr)


async def test_files_that_came_wait_until_they_are_taken(tmp_path: Path) -> None:
    data = b"a file" * 200_000
    digest = hashlib.sha256(data)
    fields = file_fields(mimetype="image/jpeg") | {"fileSHA256": digest.digest(), "fileLength": len(data)}
    factory = FakeFactory()
    factory.on_download = lambda _: data
    async with hosted(tmp_path, factory) as on:
        async with on.line() as line:
            await line.event(base.Qr)
            on.factory.last.log_in()
            event = message_event(e2e.Message(imageMessage=e2e.ImageMessage(**fields)))
            await trio.to_thread.run_sync(on.factory.last.callbacks.message, event)
            item = wire.MediaItem(digest.hexdigest(), len(data), "image/jpeg")
            await line.until(lambda: wire.MediaWaiting((item,)) in line.heard)
            assert await line.get(item.sha256) == data
        async with on.line() as line:  # not said to be taken: told again
            await line.until(lambda: wire.MediaWaiting((item,)) in line.heard)
            await line.ask(MediaTaken(item.sha256))
            await line.until(lambda: wire.MediaWaiting(()) in line.heard)
            assert list((tmp_path / "web/s1/received").iterdir()) == []
            await line.ask(MediaTaken(item.sha256))


async def test_a_file_that_is_not_the_one_that_was_named_is_never_given(tmp_path: Path) -> None:
    factory = FakeFactory()
    factory.on_download = lambda _: b"something else"
    async with hosted(tmp_path, factory, media_max_bytes=2000) as on, on.line() as line:
        await line.event(base.Qr)
        on.factory.last.log_in()
        image = e2e.Message(imageMessage=e2e.ImageMessage(**file_fields(mimetype="image/jpeg")))
        await trio.to_thread.run_sync(on.factory.last.callbacks.message, message_event(image))
        await line.event(base.IncomingMessage)
        too_large = e2e.Message(
            imageMessage=e2e.ImageMessage(**file_fields(mimetype="image/png") | {"fileLength": 9999})
        )
        too_large.imageMessage.fileSHA256 = bytes(32)
        await trio.to_thread.run_sync(on.factory.last.callbacks.message, message_event(too_large, link_id="b"))
        await line.settled()
        assert not heard(line, wire.MediaWaiting)
        assert SHA256.hex() not in {each.name for each in (tmp_path / "web/s1/received").iterdir()}


async def test_files_to_send_are_checked_and_kept(tmp_path: Path) -> None:
    data = bytes(range(256)) * 5_000
    sha256 = hashlib.sha256(data).hexdigest()
    async with hosted(tmp_path) as on, on.line() as line:
        for wrong in (data[:-1], data + b"x", b"y" * len(data)):
            id_ = await line.put(sha256, wrong)
            declined = await line.until(lambda id_=id_: line.answers.get(id_))  # type: ignore[misc]
            assert getattr(declined, "kind", None) == "invalid"
        assert getattr(await line.ask(HasMedia(sha256)), "has", None) is False
        id_ = await line.put(sha256, data)
        await line.until(lambda: line.answers.get(id_))
        assert getattr(await line.ask(HasMedia(sha256)), "has", None) is True
        assert (tmp_path / "web/s1/sending" / sha256).read_bytes() == data
        assert [each.name for each in (tmp_path / "web/s1/sending").iterdir()] == [sha256]


async def test_what_needs_whatsapp_is_lost_while_it_is_not_there(tmp_path: Path) -> None:
    factory = FakeFactory()
    factory.on_run = lambda each: each.say(Begun("5511"))
    async with hosted(tmp_path, factory) as on, on.line() as line:
        assert (await line.refusal(Probe())).kind == "lost"


# Doors


@pytest.mark.parametrize(
    "listen",
    [
        Listen(),
        Listen(socket=Path("/x"), host="127.0.0.1"),
        Listen(host="0.0.0.0", port=1),
        Listen(host="0.0.0.0", port=1, token_file=Path("/x")),
        Listen(host="example.org", port=1, tls_cert=Path("/x"), tls_key=Path("/x")),
        Listen(host="127.0.0.1", port=1, tls_cert=Path("/x")),
    ],
)
def test_doors_that_let_strangers_in_stay_shut(listen: Listen) -> None:
    with pytest.raises(Unusable):
        listening.check(listen)


def test_a_token_is_one_line_and_long_enough(tmp_path: Path) -> None:
    for content in (b"", b"short", b"two words of a token\n", b"\xff" * 20):
        (tmp_path / "token").write_bytes(content)
        (tmp_path / "token").chmod(0o600)
        with pytest.raises(Unusable):
            listening.token_of(Listen(token_file=tmp_path / "token"))
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    assert listening.token_of(Listen(token_file=tmp_path / "token")) == TOKEN
    (tmp_path / "token").chmod(0o644)
    with pytest.raises(Unusable, match=r"is open to others \(mode 0644\): chmod 6"):
        listening.token_of(Listen(token_file=tmp_path / "token"))


async def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    for name in ("cert", "key"):
        (tmp_path / name).write_text("")
    with pytest.raises(Unusable, match="is open to others"):
        await listening.listeners(Listen(host="127.0.0.1", tls_cert=tmp_path / "cert", tls_key=tmp_path / "key"))


async def test_a_socket_left_behind_makes_way_and_is_ours_alone(tmp_path: Path) -> None:
    for _ in range(2):
        (listener,) = await listening.listeners(Listen(socket=tmp_path / "g.sock"))
        assert (tmp_path / "g.sock").stat().st_mode & 0o777 == 0o600
        await listener.aclose()
    with pytest.raises(Unusable):
        await listening.listeners(Listen(socket=tmp_path / ("x" * 120)))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
async def test_elsewhere_it_asks_for_a_token_over_tls(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    await trio.run_process([*make, *subject, "-keyout", key, "-out", cert], capture_stderr=True)
    listen = Listen(host="127.0.0.1", port=0, tls_cert=cert, tls_key=key)
    server = Server(FakeFactory(), Options(state_dir=tmp_path / "web", listen=listen), TOKEN)
    doors = await listening.listeners(listen)
    (port,) = {each.transport_listener.socket.getsockname()[1] for each in doors}  # type: ignore[attr-defined]
    trust = ssl.create_default_context(cafile=str(cert))

    async def stream() -> trio.SSLStream[trio.SocketStream]:
        return await trio.open_ssl_over_tcp_stream("127.0.0.1", port, ssl_context=trust, https_compatible=True)

    path, authorization = "/prefix/v1/sessions/s1", (b"Authorization", b"Bearer " + TOKEN.encode())
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, doors)
        for shown in (b"", b"Authorization: Bearer wrong\r\n"):
            async with await stream() as opened:
                await opened.send_all(b"GET " + path.encode() + HANDSHAKE + shown + b"\r\n")
                assert (await opened.receive_some(64)).startswith(b"HTTP/1.1 401")
        async with await stream() as opened, trio.open_nursery() as inner:
            websocket = await wrap_client_stream(inner, opened, "localhost", path, extra_headers=[authorization])
            line = Line(websocket, acknowledges=True)
            inner.start_soon(line.read)
            await line.greet("s1")
            await line.event(base.Qr)
            inner.cancel_scope.cancel()
        nursery.cancel_scope.cancel()
