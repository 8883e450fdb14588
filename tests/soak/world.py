"""A daemon under a steady load for as long as it is asked to bear it, looked at all the while."""

import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from pombal.control.client import Client
from tests.daemon.books import check_database, messages_in
from tests.daemon.harness import Home, Running, ready_session
from tests.soak.load import Load
from tests.soak.samples import Sample, kernel_figures, own_figures
from tests.soak.slope import Bound

MIB = 1_048_576
REST_S = 120.0
OBSERVED = Path(__file__).with_name("observed.py")

# The figure, and what it may grow after the warm-up. In three quarters of an hour 324,000 messages come and go, so an
# object that is kept for one in thirty is found. Descriptors and threads: clients come and go while they are counted.
BOUNDS = {
    "blocks": Bound(10_000),
    "anonymous_bytes": Bound(8 * MIB, share=0.05),
    "descriptors": Bound(4),
    "threads": Bound(2),
    "wal_bytes": Bound(16 * MIB, most=128 * MIB),
    "outbox_depth": Bound(20, share=0.5),
    "recorder_depth": Bound(20, share=0.5),
    "lag_events": Bound(500, share=0.5),
    "event_cpu_ms": Bound(0.1, share=0.1),
}
# These say something of the daemon only where it has the machine to itself.
QUIET_BOUNDS = {"send_ms": Bound(5, share=0.25), "event_ms": Bound(5, share=0.25)}
# Half a minute, on whatever machine: Python's collector has had no turn, SQLite's cache and pools are still being
# filled, and how long queues are says how busy the machine is. A message that is kept whole still shows.
SHORT_BOUNDS = {
    "blocks": Bound(60_000),
    "anonymous_bytes": Bound(64 * MIB),
    "descriptors": Bound(12),
    "threads": Bound(6),
    "wal_bytes": Bound(32 * MIB, most=128 * MIB),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how much."""

    seconds: float
    warm_up_s: float
    sample_every_s: float
    inbound_per_s: float = 100.0
    sends_per_s: float = 20.0
    sessions: int = 10
    ring: int = 8192
    seed: int = 1

    def settings(self) -> dict[str, dict[str, Any]]:
        """Phones that write, networks that fail, and a log that tells only what is slow."""
        return {
            "latency": {"log": "slow"},
            "events": {"ring": self.ring},
            "simulator": {
                "enabled": True, "auto_scan_ms": 0, "connect_ms": 20, "sent_ms": 5, "delivered_ms": 20, "read_ms": 200,
                "inbound_rate": self.inbound_per_s / self.sessions, "contacts": 200, "disconnect_every_s": 30,
                "duplicate_rate": 0.02, "reorder_rate": 0.02, "fail_rate": 0.002, "seed": self.seed,
                "remembered_sends": 10_000,  # at 20 a second full long before the warm-up of an hour is over
            },
        }  # fmt: skip


@dataclass
class Report:
    """What was seen. ``is_whole`` has been held by then: the soak fails where it is not."""

    plan: Plan
    samples: list[Sample] = field(default_factory=list)
    messages: int = 0
    events: int = 0
    sent: int = 0


async def soak(home: Home, plan: Plan, told: Callable[[Sample], None] = lambda sample: None) -> Report:
    """Raises AssertionError for anything lost, doubled or out of order."""
    home.configure(plan.settings())
    report = Report(plan)
    names = [f"s{number}" for number in range(plan.sessions)]
    blocks = home.root / "blocks"
    command = [sys.executable, "-P", str(OBSERVED), str(blocks), "serve", "--config", str(home.config)]
    async with home.daemon(command=command) as daemon, daemon.client() as client:
        token = (await client.token_create("soak", role="admin", expires_s=86_400)).token
        for name in names:
            await ready_session(client, name)
        load = Load(daemon, token, names, sends_per_s=plan.sends_per_s, seed=plan.seed)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(load.run)
            async for sample in _sampled(daemon, client, load, plan, blocks):
                report.samples.append(sample)
                told(sample)
            load.stop()
            await _come_to_rest(client, load, names)
            nursery.cancel_scope.cancel()
        report.events = (await client.daemon_status()).last_event_seq
        await daemon.stop()
        assert daemon.logged("actor crashed") == []
    check_sends(load, home.database)
    check_database(home.database)
    report.sent, report.messages = len(load.answered), _count(home.database)
    return report


async def _sampled(daemon: Running, client: Client, load: Load, plan: Plan, blocks: Path) -> AsyncIterator[Sample]:
    began = trio.current_time()
    cpu_s, heard = 0.0, 0
    due = began
    while (due := max(due + plan.sample_every_s, trio.current_time())) <= began + plan.seconds:
        await trio.sleep_until(due)
        told, counted = await own_figures(client), kernel_figures(daemon.pid, daemon.home.database)
        events, cpu_ms = load.heard.get("steady", 0) - heard, (counted["cpu_s"] - cpu_s) * 1000
        cpu_s, heard = counted["cpu_s"], heard + events
        yield Sample(
            at_s=round(trio.current_time() - began, 2),
            blocks=int(blocks.read_text()),
            **counted,
            **told,
            sent=len(load.answered),
            heard=heard,
            send_ms=load.send.take(),
            event_ms=load.event.take(),
            bare_fsync_ms=load.bare_fsync.take(),
            event_cpu_ms=cpu_ms / events if events else None,
        )


async def _come_to_rest(client: Client, load: Load, names: list[str]) -> None:
    """Nobody writes any more, the queues run dry, and each listener has been told the last event."""
    for name in names:
        await client.session_update(name, settings={"inbound_rate": 0})
        await client.session_restart(name)
    with trio.fail_after(REST_S):
        while (await client.daemon_status()).outbox_depth:  # noqa: ASYNC110  # no event tells it
            await trio.sleep(0.2)
    for name in names:
        await client.session_stop(name)
    last = (await client.daemon_status()).last_event_seq
    with trio.fail_after(REST_S):
        while min(load.heard.values()) < last:  # noqa: ASYNC110
            await trio.sleep(0.2)


def check_sends(load: Load, database: Path) -> None:
    """Every send that was answered is there, once, under the id that was told."""
    stored = [(row["session"], row["message_id"], row["link_id"]) for row in messages_in(database)]
    assert len(stored) == len(set(stored))
    there = {(session, message_id): link_id for session, message_id, link_id in stored}
    assert {name: there.get(name) for name in load.answered} == load.answered


def _count(database: Path) -> int:
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM messages").fetchone()
    return int(count)
