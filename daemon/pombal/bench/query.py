"""How long questions take over HTTP with a long past behind, while messages come in."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import trio

from pombal.bench.figures import Figure, percentile
from pombal.bench.past import fill
from pombal.bench.progress import Progress
from pombal.bench.running import BenchmarkFailed, running

_BASE = "/api/v1/whatsapp"
_SESSIONS, _DAYS = 20, 30
_PAGES = 100
_WARM_UP = 3
_LISTS = {
    "session": "session=bench-3",
    "chat": "chat_id={contact}@s.whatsapp.net",
    "number": "contact_number={contact}",
    "direction": "direction=inbound",
    "type": "message_type=image",
    "status": "status=read",
    "time": "since=20d&until=10d",
}
_OTHERS = {
    "high_latency": f"{_BASE}/messages/high-latency/",
    "statistics": f"{_BASE}/messages/latency-stats/?since=30d",
    "search": f"{_BASE}/messages/?search=bom%20dia",
    "search_rare": f"{_BASE}/messages/?search=palavra19",
}


@dataclass(frozen=True)
class Query:
    """Lists by each filter, the first page and the hundredth; high latency, statistics, and searches. In turns."""

    messages: int = 1_000_000
    rounds: int = 50
    inbound_per_s: float = 500.0

    async def run(self, root: Path, progress: Progress) -> list[Figure]:
        state = root / "daemon"
        state.mkdir(mode=0o700)
        progress.tell(f"writing {self.messages:,} messages of {_DAYS} days")
        await trio.to_thread.run_sync(fill, state / "pombal.db", self.messages, _SESSIONS, _DAYS)
        async with running(state, {"simulator": {"inbound_rate": self.inbound_per_s / _SESSIONS}}) as daemon:
            await daemon.until_ready(_SESSIONS)
            token = await daemon.token()
            took = await trio.to_thread.run_sync(self._ask, daemon.port, token, progress)
        bare_ms = percentile(took.pop("nothing"), 95)
        return [
            Figure(f"query.{name}.p95", percentile(ms, 95), "ms", bare_ms, "an answer without a question (health)")
            for name, ms in took.items()
        ]

    def _ask(self, port: int, token: str, progress: Progress) -> dict[str, list[float]]:
        """The milliseconds of each question, by name."""
        with closing(_Connection(port, token)) as connection:
            contact = connection.get(f"{_BASE}/messages/?session=bench-3&limit=1")["results"][0]["contact_number"]
            questions = {"nothing": "/api/v1/health/", **dict(self._questions(connection, contact))}
            took: dict[str, list[float]] = {name: [] for name in questions}
            with progress.count("rounds of questions", self.rounds) as counted:
                for done in range(-_WARM_UP, self.rounds):
                    for name, path in questions.items():
                        began = time.perf_counter()
                        connection.get(path)
                        if done >= 0:
                            took[name].append(1000 * (time.perf_counter() - began))
                    counted(max(0, done + 1))
            return took

    @staticmethod
    def _questions(connection: "_Connection", contact: str) -> Iterator[tuple[str, str]]:
        for name, asked in _LISTS.items():
            path = f"{_BASE}/messages/?{asked.format(contact=contact)}"
            yield name, path
            if later := _page(connection, path, _PAGES):
                yield f"{name}_page_{_PAGES}", later
        yield from _OTHERS.items()


def _page(connection: "_Connection", path: str, number: int) -> str | None:
    """The path of that page; None where there are not so many."""
    for _ in range(number - 1):
        following = connection.get(path)["next"]
        if following is None:
            return None
        address = urlsplit(following)
        path = f"{address.path}?{address.query}"
    return path


class _Connection:
    """One kept connection, with a token."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str) -> Any:
        """What a path is answered with. Raises BenchmarkFailed at another status than 200."""
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != HTTPStatus.OK:
            raise BenchmarkFailed(f"{path} was answered {answer.status}: {body[:300]!r}")
        return json.loads(body)

    def close(self) -> None:
        self._connection.close()
