"""How many inbound messages a second become durable, over a hundred sessions."""

from dataclasses import dataclass
from pathlib import Path

import trio

from pombal.bench.bare_store import bare_seconds
from pombal.bench.figures import Figure
from pombal.bench.prepared import prepare_sessions, session_name
from pombal.bench.progress import Progress
from pombal.bench.running import Running, running
from pombal.config.settings import Settings

TEXT = "Bom dia! Gostaria de saber se o meu pedido já saiu para entrega, por favor 🙏"
_INJECTED_AT_ONCE = 250


@dataclass(frozen=True)
class Ingest:
    """Messages are injected into the simulated network and counted when their events are committed."""

    messages: int = 50_000
    sessions: int = 100

    async def run(self, root: Path, progress: Progress) -> list[Figure]:
        state = root / "daemon"
        prepare_sessions(state, self.sessions)
        async with running(state) as daemon:
            await daemon.until_ready(self.sessions)
            seconds = await self._take_in(daemon, progress)
        rows = self._rows_each * self.sessions
        progress.tell("the bare loop")
        batch_rows = Settings().recorder.max_batch_rows
        bare = await trio.to_thread.run_sync(bare_seconds, daemon.database, root / "bare.db", batch_rows)
        return [
            Figure("ingest.rate", rows / seconds, "messages/s", rows / bare, "a bare loop writing the same rows"),
            Figure("ingest.disk", daemon.database.stat().st_size / 1000 / rows, "kB a message"),
        ]

    @property
    def _rows_each(self) -> int:
        return max(1, self.messages // self.sessions)

    async def _take_in(self, daemon: Running, progress: Progress) -> float:
        """Seconds from the first message injected to the last one committed."""
        before = (await daemon.client.daemon_status()).last_event_seq
        began = trio.current_time()
        with progress.count("messages committed", self._rows_each * self.sessions) as counted:
            async with trio.open_nursery() as nursery:
                for number in range(self.sessions):
                    nursery.start_soon(self._inject, daemon, session_name(number))
                await daemon.until_seq(before + self._rows_each * self.sessions, lambda seq: counted(seq - before))
        return trio.current_time() - began

    async def _inject(self, daemon: Running, session: str) -> None:
        for first in range(0, self._rows_each, _INJECTED_AT_ONCE):
            count = min(_INJECTED_AT_ONCE, self._rows_each - first)
            params = {"name": session, "from": "5511988887777", "text": TEXT, "count": count}
            await daemon.client.call("simulator.inject", params)
