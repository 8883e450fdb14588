"""The link as the session actor opens it: gateways elsewhere with a token, and what is told of settings."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from pombal.actors.tree import ActorTree
from pombal.config.settings import WebSettings
from pombal.link.base import LinkContext, LinkLost, Outgoing, Ready
from pombal.link.web import WebLinks, check_session_settings
from pombal.link.web import settings as settings_module
from pombal.link.web.settings import told_settings
from pombal.model.errors import Kind, PombalError
from pombal.model.message import MessageType
from tests.fakes.gateway import FakeGateway
from tests.fakes.shelf import MemoryShelf
from tests.fakes.whatsapp import tls
from tests.link.web.world import events_until

ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
WAIT_S = 120.0


def context(**settings: Any) -> LinkContext:
    return LinkContext(ID, "vendas", "5511911110000", None, "Vendas", settings)


@asynccontextmanager
async def links(path: Path, **web: Any) -> AsyncIterator[WebLinks]:
    room = WebLinks(WebSettings.model_validate(web), MemoryShelf(), ActorTree(), path / "run", path / "web", os.environ)
    with trio.fail_after(WAIT_S):
        async with trio.open_nursery() as nursery:
            await nursery.start(room.run)
            yield room
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def elsewhere(gateway: FakeGateway) -> AsyncIterator[str]:
    """The gateway on a TCP port of loopback; its URL."""
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, gateway.serve_stream, 0, host="127.0.0.1"))
        yield f"ws://127.0.0.1:{listeners[0].socket.getsockname()[1]}/far"
        nursery.cancel_scope.cancel()


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.touch(0o600)
    path.write_text("s3cret\n")
    return path


async def test_a_gateway_elsewhere_with_a_token(tmp_path: Path, token_file: Path) -> None:
    gateway = FakeGateway()
    gateway.token = "s3cret"
    async with (
        elsewhere(gateway) as url,
        links(tmp_path, gateway_url=url, gateway_token_file=str(token_file)) as room,
    ):
        async with room.open(context()) as link:
            assert Ready() in await events_until(link, 2)
            await link.send(Outgoing("L1", "c", None, MessageType.TEXT, "oi"))
        assert gateway.session(ID).sent
        assert gateway.paths == [f"/far/v1/sessions/{ID}"]
        await gateway.session(ID).until(lambda: gateway.session(ID).closed_with == [1000])
        token_file.write_text("another")
        with pytest.raises(LinkLost, match="refuses our token"):
            async with room.open(context()):
                pass
        token_file.chmod(0o644)
        with pytest.raises(LinkLost, match="is open to others"):
            async with room.open(context()):
                pass


@pytest.mark.parametrize("content", [None, "", "two words", "näo"])
async def test_a_token_file_without_a_token(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.touch(0o600)
        path.write_text(content)
    async with links(tmp_path, gateway_url="ws://127.0.0.1:9", gateway_token_file=str(path)) as room:
        with pytest.raises(LinkLost, match="gateway_token_file"):
            async with room.open(context()):
                pass


async def test_a_session_s_own_gateway_comes_first(tmp_path: Path) -> None:
    gateway = FakeGateway()
    async with (
        elsewhere(gateway) as url,
        links(tmp_path, gateway_url="ws://127.0.0.1:9") as room,
        room.open(context(gateway_url=url)) as link,
    ):
        await link.probe()


async def test_nobody_there(tmp_path: Path) -> None:
    with trio.socket.socket() as free:
        await free.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{free.getsockname()[1]}"
        async with links(tmp_path, gateway_url=url) as room:
            with pytest.raises(LinkLost, match="cannot be reached"):
                async with room.open(context()):
                    pass


async def test_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority_file, context_of_server = tls.make(tmp_path, "localhost")
    gateway = FakeGateway()

    async def serve(stream: trio.SocketStream) -> None:
        await gateway.serve_stream(trio.SSLStream(stream, context_of_server, server_side=True, https_compatible=True))

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        url = f"wss://localhost:{listeners[0].socket.getsockname()[1]}"
        async with links(tmp_path, gateway_url=url) as room:
            with pytest.raises(LinkLost, match=r"cannot be reached: .*certificate"):
                async with room.open(context()):
                    pass
            monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
            async with room.open(context()) as link:
                await link.probe()
        nursery.cancel_scope.cancel()


async def test_a_daemon_that_stops_says_that_it_comes_back(tmp_path: Path) -> None:
    gateway = FakeGateway()
    async with elsewhere(gateway) as url, links(tmp_path, gateway_url=url) as room:
        async with room.open(context()):
            room.going_away()
        await room.stop()
        await gateway.session(ID).until(lambda: gateway.session(ID).closed_with == [1001])


async def test_the_hello_says_for_whom(tmp_path: Path) -> None:
    gateway = FakeGateway()
    async with elsewhere(gateway) as url, links(tmp_path, gateway_url=url, proxy="http://proxy:3128") as room:
        async with room.open(context(messages_per_second=2)):
            pass
        async with room.open(context(proxy="socks5://own:1080")):
            pass
    first, second = gateway.session(ID).hellos
    assert (first.session.id, first.session.identity, first.session.device_name) == (ID, "5511911110000", "Vendas")
    assert first.session.settings == {"login_timeout_s": 30.0, "qr_rounds": 3, "proxy": "http://proxy:3128"}
    assert second.session.settings["proxy"] == "socks5://own:1080"


async def test_before_the_room_runs(tmp_path: Path) -> None:
    room = WebLinks(WebSettings(), MemoryShelf(), ActorTree(), tmp_path / "run", tmp_path / "web", os.environ)
    with pytest.raises(LinkLost, match="still starting"):
        async with room.open(context()):
            pass
    room.forget(ID)
    room.sweep({ID})


async def test_stopping_waits_for_the_links_and_ends_the_gateways(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fakes.gateway"]
    async with links(tmp_path, gateway_command=command, start_timeout_s=WAIT_S) as room, trio.open_nursery() as nursery:
        may_close, is_open = trio.Event(), trio.Event()

        async def use() -> None:
            async with room.open(context()):
                is_open.set()
                await may_close.wait()

        nursery.start_soon(use)
        await is_open.wait()
        nursery.start_soon(room.stop)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert list((tmp_path / "run").iterdir()) != []
        may_close.set()
    assert list((tmp_path / "run").iterdir()) == []


# Settings


def test_what_a_gateway_is_told() -> None:
    web = WebSettings(qr_rounds=5, login_timeout_s=7.0)
    assert told_settings({"burst": 3, "gateway_url": "wss://x"}, web) == {"qr_rounds": 5, "login_timeout_s": 7.0}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {"color": 1},
            "settings.color: unknown to the link web; it knows burst, gateway_url",
        ),
        ({"proxy": 7}, "settings.proxy: Input should be a valid string"),
        ({"proxy": "http://me:secret@host"}, "settings.proxy: must be http://host:port"),
        ({"burst": 0}, "settings.burst: Input should be greater than or equal to 1"),
        ({"messages_per_second": True}, "settings.messages_per_second"),
    ],
)
def test_settings_that_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(PombalError) as refused:
        check_session_settings(settings, WebSettings())
    assert refused.value.kind == Kind.INVALID
    assert says in refused.value.message
    assert "secret" not in refused.value.message


@pytest.mark.parametrize(
    ("web", "own", "is_fine"),
    [
        ({}, {}, False),
        ({"gateway_command": ["gateway"]}, {}, True),
        ({"gateway_url": "wss://gateway"}, {}, True),
        ({}, {"gateway_url": "wss://gateway"}, True),
    ],
)
def test_without_neonize(
    monkeypatch: pytest.MonkeyPatch, web: dict[str, Any], own: dict[str, Any], is_fine: bool
) -> None:
    monkeypatch.setattr(settings_module, "has_own_gateway", lambda: False)
    settings = WebSettings.model_validate(web)
    if is_fine:
        check_session_settings(own, settings)
        return
    with pytest.raises(PombalError, match=r"pip install 'pombal\[web\]'") as refused:
        check_session_settings(own, settings)
    assert refused.value.kind == Kind.UNSUPPORTED
