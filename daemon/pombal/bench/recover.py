"""How soon a daemon is back after kill -9, with ten thousand sessions and a million messages."""

from dataclasses import dataclass
from pathlib import Path

import trio

from pombal.bench.figures import Figure
from pombal.bench.past import fill
from pombal.bench.progress import Progress
from pombal.bench.running import running

_DAYS = 30
_INBOUND_PER_S = 500.0


@dataclass(frozen=True)
class Recover:
    """Killed while messages come in; then until its control socket answers, and until all sessions are ready."""

    sessions: int = 10_000
    messages: int = 1_000_000

    async def run(self, root: Path, progress: Progress) -> list[Figure]:
        began = trio.current_time()
        async with running(root / "empty"):
            bare_s = trio.current_time() - began
        state = root / "daemon"
        state.mkdir(mode=0o700)
        progress.tell("writing the past")
        await trio.to_thread.run_sync(fill, state / "pombal.db", self.messages, self.sessions, _DAYS)
        busy = {"simulator": {"inbound_rate": _INBOUND_PER_S / self.sessions}}
        async with running(state, busy) as daemon:
            with progress.count("sessions ready", self.sessions) as counted:
                await daemon.until_ready(self.sessions, counted)
            daemon.kill()
            await daemon.process.wait()
        began = trio.current_time()
        async with running(state, busy) as daemon:
            answering_s = trio.current_time() - began
            with progress.count("sessions ready again", self.sessions) as counted:
                await daemon.until_ready(self.sessions, counted)
            ready_s = trio.current_time() - began
        limit = "a daemon with nothing in it"
        return [
            Figure("recover.answering", answering_s, "s", bare_s, limit),
            Figure("recover.ready", ready_s, "s", bare_s, limit),
        ]
