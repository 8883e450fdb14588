"""A daemon among strangers: whatever they do to its HTTP address, its sessions go on, and its memory does not."""

import httpx2
import psutil  # type: ignore[import-untyped]
import trio

from pombal.control.client import Client
from tests.api.hostile import GET_ROOT, raw
from tests.daemon.harness import WAIT_S, Home, Running, ready_session, until_all

IDLE = 1000
# Beyond what a thousand connections may cost (some tens of kilobytes each), less than what they sent.
GROWTH_MAX_BYTES = 128 * 1_048_576


async def works(client: Client, name: str) -> None:
    """A message goes out and is read."""
    await client.message_send("vendas", "5511999999999", text=name, message_id=name)
    await until_all(client, "vendas", {name}, "read")


def crashes(daemon: Running) -> list[str]:
    """What its own faults say, the last line of each."""
    found = daemon.logged("http connection crashed") + daemon.logged("request crashed")
    return [entry["exception"] for entry in found]


def where(daemon: Running) -> tuple[str, int]:
    host, _, port = daemon.url.removeprefix("http://").rpartition(":")
    return host, int(port)


async def test_a_thousand_idle_connections(home: Home) -> None:
    """Some say nothing, some half of a request, some half of a body, some do not read. When each has to go, see
    tests/api/test_hostile.py.
    """
    async with home.daemon() as daemon, daemon.client() as client:
        await ready_session(client)
        process = psutil.Process(daemon.pid)
        before = process.memory_info().rss
        said = (
            b"",
            b"GET / HT",
            b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"y" * 20_000,
            b"POST /api/v1/whatsapp/send/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"z" * 50_000,
            GET_ROOT * 20,
        )
        streams = []
        try:
            for number in range(IDLE):
                streams.append(await trio.open_tcp_stream(*where(daemon)))
                await streams[-1].send_all(said[number % len(said)])
            await works(client, "among-them")
            async with httpx2.AsyncClient(base_url=daemon.url, timeout=WAIT_S) as http:
                assert (await http.get("/api/v1/health/")).status_code == 200
            assert process.memory_info().rss - before < GROWTH_MAX_BYTES
        finally:
            for stream in streams:
                await trio.aclose_forcefully(stream)
        await works(client, "after-them")
        await daemon.stop()
        assert not crashes(daemon), "\n".join(crashes(daemon)[:2])


async def test_floods(home: Home) -> None:
    """Bodies, headers and frames without end, and answers that nobody reads, while a session goes on."""
    home.configure({"http": {"bind": "127.0.0.1:0", "write_timeout_s": 1}})
    async with home.daemon() as daemon, daemon.client() as client:
        await ready_session(client)
        process = psutil.Process(daemon.pid)
        before = process.memory_info().rss
        async with trio.open_nursery() as nursery:
            chunked = b"POST /api/v1/whatsapp/send/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            for head, more in (
                (chunked, b"10000\r\n" + b"x" * 65_536 + b"\r\n"),
                (b"GET / HTTP/1.1\r\nHost: x\r\n", b"A: b\r\n" * 10_000),
                (b"", b"\x00\xff" * 10_000),
                (GET_ROOT, GET_ROOT * 1000),
            ):
                for _ in range(3):
                    nursery.start_soon(_flood, daemon, head, more)
            for number in range(3):
                await works(client, f"flooded-{number}")
        assert process.memory_info().rss - before < GROWTH_MAX_BYTES
        await works(client, "dry-again")
        await daemon.stop()
        assert not crashes(daemon), "\n".join(crashes(daemon)[:2])


async def _flood(daemon: Running, head: bytes, more: bytes) -> None:
    """Until the daemon has had enough."""
    async with raw(where(daemon)) as client:
        try:
            await client.say(head)
            while True:
                await client.say(more)
        except trio.BrokenResourceError:
            return
