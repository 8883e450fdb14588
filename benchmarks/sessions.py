"""How many sessions one process carries: time until all are ready, memory each, and what they cost when idle.

    python -m benchmarks.sessions [--sessions 10000] [--idle-s 20]

Runs the real daemon twice as a process, with no session and with all of them on the simulator (paired before, so that
they connect by themselves), and reads /proc for both.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import trio

from pombal.config.settings import Settings
from pombal.control.client import connect
from pombal.model.changes import CreateSession, SetSessionState
from pombal.model.clock import system_clock
from pombal.model.ids import new_ulid
from pombal.model.session import LinkKind
from pombal.model.session_state import SessionState
from pombal.store.connection import open_writer
from pombal.store.writer import Writer

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def prepare(state: Path, sessions: int) -> None:
    """A database with that many active sessions, each paired in an earlier life."""
    settings = Settings()
    state.mkdir(mode=0o700, exist_ok=True)
    writer = Writer(open_writer(state / "pombal.db", settings.recorder, settings.store), system_clock, 5000)
    for start in range(0, sessions, 500):
        at = system_clock()
        rows = writer.commit(
            [
                CreateSession(
                    at=at, id=new_ulid(), name=f"s{number:05d}", owner="bench", link=LinkKind.SIMULATOR, is_active=True
                )
                for number in range(start, min(start + 500, sessions))
            ]
        ).answers
        writer.commit(
            [
                SetSessionState(
                    at=at, session_key=row.key, state=SessionState(identity=f"55119{row.key:08d}"), fields={}
                )
                for row in rows
            ]
        )
    writer.close()


def start(state: Path) -> subprocess.Popen[bytes]:
    config = state / "config.toml"
    config.write_text(
        f'[daemon]\nstate_dir = "{state}"\nruntime_dir = "{state}"\n[http]\nenabled = false\n'
        '[simulator]\nenabled = true\n[log]\nlevel = "warning"\n'
    )
    command = [sys.executable, "-c", "from pombal.cli.main import main; main()", "serve", "--config", str(config)]
    return subprocess.Popen(command)


async def until_ready(socket: Path, sessions: int) -> None:
    """Until the daemon answers and says that so many sessions are ready."""
    while not await trio.Path(socket).exists():
        await trio.sleep(0.01)  # another process makes it
    async with connect(socket) as client:
        while True:
            status = await client.call("daemon.status", {})
            if status["sessions"].get("ready", 0) >= sessions:
                return
            await trio.sleep(0.1)


def rss_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def measure(state: Path, sessions: int, idle_s: float) -> dict[str, float]:
    prepare(state, sessions)
    began = time.monotonic()
    daemon = start(state)
    try:
        trio.run(until_ready, state / "control.sock", sessions)
        ready_s = time.monotonic() - began
        time.sleep(3)  # what starting leaves behind is over
        before, resident = cpu_s(daemon.pid), rss_bytes(daemon.pid)
        time.sleep(idle_s)
        return {"ready_s": ready_s, "rss_bytes": resident, "idle_core": (cpu_s(daemon.pid) - before) / idle_s}
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--idle-s", type=float, default=20.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        empty = measure(Path(directory) / "empty", 0, 2.0)
        full = measure(Path(directory) / "full", options.sessions, options.idle_s)
    each = (full["rss_bytes"] - empty["rss_bytes"]) / options.sessions
    print(
        json.dumps(
            {
                "sessions": options.sessions,
                "all_ready_s": round(full["ready_s"], 1),
                "empty_daemon_ready_s": round(empty["ready_s"], 1),
                "kib_each": round(each / 1024, 1),
                "idle_percent_of_a_core": round(100 * full["idle_core"], 2),
                "empty_rss_mib": round(empty["rss_bytes"] / 2**20, 1),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
