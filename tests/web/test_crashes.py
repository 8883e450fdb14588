"""Everything dies, at random moments and under load; then the books of both sides are held together.

`POMBAL_WEB_INBOUND`, `POMBAL_WEB_SENDS`, `POMBAL_WEB_KILLS` and `POMBAL_KILL_SEED` ask for more, or for other moments
(.ci/long does).
"""

import os
import random
import signal
from collections import Counter, defaultdict
from contextlib import suppress
from typing import Any

import pytest
import trio

from pombal.control.client import Disconnected, NoDaemon, RemoteError
from tests.daemon.books import check_database, messages_in, rows
from tests.daemon.harness import Running
from tests.fakes.whatsapp_driver import FakeWhatsApp
from tests.web.world import ANA, ME, WAIT_S, World, gateways, until_received, until_true

pytestmark = pytest.mark.system("libmagic.so.1")

INBOUND = int(os.environ.get("POMBAL_WEB_INBOUND", "5000"))  # .ci/long has more
SENDS = int(os.environ.get("POMBAL_WEB_SENDS", "1000"))
KILLS = int(os.environ.get("POMBAL_WEB_KILLS", "5"))
SEED = int(os.environ.get("POMBAL_KILL_SEED", "4711"))
RATE_PER_S = 200
LOSS_MAX = 100
LONG_S = max(WAIT_S, INBOUND / 10)


async def _inbound(fake: FakeWhatsApp, ids: list[str], *, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
    task_status.started()
    answer = await fake.do(
        "inbound", account=ME, sender=ANA, text="oi", count=INBOUND, rate_per_s=RATE_PER_S, within_s=LONG_S
    )
    ids.extend(answer["ids"])


async def test_inbound_while_the_daemon_is_killed(world: World, fake: FakeWhatsApp) -> None:
    """All is recorded, and nothing twice."""
    rng, ids = random.Random(SEED), list[str]()
    async with world.daemon() as daemon, daemon.client() as client:
        await world.link(client)
        await daemon.stop()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_inbound, fake, ids)
        for _ in range(KILLS):
            async with world.daemon() as daemon:
                await trio.sleep(rng.uniform(0.1, 2.0))  # the moment is what is tried here
                await daemon.kill()
    await _all_is_recorded(world, ids, lost_max=0)


async def test_inbound_while_the_gateway_is_stopped(world: World, fake: FakeWhatsApp) -> None:
    """SIGTERM: it writes down what it has, and nothing is lost."""
    rng, ids = random.Random(SEED), list[str]()
    async with world.daemon() as daemon:
        await _inbound_with_signals(world, daemon, fake, ids, [signal.SIGTERM] * KILLS, rng)
        await daemon.stop()
    await _all_is_recorded(world, ids, lost_max=0)


async def test_inbound_while_the_gateway_is_killed(world: World, fake: FakeWhatsApp) -> None:
    """kill -9: what WhatsApp's client had acknowledged and not handed over is lost: bounded, and said aloud."""
    rng, ids = random.Random(SEED), list[str]()
    async with world.daemon() as daemon:
        await _inbound_with_signals(world, daemon, fake, ids, [signal.SIGKILL], rng)
        async with daemon.client() as client:
            session = await client.session_get("vendas")
            assert "messages may have been lost" in str(session.last_error)
        await daemon.stop()
    await _all_is_recorded(world, ids, lost_max=LOSS_MAX)


async def _inbound_with_signals(
    world: World, daemon: Running, fake: FakeWhatsApp, ids: list[str], signals: list[signal.Signals], rng: random.Random
) -> None:
    async with daemon.client() as client:
        await world.link(client)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_inbound, fake, ids)
        for number in signals:
            await trio.sleep(rng.uniform(0.2, 1.5))
            seen = len(fake.events)
            for process in gateways(daemon):
                process.signal(number)
            with trio.fail_after(WAIT_S):
                await fake.until("login", user=ME, after=seen, within_s=WAIT_S)


async def _all_is_recorded(world: World, ids: list[str], *, lost_max: int) -> None:
    """In a last life all that waits comes; each id is there once, but for those that may be lost."""
    async with world.daemon() as daemon, daemon.client() as client:
        last = (await world.fake.do("inbound", account=ME, sender=ANA, text="a última"))["ids"][0]
        await until_received(client, {last})
        with trio.fail_after(LONG_S):
            if lost_max == 0:
                await until_received(client, set(ids))
            await world.fake.do("wait", account=ME, acknowledged=len(ids) + 1)
        await daemon.stop()
    check_database(world.home.database)
    recorded = Counter(row["link_id"] for row in messages_in(world.home.database, "inbound"))
    assert [each for each, count in recorded.items() if count > 1] == []
    assert set(recorded) <= {*ids, last}
    lost = set(ids) - set(recorded)
    assert len(lost) <= lost_max, f"{len(lost)} of {len(ids)} are missing"


class Sending:
    """A client that sends each name once, and again where it got no answer: the name is the idempotency key."""

    def __init__(self, names: list[str]) -> None:
        self.waiting = list(names)

    async def until_gone(self, daemon: Running) -> None:
        with suppress(Disconnected, NoDaemon, RemoteError):
            async with daemon.client() as client:
                while self.waiting:
                    name = self.waiting[0]
                    await client.message_send("vendas", ANA, text=name, message_id=name)
                    self.waiting.remove(name)


async def test_sends_while_gateway_and_daemon_are_killed_in_turn(world: World, fake: FakeWhatsApp) -> None:
    """No content under two ids, none is missing, repeats are what the kills explain, and each ends delivered."""
    rng, names = random.Random(SEED), [f"m{number}" for number in range(SENDS)]
    sending = Sending(names)
    world.home.configure(world.settings({"outbox": {"messages_per_second": 60.0, "burst": 5}}))
    await fake.do("person", user=ANA)
    async with world.daemon() as daemon, daemon.client() as client:
        await world.link(client)
        await daemon.stop()
    for _ in range(KILLS):
        async with world.daemon() as daemon, trio.open_nursery() as nursery:
            seen = len(fake.events)
            nursery.start_soon(sending.until_gone, daemon)
            await fake.until("message", user=ME, after=seen, within_s=WAIT_S)
            await trio.sleep(rng.uniform(0.0, 1.0))
            for process in gateways(daemon):
                process.signal(signal.SIGKILL)
            await fake.until("login", user=ME, after=len(fake.events), within_s=WAIT_S)
            await trio.sleep(rng.uniform(0.0, 1.0))
            await daemon.kill()
            nursery.cancel_scope.cancel()
    await _all_is_delivered(world, sending, len(names))
    await _books_agree(world, set(names))


async def _all_is_delivered(world: World, sending: Sending, count: int) -> None:
    """In a last life. A receipt that WhatsApp's client had acknowledged when it was killed does not come again: that
    it was read, later, does."""
    async with world.daemon() as daemon:
        await sending.until_gone(daemon)
        await world.fake.do("wait", account=ME, received=count, timeout_s=WAIT_S, within_s=WAIT_S + 5)
        await _until_known(world)
        await daemon.stop()


async def _until_known(world: World) -> None:
    """Every message is delivered; those whose receipt died with a gateway (a bounded number) are when they are read."""
    await until_true(lambda: _nothing_comes_any_more(world))
    missing = _undelivered(world)
    assert len(missing) <= LOSS_MAX
    for link_id in missing:
        await world.fake.do("receipt", account=ME, sender=ANA, ids=[link_id], type="read")
    await until_true(lambda: _all_are_delivered(world))


async def _nothing_comes_any_more(world: World) -> bool:
    """Each message that is not delivered is one whose receipt the client has acknowledged already."""
    for link_id in _undelivered(world):
        if not (await world.fake.do("receipt_state", account=ME, id=link_id))["acknowledged"]:
            return False
    return True


async def _all_are_delivered(world: World) -> bool:
    return not _undelivered(world)


def _undelivered(world: World) -> list[str]:
    stored = messages_in(world.home.database)
    return [row["link_id"] for row in stored if row["status"] not in ("delivered", "read")]


async def _books_agree(world: World, names: set[str]) -> None:
    check_database(world.home.database)
    stored = {row["message_id"]: row for row in messages_in(world.home.database)}
    assert set(stored) == names
    ids = defaultdict(set)
    repeats = 0
    for entry in (await world.fake.do("book", account=ME))["outbound"]:
        assert len(entry["hashes"]) == 1, entry
        ids[entry["content"]["text"]].add(entry["id"])
        repeats += entry["stanzas"] - 1
    assert set(ids) == {row["text_content"] for row in stored.values()}
    assert all(len(each) == 1 for each in ids.values()), "a content under two ids"
    assert {row["link_id"] for row in stored.values()} == {each for several in ids.values() for each in several}
    window = 32
    assert repeats <= 2 * KILLS * window, f"{repeats} stanzas repeated"
    assert rows(world.home.database, "SELECT * FROM messages WHERE status = 'failed'") == []
