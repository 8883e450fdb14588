"""How fast lists, searches and statistics are over HTTP, with a million messages behind and more coming in.

    python -m benchmarks.http [--messages 1000000] [--rounds 100] [--state DIR]

Fills a store (or takes the one of an earlier run, with --state), starts the real daemon on it with sessions on the
simulator that keep writing, and asks it over one connection, in turns, so that a busy moment of the machine hits all
questions alike. Beside the times: the processor time that the daemon took for an answer, which says the same on a busy
machine; and what the question is held to. At last it walks through everything by cursor: each message that was there
has to be met exactly once.
"""

import argparse
import json
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from pombal.auth.keys import load_keys
from pombal.auth.tokens import Tokens
from pombal.bench.past import fill
from pombal.config.settings import AuthSettings
from pombal.model.caller import Role

LIST_MS, SEARCH_MS = 20.0, 60.0
LARGEST_PAGE_MS = 60.0  # ten pages of the usual size, half a megabyte, in one answer
BASE = "/api/v1/whatsapp"
WARM_UP_ROUNDS = 5


def questions(contact: str, middle: int, list_ms: float, search_ms: float) -> dict[str, tuple[str, float]]:
    """Each by name, with the milliseconds it is held to. contact: somebody with messages; middle: an id halfway."""
    lists = {
        "newest": "",
        "halfway down": f"cursor={middle}",
        "oldest first": "order=asc",
        "of a session": "session=bench-3",
        "of a session, halfway": f"session=bench-3&cursor={middle}",
        "of a chat": f"chat_id={contact}@s.whatsapp.net",
        "of a number": f"contact_number={contact}",
        "inbound": "direction=inbound",
        "inbound of a session": "direction=inbound&session=bench-3",
        "images": "message_type=image",
        "images of a session": "message_type=image&session=bench-3",
        "failed (none)": "status=failed",
        "read": "status=read",
        "read, halfway": f"status=read&cursor={middle}",
        "of the last hour": "since=1h",
        "of a day": "since=8d&until=7d",
        "before a month's middle": "until=15d",
        "failed (none) of ten days": "status=failed&since=20d&until=10d",
        "inbound of ten days": "direction=inbound&since=20d&until=10d",
        "read of a session, of ten days": "status=read&session=bench-3&since=20d&until=10d",
        "images since 20 days, oldest first": "message_type=image&since=20d&order=asc",
        "of a number, of ten days": f"contact_number={contact}&since=20d&until=10d",
    }
    found = {name: (f"/messages/?{query}", list_ms) for name, query in lists.items()}
    found["500 at once"] = ("/messages/?limit=500", LARGEST_PAGE_MS)
    found |= {
        "high latency": ("/messages/high-latency/", list_ms),
        "high latency of ten days": ("/messages/high-latency/?since=20d&until=10d", list_ms),
        "high latency of a session": ("/messages/high-latency/?session=bench-3", list_ms),
        "sent (few) of a session": ("/messages/?status=sent&session=bench-3", list_ms),
        "over 100 ms": ("/messages/high-latency/?threshold_ms=100", list_ms),
        "statistics": ("/messages/latency-stats/", list_ms),
        "statistics of 30 days": ("/messages/latency-stats/?since=30d", list_ms),
        "statistics of 100 hours": ("/messages/latency-stats/?since=100h", list_ms),
        "statistics of a session": ("/messages/latency-stats/?session=bench-3&since=30d", list_ms),
    }
    searches = {
        "a rare word": "search=palavra19876",
        "two common words": "search=bom dia",
        "a common prefix": "search=pal",
        "a common prefix, of a session": "search=pal&session=bench-3",
        "a rare prefix of many words": "search=palavra19",
        "a number begun": "search=55119",
        "common and rare": "search=pedido palavra777",
        "a name": "search=maria 123",
        "nothing": "search=inexistente",
        "common, of a session": "search=bom&session=bench-3",
        "common, of ten days": "search=bom&since=20d&until=10d",
        "common, inbound": "search=bom dia&direction=inbound",
        "common, failed (none)": "search=bom dia&status=failed",
    }
    return found | {f"search: {name}": (f"/messages/?{query}", search_ms) for name, query in searches.items()}


class Client:
    """One kept connection, and the token of the owner or of an admin."""

    def __init__(self, url: str, token: str) -> None:
        self._connection = HTTPConnection(url.partition("://")[2], timeout=60)
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str) -> Any:
        self._connection.request("GET", BASE + path.replace(" ", "%20"), headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:300]!r}")
        return json.loads(body)


@contextmanager
def daemon(state: Path, inbound_rate: float) -> Iterator[tuple[str, int]]:
    """URL and pid of one that is ready; each of its sessions receives so many messages a second."""
    config = state / "config.toml"
    config.write_text(
        f'[daemon]\nstate_dir = "{state}"\nruntime_dir = "{state}"\n[http]\nbind = "127.0.0.1:0"\n'
        f'[log]\nformat = "json"\n[latency]\nlog = "slow"\n[simulator]\nenabled = true\ninbound_rate = {inbound_rate}\n'
    )
    command = [sys.executable, "-m", "pombal", "serve", "--config", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if line.startswith("{") and (entry := json.loads(line))["event"] == "ready":
                    yield str(entry["http"][0]), process.pid
                    return
            raise RuntimeError("the daemon did not start")
        finally:
            process.send_signal(signal.SIGTERM)


def cpu_ms(pid: int) -> float:
    """Processor time of all threads of a process so far."""
    spent_ns = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that has just ended
            spent_ns += int((task / "schedstat").read_text().split()[0])
    return spent_ns / 1e6


def measure(
    client: Client, asked: dict[str, tuple[str, float]], rounds: int, pid: int
) -> dict[str, tuple[list[float], list[float]]]:
    """Milliseconds a question, round by round: on the clock, and of the daemon's processor time."""
    took: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for number in range(WARM_UP_ROUNDS + rounds):
        for name, (path, _) in asked.items():
            spent, started = cpu_ms(pid), time.perf_counter()
            client.get(path)
            if number >= WARM_UP_ROUNDS:
                took[name][0].append(1000 * (time.perf_counter() - started))
                took[name][1].append(cpu_ms(pid) - spent)
    return took


def stored(state: Path) -> set[int]:
    """The ids of all messages that are on disk now."""
    with closing(sqlite3.connect(f"file:{state / 'pombal.db'}?mode=ro", uri=True)) as connection:
        return {number for (number,) in connection.execute("SELECT id FROM messages")}


def walk(client: Client) -> Counter[int]:
    """How often each message is met by who follows `next` from the newest to the oldest."""
    met: Counter[int] = Counter()
    path = "/messages/?limit=500"
    while path:
        page = client.get(path)
        met.update(message["id"] for message in page["results"])
        path = (page["next"] or "").partition(BASE)[2]
    return met


def walk_through_all(client: Client, state: Path) -> bool:
    """Whether each message that was stored when the walk began is met exactly once, though more are written."""
    before, started = stored(state), time.perf_counter()
    met = walk(client)
    took_s, came = time.perf_counter() - started, len(stored(state)) - len(before)
    missed, doubles = len(before - met.keys()), sum(times > 1 for times in met.values())
    print(
        f"{len(met):,} messages by cursor in {took_s:.0f} s, while {came:,} more came in: "
        f"{missed} missed, {doubles} met more than once",
        flush=True,
    )
    return not missed and not doubles and came > 0


def report(asked: dict[str, tuple[str, float]], took: dict[str, tuple[list[float], list[float]]]) -> bool:
    """Print it; whether everything holds."""
    holds = True
    for name, (_, held_to_ms) in asked.items():
        ordered, spent = sorted(took[name][0]), sorted(took[name][1])
        p50, p95, cpu = ordered[len(ordered) // 2], ordered[int(0.95 * len(ordered))], spent[len(spent) // 2]
        holds &= p95 < held_to_ms
        mark = "" if p95 < held_to_ms else "  ***"
        print(f"{name:>36} {p50:8.1f} {p95:8.1f} {cpu:8.1f} {held_to_ms:6g}{mark}", flush=True)
    return holds


def run(options: argparse.Namespace, state: Path) -> bool:
    if not (state / "pombal.db").exists():
        started = time.perf_counter()
        fill(state / "pombal.db", options.messages, options.sessions, options.days)
        print(f"filled in {time.perf_counter() - started:.0f} s", flush=True)
    holds = True
    with daemon(state, options.inbound_rate) as (url, pid):
        tokens = Tokens(load_keys(AuthSettings(), state / "token_secret"), AuthSettings)
        for role in (Role.ADMIN, Role.USER):
            client = Client(url, tokens.create("bench", role, 86_400)[0])
            newest = client.get("/messages/?session=bench-3&limit=1")["results"][0]
            asked = questions(newest["contact_number"], newest["id"] // 2, options.list_ms, options.search_ms)
            print(f"{f'asked by {role.value}':>36} {'p50 ms':>8} {'p95 ms':>8} {'cpu ms':>8} {'below':>6}")
            holds &= report(asked, measure(client, asked, options.rounds, pid))
        holds &= walk_through_all(Client(url, tokens.create("bench", Role.ADMIN, 86_400)[0]), state)
    return holds


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=1_000_000, help="messages in the store (%(default)s)")
    parser.add_argument("--days", type=int, default=30, help="over so many days (%(default)s)")
    parser.add_argument("--sessions", type=int, default=20, help="sessions of each of two owners (%(default)s)")
    parser.add_argument("--inbound-rate", type=float, default=2.0, help="messages a second and session (%(default)s)")
    parser.add_argument("--rounds", type=int, default=100, help="times that each is asked (%(default)s)")
    parser.add_argument("--list-ms", type=float, default=LIST_MS, help="what lists are held to (%(default)s)")
    parser.add_argument("--search-ms", type=float, default=SEARCH_MS, help="what searches are held to (%(default)s)")
    parser.add_argument("--state", type=Path, default=None, help="where the store lies; kept, and taken again")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    if options.state is not None:
        options.state.mkdir(mode=0o700, exist_ok=True)
        return 0 if run(options, options.state.absolute()) else 1
    with tempfile.TemporaryDirectory() as directory:
        return 0 if run(options, Path(directory)) else 1


if __name__ == "__main__":
    sys.exit(main())
