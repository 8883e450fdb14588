"""How many sends a second are accepted, and how many are taken through their whole life."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trio

from pombal.bench.bare_store import bare_seconds
from pombal.bench.figures import Figure
from pombal.bench.pipelining import Pipeline
from pombal.bench.prepared import prepare_sessions, session_name
from pombal.bench.progress import Progress
from pombal.bench.running import Running, running
from pombal.config.settings import Settings
from pombal.control.client_connection import encode_request

TEXT = "Olá! O seu pedido saiu para entrega e chega hoje até as 18 horas. Qualquer dúvida, estamos aqui."
_WINDOW = 1000
_EVENTS_A_LIFE = 4  # queued, sent, delivered, read
_CONNECTING_MS = 600_000
_AT_ONCE = {"connect_ms": 1, "sent_ms": 0, "delivered_ms": 0, "read_ms": 0}


@dataclass(frozen=True)
class Send:
    """Sends over one pipelined control connection: to sessions that are connecting, then to a hundred that are ready.

    A life is queued, dispatched, sent, delivered and read, each on disk; the simulated network answers at once.
    """

    sends: int = 20_000
    sessions: int = 100

    async def run(self, root: Path, progress: Progress) -> list[Figure]:
        return [await self._accepted(root / "accepted", progress), *await self._lived(root / "lived", progress)]

    async def _accepted(self, state: Path, progress: Progress) -> Figure:
        prepare_sessions(state, self.sessions)
        async with running(state, {"simulator": {"connect_ms": _CONNECTING_MS}}) as daemon:
            seconds = await self._send(daemon, progress, "sends accepted")
        bare = await self._bare(daemon, progress)
        return self._figure("send.accepted", seconds, bare)

    async def _lived(self, state: Path, progress: Progress) -> list[Figure]:
        prepare_sessions(state, self.sessions)
        async with running(state, {"simulator": _AT_ONCE}) as daemon:
            await daemon.until_ready(self.sessions)
            first_seq = (await daemon.client.daemon_status()).last_event_seq
            began = trio.current_time()
            await self._send(daemon, progress, "sends accepted")
            with progress.count("lives ended", self.sends) as counted:
                await daemon.until_seq(
                    first_seq + _EVENTS_A_LIFE * self.sends,
                    lambda seq: counted((seq - first_seq) // _EVENTS_A_LIFE),
                )
            seconds = trio.current_time() - began
            await daemon.until_read(self.sends)
        bare = await self._bare(daemon, progress)
        disk = Figure("send.disk", daemon.database.stat().st_size / 1000 / self.sends, "kB a life")
        return [self._figure("send.lives", seconds, bare), disk]

    def _figure(self, name: str, seconds: float, bare: float) -> Figure:
        return Figure(name, self.sends / seconds, "sends/s", self.sends / bare, "a bare loop writing the same rows")

    async def _bare(self, daemon: Running, progress: Progress) -> float:
        progress.tell("the bare loop")
        batch_rows = Settings().recorder.max_batch_rows
        return await trio.to_thread.run_sync(bare_seconds, daemon.database, daemon.state / "bare.db", batch_rows)

    async def _send(self, daemon: Running, progress: Progress, what: str) -> float:
        """Seconds until all are accepted. Raises BenchmarkFailed at a refusal."""
        with progress.count(what, self.sends) as counted:
            return await Pipeline(list(self._requests()), _WINDOW, counted).run(daemon.control_socket)

    def _requests(self) -> Iterator[bytes]:
        for number in range(self.sends):  # 5511900000000 is not on the simulated WhatsApp
            to = f"55119{1 + number % 5000:08d}"
            params = {"session": session_name(number % self.sessions), "to": to, "text": TEXT}
            yield encode_request(number, "message.send", params)
