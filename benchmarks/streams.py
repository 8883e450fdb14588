"""From commit to client: how late events are on WebSockets, beside a bare trio server that sends the same frames.

    python -m benchmarks.streams [--seconds 30] [--stall-s 60]

`pombal bench fanout` measures the like for an operator, from the link on. Here go an event a frame as well, and beside
a client that does not read. How late an event is: the wall clock when its frame has been read, less the event's own
`at`, which is stamped in the transaction right before its COMMIT, in whole milliseconds. The database lies in memory
(/dev/shm), for what the disk takes is another figure.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import trio

from pombal.bench.bare_stream import BATCHES_PER_S, bare_stream
from pombal.bench.figures import percentile
from pombal.bench.listening import COMMITTED, Heard, listen, listening, opened, window
from pombal.bench.running import Running, Sections, running

SESSIONS = 5
WARM_UP_S = 3.0


async def listen_with_a_pause(stream: trio.SocketStream, heard: Heard, paused: trio.Event, resumed: trio.Event) -> None:
    """Hears nothing between the two."""
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen, stream, heard)
            await paused.wait()
            scope.cancel()
    await resumed.wait()
    await listen(stream, heard)


async def measure(root: Path, clients: int, rate: float, batch: int | None, seconds: float, stall_s: float) -> Any:
    # A small ring is full by the time that the memory is looked at, and the slow client is caught up from the store.
    config: Sections = {
        "events": {"ring": 256 if stall_s else 8192},
        "simulator": {"auto_scan_ms": 0, "connect_ms": 1, "inbound_rate": rate / SESSIONS},
    }
    path = "/ws/whatsapp/" if batch is None else f"/ws/whatsapp/?batch={batch}"
    slow, paused, resumed = Heard(since=COMMITTED), trio.Event(), trio.Event()
    async with running(root, config) as daemon, trio.open_nursery() as nursery:
        token = await daemon.token()
        async with listening(clients, daemon.port, path, token, COMMITTED) as heard:
            everyone = [*heard, slow] if stall_s else heard
            if stall_s:
                await nursery.start(_slow_client, daemon.port, path, token, slow, paused, resumed)
            result = await _measured(daemon, heard, seconds)
            if stall_s:
                rss_bytes = daemon.rss_bytes()
                paused.set()
                result["one does not read"] = await _window(heard, stall_s)
                result["rss_grown_kib"] = (daemon.rss_bytes() - rss_bytes) // 1024
                behind = len(slow.seqs)
                resumed.set()
                result["one catches up"] = await _window(heard, seconds)
                result["caught_up_events"] = len(slow.seqs) - behind
            await _caught_up(daemon, everyone)
        nursery.cancel_scope.cancel()
    longest = max(len(each.seqs) for each in everyone)
    whole = all(each.is_whole and len(each.seqs) >= longest - rate for each in everyone)
    return {**result, "every event once, in order": whole}


async def _measured(daemon: Running, heard: Sequence[Heard], seconds: float) -> dict[str, Any]:
    for number in range(SESSIONS):
        await daemon.client.session_create(f"s{number}")
    await trio.sleep(WARM_UP_S)
    cpu_s, began = daemon.cpu_s(), time.monotonic()
    result: dict[str, Any] = {"normal": await _window(heard, seconds)}
    result["cpu_percent"] = round(100 * (daemon.cpu_s() - cpu_s) / (time.monotonic() - began))
    recorder = (await daemon.client.daemon_status()).recorder
    return result | {"commit_p99_ms": round(1000 * (recorder.commit_seconds_p99 or 0), 1)}


async def _caught_up(daemon: Running, everyone: Sequence[Heard]) -> None:
    last = (await daemon.client.daemon_status()).last_event_seq
    with trio.move_on_after(10):
        while any(each.seqs[-1] < last for each in everyone):
            await trio.sleep(0.05)


async def _slow_client(
    port: int, path: str, token: str, heard: Heard, paused: trio.Event, resumed: trio.Event,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:  # fmt: skip
    async with opened(port, path, token) as stream:
        task_status.started()
        await listen_with_a_pause(stream, heard, paused, resumed)


async def _window(heard: Sequence[Heard], seconds: float) -> dict[str, float]:
    """How late what is heard within these seconds is, over all clients together."""
    found = await window(heard, seconds)
    return {
        "events_per_s": round(found.events_per_s, 1),
        "p50_ms": round(percentile(found.late_ms, 50), 1),
        "p99_ms": round(percentile(found.late_ms, 99), 1),
        "max_ms": round(max(found.late_ms), 1),
    }


async def measure_bare(clients: int, rate: float, batch: int | None, seconds: float) -> Any:
    batches_per_s = BATCHES_PER_S if batch else round(rate)
    async with (
        bare_stream(clients, rate, batches_per_s) as port,
        listening(clients, port, "/", "none", COMMITTED) as heard,
    ):
        await trio.sleep(WARM_UP_S)
        return await _window(heard, seconds)


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
    options = parser.parse_args()
    print(json.dumps(trio.run(compare, options), indent=2))


if __name__ == "__main__":
    main()
