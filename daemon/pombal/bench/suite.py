"""Every benchmark by its name, in its usual size and in a small one."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from pombal.bench.figures import Figure
from pombal.bench.ingest import Ingest
from pombal.bench.progress import Progress
from pombal.bench.query import Query
from pombal.bench.recover import Recover
from pombal.bench.scale import Scale
from pombal.bench.scrape import Scrape
from pombal.bench.send import Send
from pombal.bench.sessions import Sessions
from pombal.bench.streams import Fanout, Latency


class Benchmark(Protocol):
    """Runs once, in a directory of its own."""

    async def run(self, root: Path, progress: Progress) -> list[Figure]:
        """Raises BenchmarkFailed where what was to be measured did not happen."""


USUAL: Mapping[str, Benchmark] = {
    "ingest": Ingest(),
    "send": Send(),
    "latency": Latency(),
    "fanout": Fanout(),
    "sessions": Sessions(),
    "query": Query(),
    "recover": Recover(),
    "scrape": Scrape(),
    "scale": Scale(),
}
"""What the published figures are of: minutes each."""

SMALL: Mapping[str, Benchmark] = {
    "ingest": Ingest(messages=10_000),
    "send": Send(sends=4000),
    "latency": Latency(rate=200, seconds=4),
    "fanout": Fanout(clients=10, rate=100, seconds=4),
    "sessions": Sessions(sessions=500, idle_s=3),
    "query": Query(messages=30_000, rounds=10, inbound_per_s=50),
    "recover": Recover(sessions=500, messages=30_000),
    "scrape": Scrape(sessions=500, scrapes=10),
    "scale": Scale(messages=5000, sessions=(10, 500), rows=(1000, 30_000)),
}
"""Seconds each: what is wrong by a factor shows, and no more than that."""


def sized(suite: Mapping[str, Benchmark], messages: int | None) -> Mapping[str, Benchmark]:
    """The suite whose queries are asked of a store with so many messages; None: as many as the suite says."""
    query = suite.get("query")
    if messages is None or not isinstance(query, Query):
        return suite
    return {**suite, "query": replace(query, messages=messages)}
