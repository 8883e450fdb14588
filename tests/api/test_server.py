"""The server on a real socket: where it listens, and how it ends."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import trio
from starlette.types import Receive, Scope, Send

from pombal.api.listening import open_sockets
from pombal.api.server import HttpServer
from pombal.config.errors import StartRefused
from pombal.config.settings import HttpSettings
from tests.api.conftest import Serve, World
from tests.api.hostile import WAIT_S


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that something else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def open_descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


async def test_a_free_port_is_told_and_answers(world: World, serving: Serve) -> None:
    async with serving(world.app()) as served, httpx2.AsyncClient(base_url=served.url, timeout=WAIT_S) as http:
        assert served.address[0] == "127.0.0.1"
        assert served.address[1] > 0
        answer = await http.get("/api/v1/health/")
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")
        assert "server" not in answer.headers
        assert (await http.get("/metrics")).status_code == 200
        assert (await http.head("/metrics")).content == b""


async def test_ipv6(world: World, serving: Serve) -> None:
    async with (
        serving(world.app(), "[::1]:0") as served,
        httpx2.AsyncClient(base_url=served.url, timeout=WAIT_S) as http,
    ):
        assert served.url.startswith("http://[::1]:")
        assert (await http.get("/metrics")).status_code == 200


async def test_an_inherited_socket_stays_open_for_the_next_server(world: World, serving: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as inherited:
        for _ in range(2):
            async with (
                serving(world.app(), f"fd://{inherited.fileno()}") as served,
                httpx2.AsyncClient(base_url=served.url, timeout=WAIT_S) as http,
            ):
                assert served.address == inherited.getsockname()
                assert (await http.get("/livez")).status_code == 200


async def test_nothing_is_left_open(world: World, serving: Serve) -> None:
    async def once() -> None:
        async with serving(world.app()) as served, httpx2.AsyncClient(base_url=served.url, timeout=WAIT_S) as http:
            await http.get("/livez")

    await once()
    before = open_descriptors()
    for _ in range(5):
        await once()
    assert open_descriptors() == before


class TestRefusals:
    async def test_a_port_in_use(self, world: World, taken: int) -> None:
        with pytest.raises(StartRefused, match=rf"cannot listen on 127\.0\.0\.1:{taken}: Address already in use; stop"):
            await HttpServer(world.app(), HttpSettings()).serve(f"127.0.0.1:{taken}")

    async def test_an_address_of_another_machine(self) -> None:
        with pytest.raises(StartRefused, match="Cannot assign requested address"):
            await open_sockets("203.0.113.9:0", may_be_reached=True)

    async def test_a_name_that_is_none(self) -> None:
        with pytest.raises(StartRefused, match=r"cannot listen on no\.such\.host\.invalid:0: "):
            await open_sockets("no.such.host.invalid:0", may_be_reached=True)

    async def test_what_is_no_address(self) -> None:
        with pytest.raises(StartRefused, match="cannot listen on '8001': it must be address:port"):
            await open_sockets("8001", may_be_reached=False)

    async def test_a_descriptor_that_is_not_open(self) -> None:
        with pytest.raises(StartRefused, match="Bad file descriptor"):
            await open_sockets("fd://100000", may_be_reached=False)

    async def test_a_descriptor_that_does_not_listen(self) -> None:
        with socket.socket() as idle, pytest.raises(StartRefused, match="no listening stream socket"):
            await open_sockets(f"fd://{idle.fileno()}", may_be_reached=False)

    @pytest.mark.parametrize(("host", "family"), [("0.0.0.0", socket.AF_INET), ("::", socket.AF_INET6)])
    async def test_a_socket_that_other_machines_can_reach(self, host: str, family: socket.AddressFamily) -> None:
        """One of systemd's, say, which no setting names: in the clear only where somebody said so."""
        with socket.create_server((host, 0), family=family) as inherited:
            with pytest.raises(StartRefused, match=rf"other machines can reach {host}:\d+.*behind_proxy = true"):
                await open_sockets(f"fd://{inherited.fileno()}", may_be_reached=False)
            (listening,) = await open_sockets(f"fd://{inherited.fileno()}", may_be_reached=True)
            listening.close()

    async def test_a_socket_of_unix_is_local(self, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as inherited:
            inherited.bind(str(tmp_path / "s"))
            inherited.listen()
            (listening,) = await open_sockets(f"fd://{inherited.fileno()}", may_be_reached=False)
            listening.close()


async def connect_until_refused(address: tuple[str, int]) -> None:
    while True:
        await (await trio.open_tcp_stream(*address)).aclose()


class TestDraining:
    async def test_a_request_in_flight_is_finished(self, world: World, serving: Serve) -> None:
        app, arrived, go_on = world.app(), trio.Event(), trio.Event()

        @app.get("/slow")
        async def slow() -> str:
            arrived.set()
            await go_on.wait()
            return "done"

        answers: list[str] = []

        async def ask(url: str) -> None:
            async with httpx2.AsyncClient(timeout=WAIT_S) as http:
                answers.append((await http.get(f"{url}/slow")).json())

        async with trio.open_nursery() as nursery, serving(app) as served:
            nursery.start_soon(ask, served.url)
            await arrived.wait()
            served.server.drain()
            with pytest.raises(OSError, match="all attempts to connect"):
                await connect_until_refused(served.address)
            go_on.set()
        assert answers == ["done"]

    async def test_a_connection_kept_alive_holds_up_nothing(self, world: World, serving: Serve) -> None:
        async with httpx2.AsyncClient(timeout=WAIT_S) as http:
            with trio.move_on_after(WAIT_S) as patience:
                async with serving(world.app(), drain_within_s=WAIT_S * 2) as served:
                    await http.get(f"{served.url}/livez")
        assert not patience.cancelled_caught

    async def test_a_request_without_end_is_cancelled(self, world: World, serving: Serve) -> None:
        app, arrived = world.app(), trio.Event()

        @app.get("/endless")
        async def endless() -> None:
            arrived.set()
            await trio.sleep_forever()

        with trio.fail_after(WAIT_S):
            async with serving(app, drain_within_s=0.05) as served:
                stream = await trio.open_tcp_stream(*served.address)
                await stream.send_all(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
                await arrived.wait()
            await stream.aclose()
        assert world.counted == []

    async def test_a_client_that_never_reads_is_given_up(self, serving: Serve) -> None:
        async def endless(scope: Scope, receive: Receive, send: Send) -> None:
            assert scope["type"] == "http"
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while True:
                await send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": True})

        with trio.move_on_after(WAIT_S) as patience:
            async with serving(endless, drain_within_s=0.1) as served:
                stream = await trio.open_tcp_stream(*served.address)
                await stream.send_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
                await stream.receive_some(1)
            await stream.aclose()
        assert not patience.cancelled_caught

    async def test_an_application_that_fails_ends_nothing(self, serving: Serve) -> None:
        async def failing(scope: Scope, receive: Receive, send: Send) -> None:
            raise RuntimeError("broken")

        async with serving(failing) as served, httpx2.AsyncClient(base_url=served.url, timeout=WAIT_S) as http:
            assert [(await http.get("/")).status_code for _ in range(2)] == [500, 500]

    @pytest.mark.parametrize("garbage", [b"\x00\xff\xfe\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET " + b"x" * 100_000])
    async def test_garbage_ends_nothing(self, world: World, serving: Serve, garbage: bytes) -> None:
        async with serving(world.app()) as served, httpx2.AsyncClient(base_url=served.url, timeout=WAIT_S) as http:
            async with await trio.open_tcp_stream(*served.address) as stream:
                await stream.send_all(garbage)
                assert (await stream.receive_some(4096))[:10] in (b"HTTP/1.1 4", b"HTTP/1.1 5")
            assert (await http.get("/livez")).status_code == 200
