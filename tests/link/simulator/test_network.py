import gc
import tracemalloc
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from pombal.config.settings import SimulatorSettings
from pombal.link.base import Delivery, Ended, EndKind, IncomingMessage, Link, LinkLost, OpenLink, Ready
from pombal.link.simulator import SimulatedNetwork
from pombal.model.errors import Kind, PombalError
from tests.link.simulator.world import Reader, TrioClock, context, online, outgoing, running

ID = "id-ana"
MARIA = "5511987654321"


def transcript(seed: int) -> list[tuple[float, Delivery]]:
    """All that one account sees in ten minutes of a lively network."""
    seen: list[tuple[float, Delivery]] = []

    async def play() -> None:
        rates: dict[str, Any] = dict.fromkeys(("fail_rate", "duplicate_rate", "reorder_rate"), 0.1)
        times = ("connect_ms", "sent_ms", "delivered_ms", "read_ms")
        delays: dict[str, Any] = {name: {"median": 100, "p99": 900} for name in times}
        async with running(seed=seed, inbound_rate=1, disconnect_every_s=100, **rates, **delays) as network:
            for round_ in range(5):
                async with network.open(context()) as link:
                    await use(network, link, round_)

    async def use(network: SimulatedNetwork, link: Link, round_: int) -> None:
        try:
            while True:
                for delivery in await link.receive():
                    seen.append((trio.current_time(), delivery))
                    link.acknowledge(delivery.seq)
                    if isinstance(delivery.event, Ready):
                        for number in range(20):
                            await link.send(outgoing(f"3EB0{round_}{number}"))
                        await network.inject(ID, MARIA, count=3)
        except LinkLost:
            return

    trio.run(play, clock=MockClock(autojump_threshold=0))
    return seen


def test_the_same_seed_and_the_same_calls_make_the_same_network() -> None:
    first, again, other = transcript(7), transcript(7), transcript(8)
    assert first == again
    assert len(first) > 500
    assert [d for _, d in first] != [d for _, d in other]


def test_what_people_write_depends_on_neither_neighbours_nor_our_own_sends() -> None:
    async def read(*, busy: bool) -> list[str | None]:
        async with running(seed=7, inbound_rate=1) as network, online(network.open) as ana:
            if busy:
                await ana.link.send(outgoing())
                async with online(network.open, "bia"):
                    await network.inject("id-bia", MARIA)
            return [message.text for message in await ana.take(IncomingMessage, 30)]

    quiet, busy = (trio.run(partial(read, busy=busy), clock=MockClock(autojump_threshold=0)) for busy in (False, True))
    assert quiet == busy


async def test_a_network_is_an_open_link(autojump_clock: MockClock) -> None:
    async with running() as network:
        open_link: OpenLink = network.open
        async with online(open_link) as reader:
            link: Link = reader.link
            assert link.is_alive
        assert not link.is_alive


async def test_who_opens_an_account_again_replaces_the_older(autojump_clock: MockClock) -> None:
    async with running() as network, online(network.open) as older, online(network.open) as newer:
        assert (await older.until(Ended)).kind == EndKind.REPLACED
        for use in (older.link.receive, older.link.probe, older.link.logout):
            with pytest.raises(LinkLost):
                await use()
        with pytest.raises(LinkLost):
            await older.link.send(outgoing())
        await network.inject(ID, MARIA)
        await newer.until(IncomingMessage)


async def test_closing_the_older_leaves_the_newer_alone(autojump_clock: MockClock) -> None:
    async with running() as network:
        older = network.open(context())
        await older.__aenter__()
        async with online(network.open) as newer:
            await older.__aexit__(None, None, None)
            assert newer.link.is_alive
            await network.inject(ID, MARIA)
            assert not (await newer.until(IncomingMessage)).offline


async def test_cancelling_closes_at_once(autojump_clock: MockClock) -> None:
    async with running() as network:
        began = None
        with trio.move_on_after(10):
            async with online(network.open) as reader:
                await reader.next()
        began = trio.current_time()
        assert not reader.link.is_alive
        await network.inject(ID, MARIA)
        assert trio.current_time() == began
        async with online(network.open) as reader:
            assert (await reader.until(IncomingMessage)).offline


async def test_a_network_that_does_not_run_does_not_answer(autojump_clock: MockClock) -> None:
    network = SimulatedNetwork(SimulatorSettings(enabled=True), TrioClock())
    with pytest.raises(LinkLost, match="does not answer"):
        async with network.open(context()):
            pass


async def test_connections_are_lost_when_the_network_stops(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        network = SimulatedNetwork(SimulatorSettings(enabled=True, auto_scan_ms=0), TrioClock())
        await nursery.start(network.run)
        async with online(network.open) as reader:
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
                with pytest.raises(LinkLost, match="stopped"):
                    await reader.next()


async def test_a_network_may_run_again_and_knows_its_accounts(autojump_clock: MockClock) -> None:
    network = SimulatedNetwork(SimulatorSettings(enabled=True, auto_scan_ms=0), TrioClock())
    for _ in range(2):
        async with trio.open_nursery() as nursery:
            await nursery.start(network.run)
            async with online(network.open):
                await network.inject(ID, MARIA)
            nursery.cancel_scope.cancel()
    async with trio.open_nursery() as nursery:
        await nursery.start(network.run)
        async with online(network.open) as reader:
            assert len(await reader.take(IncomingMessage, 2)) == 2
        nursery.cancel_scope.cancel()


async def test_a_deleted_session_is_forgotten(autojump_clock: MockClock) -> None:
    async with running(inbound_rate=5) as network:
        network.forget("never heard of")
        async with online(network.open) as reader:
            await reader.link.send(outgoing())
            network.forget(ID)
            with pytest.raises(LinkLost, match="deleted"):
                await reader.until(Ended)
        with pytest.raises(PombalError) as caught:
            await network.inject(ID, MARIA)
        assert caught.value.kind == Kind.NOT_FOUND
        await trio.sleep(100)
        wakeups = network.wakeups
        await trio.sleep(100)
        assert network.wakeups == wakeups


async def test_bad_settings_are_refused_before_connecting(autojump_clock: MockClock) -> None:
    async with running() as network:
        with pytest.raises(PombalError, match=r"settings\.read_rate") as caught:
            network.open(context(settings={"read_rate": 7}))
        assert caught.value.kind == Kind.INVALID


async def test_changed_settings_count_from_the_next_connection(autojump_clock: MockClock) -> None:
    async with running() as network:
        async with online(network.open) as reader:
            assert reader.link.deduplicates
        async with online(network.open, settings={"deduplicates": False}) as reader:
            assert not reader.link.deduplicates


async def test_ten_thousand_accounts_cost_memory_and_no_time(autojump_clock: MockClock) -> None:
    count = 10_000
    async with running(auto_scan_ms=10) as network, trio.open_nursery() as nursery:
        ready = trio.Semaphore(0)

        async def session(number: int) -> None:
            async with network.open(context(f"s{number}")) as link:
                reader = Reader(link)
                await reader.until(Ready)
                reader.seen.clear()
                ready.release()
                await reader.next()

        for number in range(count):
            nursery.start_soon(session, number)
        for _ in range(count):
            await ready.acquire()
        assert network.wakeups < 1000  # timers share wake-ups
        wakeups = network.wakeups
        await trio.sleep(3600)
        assert network.wakeups == wakeups
        nursery.cancel_scope.cancel()


async def test_an_idle_account_and_its_connection_take_less_than_four_kibibytes(autojump_clock: MockClock) -> None:
    count = 1000
    async with running(auto_scan_ms=10) as network:
        gc.collect()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            links = [network.open(context(f"s{number}")) for number in range(count)]
            for link in links:
                await link.__aenter__()
            await trio.sleep(1)
            for link in links:
                link.acknowledge((await link.receive())[-1].seq)
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert all(link.is_ready for link in links)
        assert (after - before) / count < 4096
