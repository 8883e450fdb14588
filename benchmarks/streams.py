"""From commit to client: how late events are on WebSockets, beside a bare trio server that sends the same frames.

    python -m benchmarks.streams [--seconds 30] [--stall-s 60]

The daemon runs as a process, with simulated sessions that receive at a steady rate; all clients run in this process.
How late an event is: the wall clock when its frame has been read, less the event's own `at`, which is stamped in the
transaction right before its COMMIT, in whole milliseconds. The database lies in memory (/dev/shm), for what the disk
takes is another figure. The bare server stamps each frame when it makes it, and writes it to one client after the
other: what remains then is the kernel, and these clients.
"""

import argparse
import json
import math
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import trio

from pombal.api.frames import text_frame
from pombal.control.client import Client, connect

SESSIONS = 5
TEXT = "Bom dia! Gostaria de saber se o meu pedido já saiu para entrega, por favor 🙏"
EVENT = re.compile(rb'\{"seq":(\d+),"type":"message\.received","session":"[^"]*","owner":"[^"]*","at":"([^"]*)"')
UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {token}\r\n\r\n"
)
READ_BYTES = 65_536
WARM_UP_S = 3.0


@dataclass
class Heard:
    """What one client has heard: the numbers of the events, and how late each was (milliseconds)."""

    seqs: list[int] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)
    _rest: bytes = b""

    def take(self, data: bytes) -> None:
        now_ms = time.time() * 1000
        data = self._rest + data
        end = 0
        for found in EVENT.finditer(data):
            at_ms = datetime.fromisoformat(found[2].decode()).timestamp() * 1000
            self.seqs.append(int(found[1]))
            self.late_ms.append(now_ms - at_ms)
            end = found.end()
        self._rest = data[max(end, len(data) - 512) :]

    @property
    def is_whole(self) -> bool:
        """Every number once, in order."""
        return self.seqs == sorted(set(self.seqs))


@asynccontextmanager
async def opened(port: int, path: str, token: str) -> AsyncIterator[trio.SocketStream]:
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        await stream.send_all(UPGRADE.format(path=path, host=f"127.0.0.1:{port}", token=token).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += await stream.receive_some(1)
        assert head.startswith(b"HTTP/1.1 101"), head
        yield stream


async def listen(stream: trio.SocketStream, heard: Heard) -> None:
    while data := await stream.receive_some(READ_BYTES):
        heard.take(bytes(data))


async def listen_with_a_pause(stream: trio.SocketStream, heard: Heard, paused: trio.Event, resumed: trio.Event) -> None:
    """Hears nothing between the two."""
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen, stream, heard)
            await paused.wait()
            scope.cancel()
    await resumed.wait()
    await listen(stream, heard)


# The daemon


@dataclass
class Daemon:
    process: subprocess.Popen[bytes]
    client: Client
    port: int
    token: str

    def cpu_s(self) -> float:
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def rss_bytes(self) -> int:
        size: int = psutil.Process(self.process.pid).memory_info().rss
        return size

    async def last_seq(self) -> int:
        return (await self.client.daemon_status()).last_event_seq


def start_daemon(root: Path, rate: float, ring: int) -> subprocess.Popen[bytes]:
    """One whose sessions receive rate messages a second together, once they are started."""
    root.mkdir()
    (root / "config.toml").write_text(
        f'[daemon]\nstate_dir = "{root}"\nruntime_dir = "{root}"\n[log]\nlevel = "warning"\n'
        f'[http]\nbind = "127.0.0.1:0"\n[sessions]\ndefault_link = "simulator"\n'
        f"[events]\nring = {ring}\n"
        f"[simulator]\nenabled = true\nauto_scan_ms = 0\nconnect_ms = 1\ninbound_rate = {rate / SESSIONS}\n"
    )
    return subprocess.Popen([sys.executable, "-m", "pombal", "serve", "--config", str(root / "config.toml")])


@asynccontextmanager
async def running(root: Path, rate: float, ring: int) -> AsyncIterator[Daemon]:
    with start_daemon(root, rate, ring) as process:
        try:
            while not await trio.Path(root / "control.sock").exists():
                await trio.sleep(0.05)
            async with connect(root / "control.sock") as client:
                token = (await client.token_create("benchmark", role="admin")).token
                port = next(
                    each.laddr.port
                    for each in psutil.Process(process.pid).net_connections("tcp")
                    if each.status == psutil.CONN_LISTEN
                )
                yield Daemon(process, client, port, token)
        finally:
            process.terminate()


async def start_sessions(daemon: Daemon) -> None:
    for number in range(SESSIONS):
        await daemon.client.session_create(f"s{number}")


async def measure(root: Path, clients: int, rate: float, batch: int | None, seconds: float, stall_s: float) -> Any:
    # A small ring is full by the time that the memory is looked at, and the slow client is caught up from the store.
    async with running(root, rate, 256 if stall_s else 8192) as daemon:
        path = "/ws/whatsapp/" if batch is None else f"/ws/whatsapp/?batch={batch}"
        heard = [Heard() for _ in range(clients)]
        slow, paused, resumed = Heard(), trio.Event(), trio.Event()
        async with trio.open_nursery() as nursery:
            for each in heard:
                await nursery.start(_client, daemon.port, path, daemon.token, each)
            if stall_s:
                await nursery.start(_slow_client, daemon.port, path, daemon.token, slow, paused, resumed)
            await start_sessions(daemon)
            await trio.sleep(WARM_UP_S)
            cpu_s, began = daemon.cpu_s(), time.monotonic()
            result: dict[str, Any] = {"normal": await _window(heard, seconds)}
            result["cpu_percent"] = round(100 * (daemon.cpu_s() - cpu_s) / (time.monotonic() - began))
            recorder = (await daemon.client.daemon_status()).recorder
            result["commit_p99_ms"] = round(1000 * (recorder.commit_seconds_p99 or 0), 1)
            if stall_s:
                rss_bytes = daemon.rss_bytes()
                paused.set()
                result["one does not read"] = await _window(heard, stall_s)
                result["rss_grown_kib"] = (daemon.rss_bytes() - rss_bytes) // 1024
                behind = len(slow.seqs)
                resumed.set()
                result["one catches up"] = await _window(heard, seconds)
                result["caught_up_events"] = len(slow.seqs) - behind
            last = await daemon.last_seq()
            with trio.move_on_after(10):
                while any(each.seqs[-1] < last for each in [*heard, *([slow] if stall_s else [])]):
                    await trio.sleep(0.05)
            nursery.cancel_scope.cancel()
        everyone = [*heard, *([slow] if stall_s else [])]
        longest = max(len(each.seqs) for each in everyone)
        whole = all(each.is_whole and len(each.seqs) >= longest - rate for each in everyone)
        return {**result, "every event once, in order": whole}


async def _client(
    port: int, path: str, token: str, heard: Heard, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    async with opened(port, path, token) as stream:
        task_status.started()
        await listen(stream, heard)


async def _slow_client(
    port: int, path: str, token: str, heard: Heard, paused: trio.Event, resumed: trio.Event,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:  # fmt: skip
    async with opened(port, path, token) as stream:
        task_status.started()
        await listen_with_a_pause(stream, heard, paused, resumed)


async def _window(heard: list[Heard], seconds: float) -> dict[str, float]:
    """How late what is heard within these seconds is, over all clients together."""
    before = [len(each.late_ms) for each in heard]
    began = time.monotonic()
    await trio.sleep(seconds)
    took_s = time.monotonic() - began
    late = sorted(ms for each, start in zip(heard, before, strict=True) for ms in each.late_ms[start:])
    return {
        "events_per_s": round(len(late) / len(heard) / took_s, 1),
        "p50_ms": round(_percentile(late, 50), 1),
        "p99_ms": round(_percentile(late, 99), 1),
        "max_ms": round(late[-1], 1),
    }


def _percentile(ordered: list[float], percent: float) -> float:
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


# The bare server, in a process of its own as well


async def serve_bare(clients: int, rate: float, batch: bool) -> None:
    """Frames of the same size at the same rate, stamped when made; with batch ten times a second, several in one."""
    streams: list[trio.SocketStream] = []
    everybody = trio.Event()

    async def accept(stream: trio.SocketStream) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += await stream.receive_some(READ_BYTES)
        await stream.send_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        streams.append(stream)
        if len(streams) == clients:
            everybody.set()
        await trio.sleep_forever()

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    print(listeners[0].socket.getsockname()[1], flush=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, accept, listeners)
        await everybody.wait()
        seq, next_at = 0, trio.current_time()
        several = max(1, round(rate / 100)) if batch else 1
        while True:
            at = datetime.now().astimezone().isoformat(timespec="milliseconds")
            events = [_event(seq + number, at) for number in range(1, several + 1)]
            seq += several
            frame = text_frame(b'{"type":"events","events":[' + b",".join(events) + b"]}" if batch else events[0])
            for stream in streams:
                await stream.send_all(frame)
            next_at += several / rate
            await trio.sleep_until(next_at)


def _event(seq: int, at: str) -> bytes:
    shown = {"seq": seq, "type": "message.received", "session": "s0", "owner": "operator", "at": at}
    data = {"text_content": TEXT, "padding": "x" * 1000}  # as large as an event is
    return json.dumps({**shown, "data": data}, ensure_ascii=False, separators=(",", ":")).encode()


def start_bare(clients: int, rate: float, batch: int | None) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "benchmarks.streams", "--bare", str(clients), str(rate), str(int(bool(batch)))]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


async def measure_bare(clients: int, rate: float, batch: int | None, seconds: float) -> Any:
    with start_bare(clients, rate, batch) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        heard = [Heard() for _ in range(clients)]
        async with trio.open_nursery() as nursery:
            for each in heard:
                await nursery.start(_client, port, "/", "none", each)
            await trio.sleep(WARM_UP_S)
            result = await _window(heard, seconds)
            nursery.cancel_scope.cancel()
        process.terminate()
    return result


async def compare(options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="pombal-", dir="/dev/shm") as directory:
        root = Path(directory)
        return {
            "20 clients, 100 events/s, an event a frame": {
                "bare": await measure_bare(20, 100, None, options.seconds),
                "daemon": await measure(root / "frames", 20, 100, None, options.seconds, options.stall_s),
            },
            "50 clients, 500 events/s, in batches": {
                "bare": await measure_bare(50, 500, 100, options.seconds),
                "daemon": await measure(root / "batches", 50, 500, 100, options.seconds, 0),
            },
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--stall-s", type=float, default=60)
    parser.add_argument("--bare", nargs=3, metavar=("CLIENTS", "RATE", "BATCH"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        clients, rate, batch = options.bare
        trio.run(serve_bare, int(clients), float(rate), batch == "1")
        return
    print(json.dumps(trio.run(compare, options), indent=2))


if __name__ == "__main__":
    main()
