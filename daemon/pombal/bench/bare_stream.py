"""A bare trio server, in a process of its own: frames as large as the daemon's, to as many clients, at the same rate.

What remains in its lateness is the kernel, and the clients. Run as ``python -m pombal.bench.bare_stream``.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import trio

from pombal.api.frames import text_frame
from pombal.bench.running import BenchmarkFailed

_READ_BYTES = 65_536
BATCHES_PER_S = 100
_AS_LARGE_AS_AN_EVENT = 1000


@asynccontextmanager
async def bare_stream(clients: int, rate: float, batches_per_s: int = BATCHES_PER_S) -> AsyncIterator[int]:
    """The port of one that begins to send once so many clients are there. rate: events a second.

    batches_per_s: how often it sends what has come; as often as events come, each goes alone.
    """
    command = [sys.executable, "-m", __name__, str(clients), str(rate), str(batches_per_s)]
    process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
    try:
        yield int(await _line(process))
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


async def _line(process: trio.Process) -> bytes:
    """The first line that it says. Raises BenchmarkFailed where it ends before."""
    line = b""
    while not line.endswith(b"\n"):
        more = await process.stdout.receive_some(1) if process.stdout else b""
        if not more:
            raise BenchmarkFailed("the bare server did not start")
        line += more
    return line


async def _serve(clients: int, rate: float, batches_per_s: int) -> None:
    streams: list[trio.SocketStream] = []
    everybody = trio.Event()

    async def accept(stream: trio.SocketStream) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += await stream.receive_some(_READ_BYTES)
        await stream.send_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        streams.append(stream)
        if len(streams) == clients:
            everybody.set()
        await trio.sleep_forever()

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    sys.stdout.write(f"{listeners[0].socket.getsockname()[1]}\n")
    sys.stdout.flush()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, accept, listeners)
        await everybody.wait()
        await _send(streams, rate, batches_per_s)


async def _send(streams: list[trio.SocketStream], rate: float, batches_per_s: int) -> None:
    several = max(1, round(rate / batches_per_s))
    seq, next_at = 0, trio.current_time()
    while True:
        at = datetime.now().astimezone().isoformat(timespec="milliseconds")
        events = b",".join(_event(seq + number, at) for number in range(several))
        seq += several
        frame = text_frame(b'{"type":"events","events":[' + events + b"]}")
        for stream in streams:
            await stream.send_all(frame)
        next_at += several / rate
        await trio.sleep_until(next_at)


def _event(seq: int, at: str) -> bytes:
    shown = {"seq": seq, "type": "message.received", "session": "s0", "owner": "bench", "at": at}
    data = {"received_at": at, "text_content": "x" * _AS_LARGE_AS_AN_EVENT}
    return json.dumps({**shown, "data": data}, separators=(",", ":")).encode()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clients", type=int)
    parser.add_argument("rate", type=float)
    parser.add_argument("batches_per_s", type=int)
    options = parser.parse_args()
    trio.run(_serve, options.clients, options.rate, options.batches_per_s)
