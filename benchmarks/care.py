"""What a backup and retention cost the commits beside them.

    python -m benchmarks.care [--messages 200000] [--rate 500] [--seconds 20]

The daemon's writer commits at a steady rate: alone, beside `pombal db backup` in a process of its own, and with slices
of retention in between. They stand beside each other in one run; on another machine they are other numbers.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from pombal.app.retention import MESSAGES_SLICE, PAUSE_MIN_S
from pombal.config.paths import Paths, ensure
from pombal.model.changes import Change
from pombal.model.removal_changes import PruneMessages
from tests.store.building import Store, receive

DAY_MS = 86_400_000


class Steady:
    """Messages that come at a steady rate, recorded as the daemon does: what waits is the next transaction."""

    def __init__(self, store: Store, key: int, rate: int) -> None:
        self._store = store
        self._key = key
        self._every_s = 1 / rate
        self._number = 0

    def run(self, goes_on: Callable[[], bool], more: Callable[[], Change | None] = lambda: None) -> list[float]:
        """For each message, how many milliseconds after it came it was on disk. more: what else there is to commit."""
        took, next_s = list[float](), time.monotonic()
        while goes_on():
            time.sleep(max(0.0, next_s - time.monotonic()))
            due = list[float]()
            while next_s <= time.monotonic():
                due.append(next_s)
                next_s += self._every_s
            also = more()
            self._store.commit(*map(self._message, due), *([] if also is None else [also]))
            done_s = time.monotonic()
            took += [(done_s - came_s) * 1000 for came_s in due]
        return took

    def _message(self, _: float) -> Change:
        self._number += 1
        return receive(self._store.clock.advance(1), self._key, f"{self._number}", "uma mensagem como tantas outras")


class Pruning:
    """A slice of retention for the next transaction, and after it the pause that the daemon makes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._began_s: float | None = None
        self._next_s = 0.0
        self.slices = 0

    def next(self) -> Change | None:
        now_s = time.monotonic()
        if self._began_s is not None:
            self._next_s, self._began_s = now_s + max(PAUSE_MIN_S, now_s - self._began_s), None
        if now_s < self._next_s:
            return None
        self._began_s = now_s
        self.slices += 1
        now = self._store.clock()
        return PruneMessages(at=now, before_ms=now.wall_ms - 30 * DAY_MS, limit=MESSAGES_SLICE)


def filled(path: Path, messages: int) -> tuple[Store, int]:
    store = Store(path, busy_timeout_ms=1000)
    key = store.session().key
    for start in range(0, messages, 1000):
        at = store.clock.advance(1000)
        store.commit(*(receive(at, key, f"old-{start + place}", "conversa antiga " * 5) for place in range(1000)))
    store.clock.advance(40 * DAY_MS)
    return store, key


def backing_up(state: Path, backups: Path, is_over: threading.Event, times: list[float]) -> None:
    while not is_over.is_set():
        began_s = time.monotonic()
        words = ["db", "backup", str(backups), "--keep", "1", "--state-dir", str(state)]
        command = ["nice", "-n", "19", sys.executable, "-c", "from pombal.cli.main import main; main()", *words]
        subprocess.run(command, check=True, capture_output=True, cwd=state)
        times.append(time.monotonic() - began_s)


def shown(what: str, took: list[float]) -> str:
    ordered = sorted(took)
    p50, p99 = (ordered[int(len(ordered) * share)] for share in (0.5, 0.99))
    return f"{what:32} {len(took):8} {p50:9.1f} {p99:9.1f} {ordered[-1]:9.1f}"


def for_s(seconds: float) -> Callable[[], bool]:
    end_s = time.monotonic() + seconds
    return lambda: time.monotonic() < end_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        state = Path(directory) / "state"
        ensure(Paths(state, state / "run"))
        store, key = filled(state / "pombal.db", given.messages)
        size_mb = (state / "pombal.db").stat().st_size / 1e6
        print(f"{given.messages} messages, {size_mb:.0f} MB; {given.rate} more a second")
        print(f"{'':32} {'messages':>8} {'p50 ms':>9} {'p99 ms':>9} {'max ms':>9}")
        steady = Steady(store, key, given.rate)
        print(shown("alone", steady.run(for_s(given.seconds))))
        is_over, times = threading.Event(), list[float]()
        beside = threading.Thread(target=backing_up, args=(state, Path(directory) / "backups", is_over, times))
        beside.start()
        print(shown("beside backups", steady.run(lambda: len(times) < 3)))
        is_over.set()
        beside.join()
        pruning = Pruning(store)
        print(shown("with slices of retention", steady.run(for_s(given.seconds), pruning.next)))
        print(shown("alone again", steady.run(for_s(given.seconds))))
        print(f"a backup took {min(times):.1f} to {max(times):.1f} s")
        print(f"retention removed {pruning.slices} slices of {MESSAGES_SLICE} messages")
        store.close()


if __name__ == "__main__":
    main()
