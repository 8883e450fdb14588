"""What is written down of the daemon, again and again.

Its memory, descriptors and threads as the kernel counts them, its queues as it says itself, and how long it has kept
its clients waiting since the last time.
"""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pombal.control.client import Client


@dataclass(frozen=True, slots=True)
class Sample:
    """blocks: objects of the interpreter's (see observed.py). anonymous_bytes: memory of its own (RssAnon), without
    pages of files, which are the kernel's to take back.

    Latencies are medians of what ended since the sample before, None where nothing did. send_ms: from asking to the
    answer. event_ms: from the commit's stamp to the WebSocket client. bare_fsync_ms: a page written and synced beside
    it, for what the disk and the machine were like. event_cpu_ms: the daemon's processor time since the sample before,
    by event: work that grows with history shows in it on the busiest machine.
    """

    at_s: float
    blocks: int
    anonymous_bytes: int
    resident_bytes: int
    descriptors: int
    threads: int
    cpu_s: float
    wal_bytes: int
    database_bytes: int
    outbox_depth: int
    recorder_depth: int
    lag_events: int
    restarts: int
    sent: int
    heard: int
    send_ms: float | None
    event_ms: float | None
    bare_fsync_ms: float | None
    event_cpu_ms: float | None

    def object(self) -> dict[str, Any]:
        return asdict(self)


def kernel_figures(pid: int, database: Path) -> dict[str, Any]:
    """Those that need no answer of the daemon's."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    wal = database.with_name(f"{database.name}-wal")
    return {
        "anonymous_bytes": _kib(status["RssAnon"]) * 1024,
        "resident_bytes": _kib(status["VmRSS"]) * 1024,
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
        "threads": int(status["Threads"]),
        "cpu_s": (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK"),
        "wal_bytes": wal.stat().st_size if wal.exists() else 0,
        "database_bytes": database.stat().st_size,
    }


def _kib(text: str) -> int:
    return int(text.split(maxsplit=1)[0])


async def own_figures(client: Client) -> dict[str, Any]:
    """Those that the daemon tells."""
    status = await client.daemon_status()
    inside = await client.daemon_internals()
    actors = (await client.daemon_actors(limit=500)).results
    return {
        "outbox_depth": status.outbox_depth,
        "recorder_depth": status.recorder.queue_depth,
        "lag_events": max((each.lag_events for each in inside.subscribers), default=0),
        "restarts": sum(actor.restarts for actor in actors),
    }
