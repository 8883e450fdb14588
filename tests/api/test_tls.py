"""TLS by certificate files: offered, renewed while the server runs, and refused clearly where they do not fit."""

import ssl
from pathlib import Path

import httpx2
import pytest
import trio

from pombal.api import connection
from pombal.api.server import HttpServer
from pombal.config.errors import StartRefused
from pombal.config.settings import HttpSettings
from tests.api import certificates
from tests.api.conftest import Serve
from tests.api.hostile import UPGRADE, WAIT_S, Raw, echo, frame, raw, until


@pytest.fixture(autouse=True)
def _no_long_goodbyes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LINGER_S", 0.1)


@pytest.fixture
def files(tmp_path: Path) -> certificates.Files:
    return certificates.make(tmp_path, "first")


def settings_of(files: certificates.Files) -> dict[str, str]:
    return {"tls_certificate": str(files.certificate), "tls_key": str(files.key)}


async def post(url: str, trusted: Path) -> tuple[int, str, str]:
    """(status, body, HTTP version)"""
    context = ssl.create_default_context(cafile=trusted)
    async with httpx2.AsyncClient(verify=context, timeout=WAIT_S) as http:
        answer = await http.post(url, content=b"x" * 100_000)
    return answer.status_code, answer.text, answer.http_version


async def test_requests(serving: Serve, files: certificates.Files) -> None:
    async with serving(echo, **settings_of(files)) as served:
        assert served.url.startswith("https://127.0.0.1:")
        assert await post(served.url, files.certificate) == (200, "x" * 100_000, "HTTP/1.1")
        await until(lambda: served.server.connections == 0)


async def test_http_1_1_alone_is_negotiated(serving: Serve, files: certificates.Files) -> None:
    context = ssl.create_default_context(cafile=files.certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with serving(echo, **settings_of(files)) as served:
        stream = await trio.open_ssl_over_tcp_stream(*served.address, ssl_context=context)
        await stream.do_handshake()
        assert stream.selected_alpn_protocol() == "http/1.1"
        client = Raw(stream)
        await client.say(UPGRADE + b"\r\n")
        await client.until(b"\r\n\r\n")
        await client.say(frame(b"x" * 70_000))
        assert await client.frame() == (1, b"x" * 70_000)
        await client.say(frame(b"close"))
        assert (await client.frame())[0] == 8
        await client.rest()
        await trio.aclose_forcefully(stream)
        await until(lambda: served.server.connections == 0)


@pytest.mark.parametrize("request_", [b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", UPGRADE + b"\r\n"])
async def test_a_client_that_ends_the_encryption_in_order(
    serving: Serve, files: certificates.Files, request_: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """OpenSSL's own clients, asyncio's among them, answer our close_notify with theirs (RFC 8446, 6.1)."""
    context = ssl.create_default_context(cafile=files.certificate)
    async with serving(echo, **settings_of(files)) as served:
        stream = await trio.open_ssl_over_tcp_stream(*served.address, ssl_context=context)
        client = Raw(stream)
        await client.say(request_)
        await client.until(b"\r\n\r\n")
        if request_.startswith(UPGRADE):
            await client.say(frame(b"close"))
            assert (await client.frame())[0] == 8
        transport, _ = await stream.unwrap()
        with trio.fail_after(WAIT_S):
            assert await transport.receive_some(1) == b""  # closed, and not left to the garbage collector
        await transport.aclose()
        await until(lambda: served.server.connections == 0)
    assert "crashed" not in capsys.readouterr().out


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x00", b""])
async def test_what_is_no_handshake_is_closed(serving: Serve, files: certificates.Files, said: bytes) -> None:
    async with serving(echo, header_timeout_s=0.2, **settings_of(files)) as served, raw(served.address) as client:
        await client.say(said)
        assert not (await client.rest()).startswith(b"HTTP")
        await until(lambda: served.server.connections == 0)
        assert (await post(served.url, files.certificate))[0] == 200


async def test_a_renewed_certificate_is_for_connections_to_come(serving: Serve, files: certificates.Files) -> None:
    async with serving(echo, **settings_of(files)) as served:
        context = ssl.create_default_context(cafile=files.certificate)
        async with httpx2.AsyncClient(verify=context, timeout=WAIT_S) as http:
            assert (await http.post(served.url, content=b"before")).text == "before"
            certificates.make(files.certificate.parent, "second")
            served.server.reload_certificate()
            assert (await post(served.url, files.certificate))[0] == 200
            assert (await http.post(served.url, content=b"after")).text == "after"  # the same connection
        files.key.write_text("none")
        with pytest.raises(StartRefused, match="tls_certificate"):
            served.server.reload_certificate()
        assert (await post(served.url, files.certificate))[0] == 200


@pytest.mark.parametrize("broken", ["certificate", "key", "pair"])
async def test_files_that_do_not_fit(tmp_path: Path, files: certificates.Files, broken: str) -> None:
    if broken == "certificate":
        files.certificate.unlink()
    elif broken == "key":
        files.key.write_text("nonsense")
    else:
        (tmp_path / "other").mkdir()
        files.key = certificates.make(tmp_path / "other", "other").key
    server = HttpServer(echo, HttpSettings(**settings_of(files)))  # type: ignore[arg-type]
    with pytest.raises(StartRefused, match=r"cannot use the certificate .* with the key .*: .*; set \[http\]"):
        await server.serve("127.0.0.1:0")
