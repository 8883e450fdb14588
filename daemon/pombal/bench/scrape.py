"""How long a page of /metrics takes with ten thousand sessions, and whether the loop pauses for it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import trio

from pombal.bench.figures import Figure, percentile
from pombal.bench.prepared import prepare_sessions
from pombal.bench.progress import Progress
from pombal.bench.running import running
from pombal.bench.scraping import pauses, scrape

_SETTLING_S = 3.0
_PAUSE_S = 0.02
_BARE = "a connection, and nothing asked"


@dataclass(frozen=True)
class Scrape:
    """Pages one after the other, each over a connection of its own."""

    sessions: int = 10_000
    scrapes: int = 20

    async def run(self, root: Path, progress: Progress) -> list[Figure]:
        progress.tell("writing the sessions")
        await trio.to_thread.run_sync(prepare_sessions, root / "daemon", self.sessions)
        async with running(root / "daemon") as daemon:
            with progress.count("sessions ready", self.sessions) as counted:
                await daemon.until_ready(self.sessions, counted)
            await trio.sleep(_SETTLING_S)
            progress.tell("scraping")
            before = pauses(await scrape(daemon.port), _PAUSE_S)
            answered = [await _timed_ms(lambda: scrape(daemon.port)) for _ in range(self.scrapes)]
            late = pauses(await scrape(daemon.port), _PAUSE_S) - before
            bare = [await _timed_ms(lambda: _connect(daemon.port)) for _ in range(self.scrapes)]
        return [
            Figure("scrape.p50", percentile(answered, 50), "ms", percentile(bare, 50), _BARE),
            Figure("scrape.p95", percentile(answered, 95), "ms", percentile(bare, 95), _BARE),
            Figure("scrape.pauses", late, f"pauses over {1000 * _PAUSE_S:g} ms"),
        ]


async def _connect(port: int) -> None:
    async with await trio.open_tcp_stream("127.0.0.1", port):
        return


async def _timed_ms(asked: Callable[[], Awaitable[object]]) -> float:
    began = trio.current_time()
    await asked()
    return 1000 * (trio.current_time() - began)
