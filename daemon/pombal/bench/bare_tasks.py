"""What as many trio tasks and memory channels cost, without anything of ours in them; in a process of its own."""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import trio
import trio.testing

_TASKS_EACH = 3  # as a session has
_PAGE_BYTES = 4096


@dataclass(frozen=True)
class Cost:
    """Of all of them together, and of each."""

    seconds: float
    bytes_each: float


def bare_tasks(count: int) -> Cost:
    """So many times three tasks, each on a channel of its own, all started and waiting."""
    command = [sys.executable, "-m", __name__, str(count)]
    found = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # our own words
    return Cost(**json.loads(found.stdout))


async def _measure(count: int) -> None:
    before, began = _rss_bytes(), time.perf_counter()
    ends = [trio.open_memory_channel[None](1) for _ in range(count * _TASKS_EACH)]
    async with trio.open_nursery() as nursery:
        for _, receive in ends:
            nursery.start_soon(receive.receive)
        await trio.testing.wait_all_tasks_blocked()
        seconds = time.perf_counter() - began
        sys.stdout.write(json.dumps({"seconds": seconds, "bytes_each": (_rss_bytes() - before) / count}))
        nursery.cancel_scope.cancel()


def _rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    trio.run(_measure, parser.parse_args().count)
