"""The way out: in order, once, within the window, and honest about what nobody knows."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pombal.link.base import Failed, LinkLost, Receipt, SendRefused, Sent
from pombal.model.changes import FailQueue
from pombal.model.errors import Kind
from pombal.model.message import MessageStatus
from pombal.model.params import MessageRefParams, SessionNameParams, SessionUpdateParams
from tests.fakes.link import FakeLink, FakeNetwork, incoming, log_in, paired
from tests.fakes.rooms import World, outcome, running

T = TypeVar("T")

ANA = SessionNameParams(name="ana")


def named(message_id: str) -> MessageRefParams:
    return MessageRefParams(session="ana", message_id=message_id)


async def send_many(world: World, count: int, first: int = 0) -> list[str]:
    texts = [f"t{number}" for number in range(first, first + count)]
    for number, text in enumerate(texts, first):
        await world.send(text, message_id=f"m{number}")
    return texts


@pytest.fixture
async def forgetful(tmp_path: Path, autojump_clock: MockClock) -> AsyncIterator[World]:
    """On a network that sends twice what is given to it twice."""
    network = FakeNetwork()
    network.deduplicates = False
    async with running(tmp_path, network=network) as built:
        yield built


# In order


async def test_a_send_is_queued_dispatched_and_sent(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    answer = await world.send("olá", message_id="m1")
    assert (answer.created, answer.message.status, answer.message.dispatched_at) == (True, "queued", None)
    await world.until_status("m1", "sent")
    (out,) = link.sent
    assert (out.link_id, out.chat_id, out.text) == (answer.message.link_id, "5511987654321@s.whatsapp.net", "olá")
    assert world.statuses("m1") == ["sent"]
    assert world.message("m1").dispatched_at is not None
    assert world.seat().outbox.depth == 0


async def test_messages_go_in_the_order_of_their_commit(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    texts = await send_many(world, 200)
    await world.until_status("m199", "sent")
    assert link.texts == texts


async def test_a_queue_that_grew_while_away_goes_first_and_in_order(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()

    async def down(_: FakeLink) -> None:
        raise LinkLost("no route to host")

    world.network.on_open = down
    link.lose()
    await world.until("ana", "disconnected", "network")
    texts = await send_many(world, 700)  # more than a page
    world.network.on_open = log_in
    await world.until("ana", "ready")
    texts += await send_many(world, 50, first=700)
    await world.until_status("m749", "sent")
    assert world.link().texts == texts


async def test_a_message_that_quotes_or_reacts_goes_with_whatsapps_own_ids(
    autojump_clock: MockClock, world: World
) -> None:
    link = await world.ready()
    link.tell(incoming("3EB0FF", chat_id="5511987654321@s.whatsapp.net"))
    await world.until_true(lambda: world.row().total_messages_received)
    (message_id,) = world.connection.execute("SELECT message_id FROM messages WHERE link_id = '3EB0FF'").fetchone()
    await world.send("sim", quoted_message_id=message_id, message_id="m1")
    await world.send(text=None, type="reaction", reaction={"message_id": message_id, "emoji": "👍"}, message_id="m2")
    await world.until_status("m2", "sent")
    quote, reaction = link.sent
    assert quote.quoted_link_id == "3EB0FF"
    assert reaction.content is not None
    assert reaction.content["reaction"]["link_id"] == "3EB0FF"


# The window


async def test_at_most_so_many_are_unacknowledged(autojump_clock: MockClock, world: World) -> None:
    world.network.answers = False
    link = await world.ready()
    await send_many(world, 100)
    await wait_all_tasks_blocked()
    assert len(link.sent) == 32
    link.tell(Sent(link.sent[0].link_id), Sent(link.sent[1].link_id))
    await world.until_status("m1", "sent")
    await wait_all_tasks_blocked()
    assert len(link.sent) == 34
    link.tell(Failed(link.sent[2].link_id, "rejected"))
    await world.until_status("m2", "failed")
    await wait_all_tasks_blocked()
    assert len(link.sent) == 35


async def test_the_overdue_are_told_once_and_do_not_block_the_window(autojump_clock: MockClock, world: World) -> None:
    world.network.answers = False
    link = await world.ready()
    await send_many(world, 40)
    await trio.sleep(35)
    assert len(link.sent) == 40
    await trio.sleep(300)
    overdue = world.events("message.overdue")
    assert len(overdue) == 40
    assert all(30_000 < event["waited_ms"] < 33_000 for event in overdue)
    assert "wait for WhatsApp's acknowledgement" in (world.row().last_error or "")
    link.tell(Sent(link.sent[0].link_id))  # late, but it came
    await world.until_status("m0", "sent")
    assert world.seat().outbox.depth == 39


async def test_a_link_that_does_not_even_take_a_message_counts_as_lost(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    link.hung.add("send")
    await send_many(world, 3)
    await world.until_true(lambda: ("disconnected", "network") in world.states())
    assert 30 <= trio.current_time() <= 32, "it is looked for once a second"
    await world.until_status("m2", "sent")
    assert world.link().texts == ["t0", "t1", "t2"]


async def test_a_link_that_hangs_is_seen_also_when_its_message_has_gone(
    autojump_clock: MockClock, world: World
) -> None:
    link = await world.ready()
    link.hung.add("send")
    await send_many(world, 1)
    await world.until_true(lambda: world.seat().outbox.in_flight)
    link.tell(Sent(world.message("m0").link_id))
    await world.until_status("m0", "sent")
    assert not world.seat().outbox.in_flight
    await world.until_true(lambda: ("disconnected", "network") in world.states())


# Failures


async def test_what_the_link_refuses_fails_and_holds_nobody_up(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    link.failing["send"] = SendRefused("not_on_whatsapp", "the number is not on WhatsApp \ud800")
    await world.send(message_id="m0")
    await world.until_status("m0", "failed")
    del link.failing["send"]
    await world.send(message_id="m1")
    await world.until_status("m1", "sent")
    failed = world.message("m0")
    assert (failed.error_kind, failed.error_detail) == ("not_on_whatsapp", "the number is not on WhatsApp \ufffd")
    assert world.row().restart_count == 0


async def test_a_receipt_is_proof_against_a_failure(autojump_clock: MockClock, world: World) -> None:
    world.network.answers = False
    link = await world.ready()
    await world.send(message_id="m1")
    await wait_all_tasks_blocked()
    link_id = link.sent[0].link_id
    link.tell(Failed(link_id, "rejected"), Receipt((link_id,), MessageStatus.DELIVERED))
    await world.until_status("m1", "delivered")
    assert world.statuses("m1") == ["failed", "delivered"]


async def test_expired_messages_never_go_out(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with running(tmp_path, sections={"outbox": {"max_age_s": 60.0}}) as world:
        link = await world.ready()

        async def down(_: FakeLink) -> None:
            raise LinkLost("no route to host")

        world.network.on_open = down
        link.lose()
        await world.until("ana", "disconnected", "network")
        await world.send("old", message_id="old")
        await trio.sleep(61)
        await world.send("new", message_id="new")
        world.network.on_open = log_in
        await world.until_status("new", "sent")
        assert world.link().texts == ["new"]
        await world.recorder.commit(
            FailQueue(at=world.clock(), session_key=None, error_kind="expired", error_detail="", limit=500)
        )
        assert world.message("old").status == "failed"
        assert world.seat().outbox.depth == 0


# Lost links, on a network that knows a message by its id


async def test_the_unacknowledged_go_first_again_under_the_same_id(autojump_clock: MockClock, world: World) -> None:
    world.network.answers = False
    link = await world.ready()
    await send_many(world, 3)
    await wait_all_tasks_blocked()
    first = [message.link_id for message in link.sent]
    link.tell(Sent(first[1]))
    await world.until_status("m1", "sent")
    link.lose()
    await world.until("ana", "disconnected", "network")
    await world.send("t3", message_id="m3")
    world.network.answers = True
    await world.until_status("m3", "sent")
    assert world.link().texts == ["t0", "t2", "t3"]
    assert [message.link_id for message in world.link().sent][:2] == [first[0], first[2]]
    assert set(world.account().received.values()) == {1}


async def test_a_send_that_met_a_lost_link_goes_again(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    link.failing["send"] = LinkLost("reset")
    await world.send("oi", message_id="m1")
    await world.until_status("m1", "sent")
    assert world.link() is not link
    assert world.link().texts == ["oi"]


# … and on one that does not


async def test_the_dispatch_is_on_disk_first(autojump_clock: MockClock, forgetful: World) -> None:
    link = await forgetful.ready()
    seen: list[Any] = []
    send = link.send

    async def look(message: Any) -> None:
        seen.append(forgetful.message("m1").dispatched_at)
        await send(message)

    link.send = look  # type: ignore[method-assign]
    await forgetful.send(message_id="m1")
    await forgetful.until_status("m1", "sent")
    assert seen[0] is not None
    assert link.texts == ["oi"]


async def test_without_an_answer_it_is_uncertain_and_never_sent_again(
    autojump_clock: MockClock, forgetful: World
) -> None:
    forgetful.network.answers = False
    link = await forgetful.ready()
    await send_many(forgetful, 2)
    await wait_all_tasks_blocked()
    link.lose()
    await forgetful.until("ana", "disconnected", "network")
    await forgetful.send("never dispatched", message_id="m2")
    forgetful.network.answers = True
    await forgetful.until_status("m2", "sent")
    for message_id in ("m0", "m1"):
        row = forgetful.message(message_id)
        assert (row.status, row.error_kind) == ("uncertain", "unanswered")
    assert forgetful.link().texts == ["never dispatched"]
    assert set(forgetful.account().received.values()) == {1}
    await trio.sleep(1000)
    assert forgetful.message("m0").status == "uncertain"


async def test_a_send_interrupted_before_the_link_had_it_is_uncertain_too(
    autojump_clock: MockClock, forgetful: World
) -> None:
    """Nobody can tell how far it came."""
    link = await forgetful.ready()
    link.failing["send"] = LinkLost("reset")
    await forgetful.send(message_id="m1")
    await forgetful.until_status("m1", "uncertain")
    assert forgetful.account().sends == []


async def test_a_late_answer_is_proof(autojump_clock: MockClock, forgetful: World) -> None:
    forgetful.network.answers = False
    link = await forgetful.ready()
    await forgetful.send(message_id="m1")
    await wait_all_tasks_blocked()
    link_id = link.sent[0].link_id
    link.lose()
    await forgetful.until_status("m1", "uncertain")
    forgetful.link().tell(Receipt((link_id,), MessageStatus.READ))
    await forgetful.until_status("m1", "read")
    assert forgetful.message("m1").error_kind is None


async def test_a_person_may_send_an_uncertain_one_again(autojump_clock: MockClock, forgetful: World) -> None:
    forgetful.network.answers = False
    link = await forgetful.ready()
    await forgetful.send(message_id="m1")
    await wait_all_tasks_blocked()
    link_id = link.sent[0].link_id
    link.lose()
    await forgetful.until_status("m1", "uncertain")
    forgetful.network.answers = True
    queued = await forgetful.call("message.resend", named("m1"))
    assert (queued.status, queued.link_id, queued.error) == ("queued", link_id, None)
    await forgetful.until_status("m1", "sent")
    assert forgetful.link().sent[0].link_id == link_id


@pytest.mark.parametrize("deduplicates", [True, False])
async def test_over_a_restart_of_the_daemon(autojump_clock: MockClock, tmp_path: Path, deduplicates: bool) -> None:
    network = FakeNetwork()
    network.deduplicates, network.answers = deduplicates, False
    async with running(tmp_path, network=network) as world:
        await world.ready()
        await send_many(world, 2)
        await wait_all_tasks_blocked()
    network.answers = True
    async with running(tmp_path, network=network) as world:
        await world.send("t2", message_id="m2")
        await world.until_status("m2", "sent")
        expected = "sent" if deduplicates else "uncertain"
        assert [world.message(f"m{number}").status for number in range(2)] == [expected] * 2
        assert set(world.account().received.values()) == {1}
        assert len(world.account().received) == 3


# Cancelling


async def test_a_waiting_message_is_cancelled(autojump_clock: MockClock, world: World) -> None:
    await world.create()
    await world.call("session.stop", ANA)
    await world.call("session.start", ANA)
    world.network.answers = False
    await world.until("ana", "ready")
    await send_many(world, 40)
    await wait_all_tasks_blocked()
    cancelled = await world.call("message.cancel", named("m39"))
    assert (cancelled.status, cancelled.error.kind) == ("failed", "cancelled")
    for flight in world.link().sent:
        world.link().tell(Sent(flight.link_id))
    await world.until_status("m38", "queued")
    await wait_all_tasks_blocked()
    assert "t39" not in world.link().texts
    assert "t38" in world.link().texts


async def test_one_on_its_way_is_not(autojump_clock: MockClock, world: World) -> None:
    world.network.answers = False
    await world.ready()
    await world.send(message_id="m1")
    await wait_all_tasks_blocked()
    assert await outcome(world.call("message.cancel", named("m1"))) == Kind.CONFLICT
    assert await outcome(world.call("message.cancel", named("unknown"))) == Kind.NOT_FOUND


async def test_a_cancelled_message_never_goes_out_however_the_two_race(autojump_clock: MockClock, world: World) -> None:
    """The cancellation waits for its commit while the link comes back and asks for the queue."""
    link = await world.ready()

    async def later(_: FakeLink) -> None:
        await trio.sleep(1)
        raise LinkLost("no route to host")

    world.network.on_open = later
    link.lose()
    await world.until("ana", "disconnected", "network")
    await send_many(world, 2)
    world.store.held = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.call, "message.cancel", named("m0"))
        await wait_all_tasks_blocked()
        world.network.on_open = log_in
        await trio.sleep(10)
        world.store.held.set()
    await world.until_status("m1", "sent")
    assert world.link().texts == ["t1"]
    assert world.message("m0").status == "failed"


async def test_a_message_cannot_be_cancelled_while_it_is_being_made_ready(
    autojump_clock: MockClock, world: World
) -> None:
    """What it quotes is looked up first; a cancellation meanwhile must win or lose, never both."""
    link = await world.ready()
    link.tell(incoming("3EB0FF"))
    await world.until_true(lambda: world.row().total_messages_received)
    (quoted,) = world.connection.execute("SELECT message_id FROM messages").fetchone()
    slow, run = trio.Event(), world.reader.run

    async def slowly(query: Callable[[sqlite3.Connection], T]) -> T:
        answer = await run(query)
        if isinstance(answer, str):  # a link_id
            await slow.wait()
        return answer

    world.reader.run = slowly  # type: ignore[method-assign]
    await world.send("sim", quoted_message_id=quoted, message_id="m1")
    await wait_all_tasks_blocked()
    cancelled = await world.call("message.cancel", named("m1"))
    slow.set()
    await trio.sleep(5)
    assert cancelled.status == "failed"
    assert link.sent == []
    assert world.message("m1").status == "failed"


async def test_a_canceller_who_goes_away_does_not_let_the_message_out(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready(settings={"messages_per_second": 0.1, "burst": 1})
    await send_many(world, 3)
    await world.until_status("m0", "sent")
    held = world.store.held = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.call, "message.cancel", named("m1"))
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    await trio.sleep(15)
    assert link.texts == ["t0", "t2"]
    world.store.held = None
    held.set()
    await world.until_status("m1", "failed")
    await trio.sleep(15)
    assert link.texts == ["t0", "t2"]


async def test_one_that_cannot_be_cancelled_goes_out_after_all(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready(settings={"messages_per_second": 0.1, "burst": 1})
    await send_many(world, 2)
    await world.until_status("m0", "sent")
    world.store.down = "the disk is full"
    assert await outcome(world.call("message.cancel", named("m1"))) == Kind.UNAVAILABLE
    world.store.down = None
    await world.until_status("m1", "sent")
    assert link.texts == ["t0", "t1"]


async def test_only_what_failed_or_is_uncertain_goes_again(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    link.failing["send"] = SendRefused("not_on_whatsapp", "no")
    await world.send(message_id="m1")
    await world.until_status("m1", "failed")
    del link.failing["send"]
    again = await world.call("message.resend", named("m1"))
    assert (again.status, again.failed_at) == ("queued", None)
    await world.until_status("m1", "sent")
    assert await outcome(world.call("message.resend", named("m1"))) == Kind.CONFLICT
    await world.call("session.stop", ANA)
    assert await outcome(world.call("message.resend", named("m1"))) == Kind.NOT_READY


# Pacing


async def test_the_simulator_is_not_paced_but_where_its_session_asks_for_it(
    autojump_clock: MockClock, world: World
) -> None:
    await world.ready("ana")
    await send_many(world, 100)
    await world.until_status("m99", "sent")
    assert trio.current_time() == 0
    await world.ready("bia", settings={"messages_per_second": 2.0, "burst": 3})
    for number in range(9):
        await world.send(session="bia", message_id=f"m{number}")
    await world.until_status("m8", "sent", "bia")
    assert trio.current_time() == pytest.approx(3.0, abs=0.01)


async def test_another_pace_applies_at_once(autojump_clock: MockClock, world: World) -> None:
    await world.ready("ana", settings={"messages_per_second": 0.01, "burst": 1})
    await send_many(world, 2)
    await world.until_status("m0", "sent")
    update = SessionUpdateParams(name="ana", settings={"messages_per_second": 10.0, "burst": 5})
    await world.call("session.update", update)
    await send_many(world, 8, first=2)
    await world.until_status("m9", "sent")
    assert trio.current_time() < 110  # the one that had its turn already waited for it


async def test_who_may_not_send_keeps_its_queue(autojump_clock: MockClock, world: World) -> None:
    """Authenticated is not ready: messages are accepted, and wait."""

    async def syncing(link: FakeLink) -> None:
        link.tell(paired())

    world.network.on_open = syncing
    await world.create()
    await world.until("ana", "authenticated")
    await world.send(message_id="m1")
    await trio.sleep(5)
    assert world.link().sent == []
    await log_in(world.link())
    await world.until_status("m1", "sent")
