from statistics import fmean
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from pombal.link.base import Failed, LinkEvent, Receipt, SendRefused, Sent
from pombal.link.simulator.account import KEPT_MAX
from pombal.model.message import MessageStatus
from tests.link.simulator.world import WALL_MS, online, outgoing, running

ID = "id-ana"
DELIVERED, READ = MessageStatus.DELIVERED, MessageStatus.READ


def kinds(events: list[LinkEvent]) -> list[Any]:
    return [event.status if isinstance(event, Receipt) else type(event) for event in events]


async def test_a_send_is_sent_delivered_and_read_in_its_time(autojump_clock: MockClock) -> None:
    async with running(sent_ms=20, delivered_ms=60, read_ms=1000) as network, online(network.open) as reader:
        began = trio.current_time()
        await reader.link.send(outgoing())
        times: list[tuple[float, type[Sent | Receipt]]] = [(0.02, Sent), (0.08, Receipt), (1.08, Receipt)]
        for after_s, expected in times:
            event = await reader.until(expected)
            assert trio.current_time() - began == pytest.approx(after_s, abs=0.0011)
            assert event.timestamp_s == int(WALL_MS / 1000 + trio.current_time())
        assert kinds([d.event for d in reader.seen[-3:]]) == [Sent, DELIVERED, READ]
        assert network.received(ID) == 1


async def test_delays_may_vary(autojump_clock: MockClock) -> None:
    async with running(sent_ms={"median": 100, "p99": 900}) as network, online(network.open) as reader:
        taken = []
        for number in range(20):
            before = trio.current_time()
            await reader.link.send(outgoing(f"3EB0{number}"))
            await reader.until(Sent)
            taken.append(trio.current_time() - before)
    assert len(set(taken)) > 15
    assert fmean(taken) == pytest.approx(0.15, abs=0.1)


async def test_unread_at_read_rate_nought(autojump_clock: MockClock) -> None:
    async with running(read_rate=0) as network, online(network.open) as reader:
        await reader.link.send(outgoing())
        assert kinds(await reader.within(100)) == [Sent, DELIVERED]


async def test_fail_rate_refuses(autojump_clock: MockClock) -> None:
    async with running(fail_rate=1) as network, online(network.open) as reader:
        await reader.link.send(outgoing())
        events = await reader.within(100)
        assert kinds(events) == [Failed]
        assert isinstance(events[0], Failed)
        assert (events[0].link_id, events[0].kind) == ("3EB0AA", "rejected")
        assert network.received(ID) == 0


async def test_rates_are_shares(autojump_clock: MockClock) -> None:
    async with running(fail_rate=0.2, drop_ack_rate=0.25, read_rate=0) as network, online(network.open) as reader:
        for number in range(1000):
            await reader.link.send(outgoing(f"3EB0{number}"))
        seen = kinds(await reader.within(10))
    assert seen.count(Failed) == pytest.approx(200, abs=40)
    assert seen.count(Sent) == pytest.approx(600, abs=50)


async def test_a_dropped_send_is_never_heard_of_and_may_be_sent_again(autojump_clock: MockClock) -> None:
    async with running(drop_ack_rate=1) as network:
        async with online(network.open) as reader:
            await reader.link.send(outgoing())
            assert await reader.within(1000) == []
            assert network.received(ID) == 0
        async with online(network.open, settings={"drop_ack_rate": 0.0}) as reader:
            await reader.link.send(outgoing())
            assert kinds(await reader.within(100)) == [Sent, DELIVERED, READ]
            assert network.received(ID) == 1


async def test_receipts_come_twice_at_duplicate_rate(autojump_clock: MockClock) -> None:
    async with running(duplicate_rate=1) as network, online(network.open) as reader:
        await reader.link.send(outgoing())
        assert kinds(await reader.within(100)) == [Sent, DELIVERED, DELIVERED, READ, READ]


async def test_receipts_overtake_at_reorder_rate(autojump_clock: MockClock) -> None:
    async with running(reorder_rate=1) as network, online(network.open) as reader:
        await reader.link.send(outgoing())
        assert kinds(await reader.within(100)) == [DELIVERED, READ, Sent]


async def test_a_repeated_send_is_answered_again_and_received_once(autojump_clock: MockClock) -> None:
    async with running(fail_rate=0) as network:
        async with online(network.open) as reader:
            assert reader.link.deduplicates
            await reader.link.send(outgoing())
            await reader.until(Sent)
        async with online(network.open, settings={"fail_rate": 1.0}) as reader:  # what was taken is not refused later
            await reader.link.send(outgoing())
            assert (await reader.until(Sent)).link_id == "3EB0AA"
        assert network.received(ID) == 1


async def test_a_network_that_does_not_deduplicate_receives_it_twice(autojump_clock: MockClock) -> None:
    async with running(deduplicates=False) as network, online(network.open) as reader:
        assert not reader.link.deduplicates
        for _ in range(2):
            await reader.link.send(outgoing())
            await reader.until(Sent)
        assert network.received(ID) == 2


async def test_the_same_id_of_another_session_is_another_send(autojump_clock: MockClock) -> None:
    async with running() as network, online(network.open, "ana") as ana, online(network.open, "bia") as bia:
        for reader in (ana, bia):
            await reader.link.send(outgoing())
            await reader.until(Sent)
        assert (network.received("id-ana"), network.received("id-bia")) == (1, 1)


async def test_what_is_remembered_is_bounded(autojump_clock: MockClock) -> None:
    async with running(remembered_sends=10) as network, online(network.open) as reader:
        for number in range(50):
            await reader.link.send(outgoing(f"3EB0{number}"))
        assert len(network._outbound._taken) == 10


@pytest.mark.parametrize("to", ["551198765", "5511980000000"])
async def test_who_is_not_on_whatsapp_is_refused_at_once(autojump_clock: MockClock, to: str) -> None:
    async with running() as network, online(network.open) as reader:
        with pytest.raises(SendRefused, match=to) as caught:
            await reader.link.send(outgoing(to=to))
        assert caught.value.kind == "not_on_whatsapp"
        assert await reader.within(100) == []


async def test_contacts_are_checked_in_their_order(autojump_clock: MockClock) -> None:
    async with running() as network, online(network.open) as reader:
        numbers = ["5511987654321", "5511980000000", "5521912345678"]
        infos = await reader.link.check_contacts(numbers)
    assert [(info.number, info.exists) for info in infos] == list(zip(numbers, (True, False, True), strict=True))
    assert infos[0].canonical_id == "5511987654321@s.whatsapp.net"
    assert (infos[1].canonical_id, infos[1].lid) == (None, None)
    assert len({info.lid for info in infos}) == 3


async def test_the_answer_is_lost_with_the_connection_but_receipts_are_not(autojump_clock: MockClock) -> None:
    async with running(sent_ms=100) as network:
        async with online(network.open) as reader:
            await reader.link.send(outgoing())
        await trio.sleep(10)
        async with online(network.open) as reader:
            assert kinds(await reader.within(100)) == [DELIVERED, READ]


async def test_answers_and_receipts_not_acknowledged_come_again(autojump_clock: MockClock) -> None:
    async with running() as network:
        async with online(network.open) as reader:
            reader.acknowledges = False
            await reader.link.send(outgoing())
            first = await reader.within(100)
        async with online(network.open) as reader:
            assert await reader.within(100) == first
            assert kinds(first) == [Sent, DELIVERED, READ]


async def test_marking_read_is_taken(autojump_clock: MockClock) -> None:
    async with running() as network, online(network.open) as reader:
        await reader.link.mark_read("5511987654321@s.whatsapp.net", "", ["3EB0AA"])
        assert await reader.within(10) == []


async def test_a_sender_who_never_acknowledges_has_to_wait(autojump_clock: MockClock) -> None:
    async with running(read_rate=0, sent_ms=10, delivered_ms=10) as network, online(network.open) as reader:
        reader.acknowledges = False
        sent = 0

        async def send_on() -> None:
            nonlocal sent
            while True:
                await reader.link.send(outgoing(f"3EB0{sent:06}"))
                sent += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_on)
            with trio.move_on_after(100):
                await trio.sleep_forever()
            stopped_at = sent
            assert KEPT_MAX / 3 < stopped_at <= KEPT_MAX
            reader.acknowledges = True
            await reader.within(0.01)
            with trio.fail_after(100):
                while sent == stopped_at:
                    await reader.next()
            nursery.cancel_scope.cancel()
