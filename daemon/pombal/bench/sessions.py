"""What ten thousand idle sessions cost: time until all are ready, memory, processor, and pauses of the loop."""

from dataclasses import dataclass
from pathlib import Path

import trio

from pombal.bench.bare_tasks import bare_tasks
from pombal.bench.figures import Figure
from pombal.bench.prepared import prepare_sessions
from pombal.bench.progress import Progress
from pombal.bench.running import Running, running
from pombal.bench.scraping import pauses, scrape

_SETTLING_S = 3.0
_PAUSE_S = 0.05


@dataclass(frozen=True)
class Sessions:
    """Two daemons: one with no session, one with all of them, paired before, on the simulated network."""

    sessions: int = 10_000
    idle_s: float = 20.0

    async def run(self, root: Path, progress: Progress) -> list[Figure]:
        progress.tell("a daemon without sessions")
        async with running(root / "empty") as daemon:
            await trio.sleep(_SETTLING_S)
            empty_bytes = daemon.rss_bytes()
        progress.tell("as many bare trio tasks")
        bare = await trio.to_thread.run_sync(bare_tasks, self.sessions)
        progress.tell("writing the sessions")
        await trio.to_thread.run_sync(prepare_sessions, root / "full", self.sessions)
        began = trio.current_time()
        async with running(root / "full") as daemon:
            with progress.count("sessions ready", self.sessions) as counted:
                await daemon.until_ready(self.sessions, counted)
            ready_s = trio.current_time() - began
            await trio.sleep(_SETTLING_S)
            each_kib = (daemon.rss_bytes() - empty_bytes) / self.sessions / 1024
            progress.tell("idle")
            return [
                Figure("sessions.ready", ready_s, "s", bare.seconds, "bare trio tasks and channels"),
                Figure("sessions.memory", each_kib, "KiB each", bare.bytes_each / 1024, "bare trio tasks and channels"),
                *await self._idle(daemon),
            ]

    async def _idle(self, daemon: Running) -> list[Figure]:
        pauses_before, cpu_before = pauses(await scrape(daemon.port), _PAUSE_S), daemon.cpu_s()
        await trio.sleep(self.idle_s)
        idle = 100 * (daemon.cpu_s() - cpu_before) / self.idle_s
        late = pauses(await scrape(daemon.port), _PAUSE_S) - pauses_before
        return [
            Figure("sessions.idle", idle, "% of a core"),
            Figure("sessions.pauses", late, f"pauses over {1000 * _PAUSE_S:g} ms"),
        ]
