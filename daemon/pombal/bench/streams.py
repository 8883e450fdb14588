"""From the link to the client: how late messages are on WebSockets, for one client and for many."""

from dataclasses import dataclass
from pathlib import Path

import trio

from pombal.bench.bare_disk import fsync_ms
from pombal.bench.bare_stream import bare_stream
from pombal.bench.figures import Figure, percentile
from pombal.bench.listening import Window, listening, window
from pombal.bench.prepared import prepare_sessions
from pombal.bench.progress import Progress
from pombal.bench.running import BenchmarkFailed, running

_SESSIONS = 5
_WARM_UP_S = 3.0
_PATH = "/ws/whatsapp/?batch=100"


async def _heard(root: Path, clients: int, rate: float, seconds: float, progress: Progress) -> Window:
    """What clients hear of sessions that receive rate messages a second together. Raises BenchmarkFailed at a loss."""
    prepare_sessions(root, _SESSIONS)
    config = {"simulator": {"connect_ms": 1, "inbound_rate": rate / _SESSIONS}}
    async with (
        running(root, config) as daemon,
        listening(clients, daemon.port, _PATH, await daemon.token()) as heard,
    ):
        await daemon.until_ready(_SESSIONS)
        await trio.sleep(_WARM_UP_S)
        progress.tell(f"{clients} clients, {rate:g} messages a second")
        found = await window(heard, seconds)
    if not all(each.is_whole for each in heard):
        raise BenchmarkFailed("a client did not have every event once and in order")
    return found


async def _heard_of_a_bare_one(clients: int, rate: float, seconds: float, progress: Progress) -> Window:
    async with bare_stream(clients, rate) as port, listening(clients, port, "/", "none") as heard:
        await trio.sleep(_WARM_UP_S)
        progress.tell("a bare trio server")
        return await window(heard, seconds)


@dataclass(frozen=True)
class Latency:
    """From the link's receiving a message to one client's having read its event, while 1,000 a second come in."""

    rate: float = 1000.0
    seconds: float = 20.0

    async def run(self, root: Path, progress: Progress) -> list[Figure]:
        progress.tell("a bare fsync")
        synced = await trio.to_thread.run_sync(fsync_ms, root / "synced", self.seconds / 4)
        bare = await _heard_of_a_bare_one(1, self.rate, self.seconds / 4, progress)
        found = await _heard(root / "daemon", 1, self.rate, self.seconds, progress)
        limit = "a bare fsync, and a bare trio server's frame"
        return [
            *(
                Figure(
                    f"latency.p{percent}", percentile(found.late_ms, percent), "ms",
                    percentile(synced, percent) + max(0.0, percentile(bare.late_ms, percent)), limit,
                )
                for percent in (50, 99)
            ),
            Figure("latency.rate", found.events_per_s, "messages/s", self.rate, "what the network sends"),
        ]  # fmt: skip


@dataclass(frozen=True)
class Fanout:
    """Fifty clients that all hear 500 messages a second."""

    clients: int = 50
    rate: float = 500.0
    seconds: float = 20.0

    async def run(self, root: Path, progress: Progress) -> list[Figure]:
        bare = await _heard_of_a_bare_one(self.clients, self.rate, self.seconds / 4, progress)
        found = await _heard(root / "daemon", self.clients, self.rate, self.seconds, progress)
        return [
            *(
                Figure(
                    f"fanout.p{percent}", percentile(found.late_ms, percent), "ms",
                    percentile(bare.late_ms, percent), "a bare trio server's frame",
                )
                for percent in (50, 99)
            ),
            Figure("fanout.rate", found.events_per_s, "messages/s", self.rate, "what the network sends"),
        ]  # fmt: skip
