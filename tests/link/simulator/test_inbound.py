from statistics import fmean

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pombal.link.base import Delivery, IncomingMessage
from pombal.link.simulator.account import KEPT_MAX, UNACKNOWLEDGED_MAX
from pombal.model.errors import Kind, PombalError
from pombal.model.message import MessageType
from tests.link.simulator.world import WALL_MS, Reader, TrioClock, context, online, running

ID = "id-ana"
MARIA = "5511987654321"


async def test_an_injected_message_is_handed_over_as_it_was_written(autojump_clock: MockClock) -> None:
    async with running() as network, online(network.open) as reader:
        link_ids = await network.inject(ID, "+55 11 8765-4321", "Olá, ção 👍🏽\0\ud83d")
        message = await reader.until(IncomingMessage)
        assert [message.link_id] == link_ids
        assert message.chat_id == f"{MARIA}@s.whatsapp.net"
        assert (message.contact_number, message.participant, message.offline) == (MARIA, "", False)
        assert message.contact_name
        assert (message.contact_lid or "").endswith("@lid")
        assert message.text == "Olá, ção 👍🏽\0\ud83d"
        assert message.timestamp_s == int(WALL_MS / 1000 + trio.current_time())


async def test_many_at_once_have_ids_and_small_talk_of_their_own(autojump_clock: MockClock) -> None:
    async with running() as network, online(network.open) as reader:
        link_ids = await network.inject(ID, MARIA, count=300)
        messages = await reader.take(IncomingMessage, 300)
        assert [message.link_id for message in messages] == link_ids
        assert len(set(link_ids)) == 300
        assert len({message.text for message in messages}) > 100
        assert [d.seq for d in reader.seen] == list(range(1, len(reader.seen) + 1))


async def test_groups_and_lids_can_write(autojump_clock: MockClock) -> None:
    async with running() as network, online(network.open) as reader:
        await network.inject(ID, "120363041234567890@g.us", "oi, gente")
        group = await reader.until(IncomingMessage)
        assert group.chat_id == "120363041234567890@g.us"
        assert group.participant == f"{group.contact_number}@s.whatsapp.net"
        await network.inject(ID, "123456789012345@lid", "oi")
        hidden = await reader.until(IncomingMessage)
        assert (hidden.chat_id, hidden.contact_lid) == ("123456789012345@lid", "123456789012345@lid")
        assert (hidden.contact_number, hidden.participant) == (None, "")


@pytest.mark.parametrize("message_type", list(MessageType))
async def test_every_type_can_be_written(autojump_clock: MockClock, message_type: MessageType) -> None:
    async with running() as network, online(network.open) as reader:
        await network.inject(ID, MARIA, message_type=message_type)
        message = await reader.until(IncomingMessage)
        assert message.message_type == message_type
        assert (message.text is not None) == (message_type == MessageType.TEXT)
        with_content = {MessageType.LOCATION, MessageType.CONTACT, MessageType.REACTION}
        assert list(message.content or {}) == ([message_type.value] if message_type in with_content else [])


async def test_what_comes_while_disconnected_waits_and_is_marked_offline(autojump_clock: MockClock) -> None:
    async with running() as network:
        async with online(network.open):
            pass
        offline = await network.inject(ID, MARIA, count=3)
        async with online(network.open) as reader:
            live = await network.inject(ID, MARIA)
            messages = await reader.take(IncomingMessage, 4)
        assert [(m.link_id, m.offline) for m in messages] == [*((each, True) for each in offline), (live[0], False)]


async def test_what_is_not_acknowledged_comes_again_in_order_under_higher_numbers(autojump_clock: MockClock) -> None:
    async with running() as network:
        async with online(network.open) as reader:
            link_ids = await network.inject(ID, MARIA, count=5)
            reader.acknowledges = False
            first = await reader.take(IncomingMessage, 5)
            reader.link.acknowledge(reader.seen[-4].seq)  # the first two
            highest = reader.seen[-1].seq
        async with online(network.open) as reader:
            again = await reader.take(IncomingMessage, 3)
            assert again == first[2:]
            assert [message.link_id for message in again] == link_ids[2:]
            assert [d.seq for d in reader.seen] == list(range(highest + 1, highest + 1 + len(reader.seen)))
        async with online(network.open) as reader:
            assert await reader.within(100) == []


async def test_a_late_acknowledgement_of_an_old_connection_drops_nothing_new(autojump_clock: MockClock) -> None:
    async with running() as network:
        async with online(network.open) as old:
            await network.inject(ID, MARIA)
            old.acknowledges = False
            message = await old.until(IncomingMessage)
        async with network.open(context()) as link:
            old.link.acknowledge(old.seen[-1].seq)
            assert await Reader(link).until(IncomingMessage) == message


async def test_an_acknowledgement_after_closing_still_counts(autojump_clock: MockClock) -> None:
    async with running() as network:
        async with online(network.open) as reader:
            await network.inject(ID, MARIA)
            reader.acknowledges = False
            await reader.until(IncomingMessage)
        reader.link.acknowledge(reader.seen[-1].seq)
        async with online(network.open) as reader:
            assert await reader.within(100) == []


async def test_a_consumer_that_stops_acknowledging_stops_the_stream(autojump_clock: MockClock) -> None:
    async with running() as network, online(network.open) as reader:
        link_ids = await network.inject(ID, MARIA, count=UNACKNOWLEDGED_MAX + 500)
        reader.acknowledges = False
        first = await reader.within(100)
        assert len(first) == UNACKNOWLEDGED_MAX
        reader.link.acknowledge(reader.seen[-1].seq - UNACKNOWLEDGED_MAX + 200)
        reader.acknowledges = True
        rest = [first[-1], *await reader.within(100)]
        assert [each.link_id for each in [*first, *rest[1:]] if isinstance(each, IncomingMessage)] == link_ids


async def test_whoever_waits_is_given_the_rest_as_soon_as_something_is_acknowledged(autojump_clock: MockClock) -> None:
    async with running() as network, online(network.open) as reader:
        reader.acknowledges = False
        await network.inject(ID, MARIA, count=UNACKNOWLEDGED_MAX + 1)
        first = await reader.within(100)
        received: list[Delivery] = []

        async def receive() -> None:
            with trio.fail_after(100):
                received.extend(await reader.link.receive())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            await wait_all_tasks_blocked()
            reader.link.acknowledge(reader.seen[-1].seq)
    assert (len(first), len(received)) == (UNACKNOWLEDGED_MAX, 1)


async def test_what_waits_for_one_account_is_bounded(autojump_clock: MockClock) -> None:
    async with running() as network:
        async with online(network.open):
            pass
        await network.inject(ID, MARIA, count=KEPT_MAX - 1)
        with pytest.raises(PombalError, match="9999 messages waiting") as caught:
            await network.inject(ID, MARIA, count=2)
        assert caught.value.kind == Kind.UNAVAILABLE
        await network.inject(ID, MARIA)


@pytest.mark.parametrize(
    ("from_", "count", "says"),
    [(MARIA, 0, "count is 0"), (MARIA, KEPT_MAX + 1, "1 to 10000"), ("maria", 1, "no phone number")],
)
async def test_bad_injections_are_refused(autojump_clock: MockClock, from_: str, count: int, says: str) -> None:
    async with running() as network, online(network.open):
        with pytest.raises(PombalError, match=says) as caught:
            await network.inject(ID, from_, "oi", count=count)
        assert caught.value.kind == Kind.INVALID


async def test_only_a_paired_account_can_be_written_to(autojump_clock: MockClock) -> None:
    async with running(auto_scan_ms=None) as network:
        with pytest.raises(PombalError) as caught:
            await network.inject(ID, MARIA)
        assert caught.value.kind == Kind.NOT_FOUND
        async with network.open(context()):
            with pytest.raises(PombalError, match="not paired") as caught:
                await network.inject(ID, MARIA)
            assert caught.value.kind == Kind.NOT_READY


async def test_people_write_by_themselves_at_the_rate_that_is_set(autojump_clock: MockClock) -> None:
    async with running(inbound_rate=5, contacts=7) as network, online(network.open) as reader:
        messages = [event for event in await reader.within(400) if isinstance(event, IncomingMessage)]
    assert len(messages) == pytest.approx(2000, rel=0.1)
    assert len({message.chat_id for message in messages}) == 7
    assert len({message.contact_name for message in messages}) > 1
    assert not any(message.offline for message in messages)
    assert len({message.link_id for message in messages}) == len(messages)


async def test_rates_beyond_a_timer_each_are_kept(autojump_clock: MockClock) -> None:
    async with running(inbound_rate=5000) as network, online(network.open) as reader:
        before = network.wakeups
        assert len(await reader.within(2)) == pytest.approx(10_000, rel=0.1)
        assert network.wakeups - before < 5000


async def test_people_stop_writing_to_who_does_not_acknowledge_and_go_on_afterwards(autojump_clock: MockClock) -> None:
    async with running(inbound_rate=100) as network, online(network.open) as reader:
        reader.acknowledges = False
        assert len(await reader.within(1000)) == UNACKNOWLEDGED_MAX
        wakeups = network.wakeups
        await trio.sleep(1000)
        assert network.wakeups - wakeups <= 1
        reader.acknowledges = True
        reader.link.acknowledge(reader.seen[-1].seq)
        assert len(await reader.within(5)) == pytest.approx(500, rel=0.3)


async def test_people_write_on_while_we_are_offline_but_not_without_end(autojump_clock: MockClock) -> None:
    async with running(inbound_rate=1) as network:
        async with online(network.open):
            await trio.sleep(10)
        await trio.sleep(20_000)
        async with online(network.open) as reader:
            kept = [event for event in await reader.within(0.01) if isinstance(event, IncomingMessage)]
    assert len(kept) == UNACKNOWLEDGED_MAX
    assert fmean(message.offline for message in kept) > 0.95


async def test_nobody_writes_to_a_device_that_was_logged_out(autojump_clock: MockClock) -> None:
    async with running(inbound_rate=10) as network:
        async with online(network.open) as reader:
            await reader.link.logout()
        await trio.sleep(1000)
        wakeups = network.wakeups
        await trio.sleep(1000)
        assert network.wakeups == wakeups


async def test_inbound_messages_come_twice_at_duplicate_rate(autojump_clock: MockClock) -> None:
    async with running(duplicate_rate=0.5) as network, online(network.open) as reader:
        link_ids = await network.inject(ID, MARIA, count=400)
        seen = [event.link_id for event in await reader.within(1) if isinstance(event, IncomingMessage)]
    assert list(dict.fromkeys(seen)) == link_ids
    assert len(seen) - 400 == pytest.approx(200, abs=40)


async def test_the_simulated_whatsapp_keeps_its_own_time(autojump_clock: MockClock) -> None:
    clock = TrioClock()
    async with running(clock=clock) as network, online(network.open) as reader:
        clock.turned_ms = -3_600_000  # the host's wall clock jumps back an hour
        await network.inject(ID, MARIA)
        message = await reader.until(IncomingMessage)
        assert message.timestamp_s == int(WALL_MS / 1000 + trio.current_time())
        assert reader.link.last_frame_at_ms == clock().wall_ms
