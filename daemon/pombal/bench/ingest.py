"""How many inbound messages a second become durable, over a hundred sessions."""

from dataclasses import dataclass
from pathlib import Path

import trio

from pombal.bench.bare_store import bare_seconds
from pombal.bench.figures import Figure
from pombal.bench.injecting import take_in
from pombal.bench.prepared import prepare_sessions, session_name
from pombal.bench.progress import Progress
from pombal.bench.running import running
from pombal.config.settings import Settings

_INJECTED_AT_ONCE = 250


@dataclass(frozen=True)
class Ingest:
    """Messages are injected into the simulated network and counted when their events are committed."""

    messages: int = 50_000
    sessions: int = 100

    async def run(self, root: Path, progress: Progress) -> list[Figure]:
        state = root / "daemon"
        prepare_sessions(state, self.sessions)
        names = [session_name(number) for number in range(self.sessions)]
        each = max(1, self.messages // self.sessions)
        async with running(state) as daemon:
            await daemon.until_ready(self.sessions)
            seconds = await take_in(daemon, names, each, _INJECTED_AT_ONCE, progress)
        rows = each * self.sessions
        progress.tell("the bare loop")
        batch_rows = Settings().recorder.max_batch_rows
        bare = await trio.to_thread.run_sync(bare_seconds, daemon.database, root / "bare.db", batch_rows)
        return [
            Figure("ingest.rate", rows / seconds, "messages/s", rows / bare, "a bare loop writing the same rows"),
            Figure("ingest.disk", daemon.database.stat().st_size / 1000 / rows, "kB a message"),
        ]
