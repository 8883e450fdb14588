"""kill -9 at random moments under load, again and again on one database; then all books are held together.

`POMBAL_KILL_ROUNDS` and `POMBAL_KILL_SEED` ask for another number of rounds and other moments (.ci/long does).
"""

import os
import random
from collections.abc import Callable
from typing import Any

import pytest
import trio

from pombal.control.client import Client
from tests.daemon.books import Ledger, check_database, check_network, messages_in, rows
from tests.daemon.harness import WAIT_S, Home, Settings, events_until, ready_session
from tests.daemon.load import Load

ROUNDS = int(os.environ.get("POMBAL_KILL_ROUNDS", "20"))
SEED = int(os.environ.get("POMBAL_KILL_SEED", "4711"))
SESSIONS = ["vendas", "suporte", "agenda"]
VARIED = {"median": 5, "p99": 80}
# Crashes are part of the load, so they must not end in a rest of five minutes.
BUSY: dict[str, dict[str, Any]] = {
    "simulator": {
        "durable": True, "inbound_rate": 40, "duplicate_rate": 0.05, "reorder_rate": 0.05,
        "sent_ms": VARIED, "delivered_ms": VARIED, "read_ms": VARIED,
    },
    "sessions": {"restart_intensity": 1000},
    "log": {"level": "warning"},
}  # fmt: skip
QUIET = {"simulator": {"durable": True}}

pytestmark = pytest.mark.timeout(60 + 20 * ROUNDS)


def settings(load: dict[str, dict[str, Any]], *, deduplicates: bool) -> Settings:
    return load | {"simulator": load["simulator"] | {"deduplicates": deduplicates}}


@pytest.mark.parametrize(("deduplicates", "rounds"), [(True, ROUNDS), (False, max(6, ROUNDS // 3))])
async def test_nothing_acknowledged_is_lost_or_doubled(
    home_with: Callable[[Settings], Home], deduplicates: bool, rounds: int
) -> None:
    rng = random.Random(f"{SEED} {deduplicates}")
    home = home_with(settings(BUSY, deduplicates=deduplicates))
    ledger = Ledger()
    load = Load(home, SESSIONS, rng, ledger)
    async with home.daemon() as daemon, daemon.client() as client:
        for name in SESSIONS:
            await ready_session(client, name)
        await daemon.kill()
    for _ in range(rounds):
        await _live_and_die(home, load, rng)
        check_database(home.database)
        ledger.check_sends(home.database)
        ledger.check_injections(home.simulator_db)
        check_network(home.database, home.simulator_db, at_rest=False)
    assert len(ledger.sent) > 20 * rounds, "it was under load"
    home.configure(settings(QUIET, deduplicates=deduplicates))
    await _come_to_rest(home, load)
    check_database(home.database)
    ledger.check_sends(home.database)
    ledger.check_injections(home.simulator_db)
    check_network(home.database, home.simulator_db, at_rest=True)
    statuses = {row["status"] for row in messages_in(home.database)}
    assert statuses <= ({"read"} if deduplicates else {"read", "uncertain"})


async def _live_and_die(home: Home, load: Load, rng: random.Random) -> None:
    """One life. Usually it ends while everything goes on; now and then during the start."""
    async with home.process() as daemon:
        if rng.random() < 0.15:
            await trio.sleep(rng.uniform(0.3, 1.0))  # whatever it is at then: the moment is what is tried here
        else:
            await daemon.ready()
            async with load.running():
                await trio.sleep(rng.uniform(0.05, 0.9))
                await daemon.kill()
        await daemon.kill()


async def _come_to_rest(home: Home, load: Load) -> None:
    """A last life, without new traffic, in which all that waits on either side arrives."""
    async with home.daemon() as daemon, daemon.client() as client:
        await load.send_unanswered(client)
        with trio.fail_after(WAIT_S):
            await _until_settled(client, {row["link_id"] for row in rows(home.simulator_db, "SELECT * FROM inbound")})
        await daemon.stop()


async def _until_settled(client: Client, inbound: set[str]) -> None:
    """Every inbound message was received, and no outbound one is on its way any more."""
    on_its_way: set[str] = set()

    def last(event: dict[str, Any]) -> bool:
        data = event["data"]
        if event["type"] == "message.received":
            inbound.discard(data["link_id"])
        elif data["status"] in ("read", "failed", "uncertain"):
            on_its_way.discard(data["id"])
        else:
            on_its_way.add(data["id"])
        return not inbound and not on_its_way and event["seq"] >= known

    known = (await client.daemon_status()).last_event_seq
    await events_until(client, last, types=["message.received", "message.queued", "message.status"])
