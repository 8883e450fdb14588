"""A daemon that is kept up, under load, listened to and asked for its health: what faults are done to."""

import json
import random
import traceback
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from pombal.control.client import Client, connect
from tests.daemon.books import rows
from tests.daemon.harness import Home, Settings, merged, ready_session
from tests.daemon.streams import token_for
from tests.faults import verdict
from tests.faults.changes import asked
from tests.faults.keeper import Keeper
from tests.faults.ledger import Ledger
from tests.faults.library import FaultLibrary
from tests.faults.listeners import Heard, listen_on_control_socket, listen_on_websocket
from tests.faults.load import Load
from tests.faults.prober import Prober
from tests.faults.small_disk import small_disk

DEDUPLICATING = ("vendas", "suporte")
FORGETFUL = ("agenda",)  # on a link that does not deduplicate
SETTLE_S = 120.0
DISK_MB = 512
# Exceptions in the log that faults ask for: the simulator's crash, and clients for whom there is no descriptor.
ASKED_FOR = ("told to crash", "Too many open files")
VARIED = {"median": 5, "p99": 80}
# Crashes are part of the load, so they must not end in a rest of five minutes.
SETTINGS: Settings = {
    "simulator": {
        "durable": True, "duplicate_rate": 0.05, "reorder_rate": 0.05,
        "sent_ms": VARIED, "delivered_ms": VARIED, "read_ms": VARIED,
    },
    "sessions": {"restart_intensity": 1000},
    "link": {"probe_after_s": 1.0, "probe_timeout_s": 5.0},
    # A link that hangs is given up after this; on a busy machine one that does not hang may take seconds.
    "outbox": {"ack_timeout_s": 6.0},
    "recorder": {"busy_timeout_ms": 20, "retry_max_s": 0.2},
    "latency": {"log": "slow"},
}  # fmt: skip


@dataclass(frozen=True)
class Extent:
    """How far a fault goes. The short form is CI's."""

    kills: int  # in one round
    freeze_s: float
    stall_s: float
    crowd: int  # sessions that reconnect at once


SHORT = Extent(kills=5, freeze_s=1.5, stall_s=3.0, crowd=150)
LONG = Extent(kills=5, freeze_s=30.0, stall_s=30.0, crowd=1000)


class Lost(Exception):
    """What a verdict found, and how to see it again."""

    def __init__(self, name: str, seed: int, wrong: Sequence[str]) -> None:
        again = f"python -m tests.faults --fault {name} --rounds 1 --seed {seed}"
        super().__init__("\n".join([f"{name}, seed {seed} ({again}):", *(f"- {each}" for each in wrong)]))


class World:
    """``library`` and ``disk``: where the machine has what they need; faults say when they do."""

    def __init__(self, home: Home, rng: random.Random, extent: Extent, library: FaultLibrary | None) -> None:
        self.home = home
        self.rng = rng
        self.extent = extent
        self._library = library
        self.ledger = Ledger()
        self.keeper = Keeper(home, library.environ if library is not None else {})
        self.prober = Prober(self.keeper)
        self.heard = [Heard("control socket"), Heard("WebSocket")]
        sessions = [*DEDUPLICATING, *FORGETFUL]
        self.load = Load(self.keeper, sessions, rng, self.ledger, lambda: len(self.heard[0].under_way))
        self._logs_read: dict[Path, int] = {}
        self.settled_at = 0
        self._broken: list[str] = []
        self._notes: list[str] = []
        self._round = ("", 0)
        self._began_s = 0.0

    @property
    def library(self) -> FaultLibrary:
        assert self._library is not None, "a fault that needs the library says so"
        return self._library

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        life = await self.keeper.ready()
        async with connect(life.running.home.socket) as client:
            yield client

    async def begin(self, nursery: trio.Nursery) -> None:
        """The daemon up, its sessions ready, everybody at their places."""
        nursery.start_soon(self.keeper.run)
        async with self.client() as client:
            for name in DEDUPLICATING:
                await ready_session(client, name)
            for name in FORGETFUL:
                await ready_session(client, name, settings={"deduplicates": False})
            self.load.token = await token_for(client, "operator", "admin")
        nursery.start_soon(self.prober.run)
        nursery.start_soon(listen_on_control_socket, self.keeper, self.heard[0])
        nursery.start_soon(listen_on_websocket, self.keeper, self.heard[1], self.load.token)

    @contextmanager
    def configured(self, more: Settings) -> Iterator[None]:
        """Lives that begin in this block have these settings."""
        self.home.configure(merged(SETTINGS, more))
        try:
            yield
        finally:
            self.home.configure(SETTINGS)

    async def settle(self) -> None:
        """Wait until everything that was on its way has arrived, by itself. The verdict says what has not."""
        await self.load.send_unanswered()
        with trio.move_on_after(SETTLE_S) as patience:
            await asked(self._is_settled)
        if patience.cancelled_caught:
            sends, sessions, inbound, receipts = self._on_its_way()
            self.check(
                False,
                f"not at rest after {SETTLE_S:g} s: {sends} sends, {sessions} sessions that are not ready, "
                f"{inbound} messages and {receipts} receipts that were not acknowledged",
            )
        async with self.client() as client:
            self.settled_at = (await client.daemon_status()).last_event_seq
        with trio.move_on_after(SETTLE_S):
            for heard in self.heard:
                await heard.upto(self.settled_at)

    async def _is_settled(self) -> bool:
        return not any(self._on_its_way())

    def _on_its_way(self) -> Iterator[int]:
        under_way = "direction = 'outbound' AND status IN ('queued', 'sent', 'delivered')"
        yield _count(self.home.database, f"messages WHERE {under_way}")
        yield _count(self.home.database, "sessions WHERE status <> 'ready' AND is_active AND deleted_at IS NULL")
        yield _count(self.home.simulator_db, "inbound WHERE acknowledged = 0")
        yield _count(self.home.simulator_db, "received_sends WHERE settled = 0")

    # Rounds and their verdict

    def begin_round(self, name: str, seed: int) -> None:
        self.rng.seed(seed)
        self._round = (name, seed)
        self._notes.clear()
        self._began_s = trio.current_time()

    def check(self, holds: bool, what: str) -> None:
        """What must hold in the midst of a fault; told by the verdict where it did not."""
        if not holds:
            self._broken.append(what)

    def note(self, what: str) -> None:
        """A figure for whoever reads the run."""
        self._notes.append(what)

    def summary(self) -> str:
        name, seed = self._round
        took_s = trio.current_time() - self._began_s
        ledger = self.ledger
        figures = f"{len(ledger.sent)} sends acknowledged, {ledger.refused} refused, {len(ledger.injected)} received"
        lives = len(self.keeper.lives)
        return "; ".join([f"{name} (seed {seed}): {took_s:.1f} s, {figures}, life {lives}", *self._notes])

    def lost(self, error: Exception) -> Lost:
        """The verdict of a round that could not be brought to its end."""
        told = "".join(traceback.format_exception(error))
        return Lost(*self._round, [told, *self._broken, *self.prober.problems, *self.keeper.unexpected()])

    def judge(self) -> None:
        """As everything lies now. Raises Lost."""
        self._judge(rest=None)

    def judge_at_rest(self) -> None:
        """After ``settle``. Raises Lost."""
        self._judge(rest=self.settled_at)

    def _judge(self, rest: int | None) -> None:
        books = verdict.Books(self.home, self.ledger, self.heard, frozenset(FORGETFUL), rest)
        wrong = [
            *verdict.problems(books), *self._broken, *self.prober.problems, *self.keeper.unexpected(), *self._crashes(),
        ]  # fmt: skip
        if wrong:
            raise Lost(*self._round, wrong)

    def _crashes(self) -> Iterator[str]:
        """Exceptions nobody expected, and whatever a log should not hold; those a fault asked for apart."""
        for life in self.keeper.lives:
            for line in self._new_lines(life.running.log_path):
                is_farewell = life.was_bitten and not line.startswith("{")
                if not is_farewell and (told := _crash(line)) is not None:
                    yield f"life {life.number} says: {told}"

    def _new_lines(self, path: Path) -> list[str]:
        data = path.read_bytes()[self._logs_read.get(path, 0) :]
        whole = data[: data.rfind(b"\n") + 1]
        self._logs_read[path] = self._logs_read.get(path, 0) + len(whole)
        return whole.decode(errors="replace").splitlines()


def _crash(line: str) -> str | None:
    if not line.startswith("{"):
        return line if line.strip() else None
    entry: dict[str, Any] = json.loads(line)
    exception = str(entry.get("exception", ""))
    is_asked_for = any(word in exception for word in ASKED_FOR)
    return None if not exception or is_asked_for else f"{entry['event']}:\n{exception}"


def _count(path: Path, what: str) -> int:
    return int(rows(path, f"SELECT count(*) AS count FROM {what}")[0]["count"])


@asynccontextmanager
async def world(root: Path, rng: random.Random, extent: Extent, *, disk: bool, library: bool) -> AsyncIterator[World]:
    """disk: keep the state on a small disk of its own. library: run the daemon with faults.c."""
    home = Home(root, SETTINGS)
    with ExitStack() as stack:
        if disk:
            stack.enter_context(small_disk(home.state, DISK_MB))
        made = World(home, rng, extent, FaultLibrary(root) if library else None)
        async with trio.open_nursery() as nursery:
            await made.begin(nursery)
            yield made
            nursery.cancel_scope.cancel()
