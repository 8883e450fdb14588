"""Recipients are resolved once, before the first message to them, and nobody else waits for that."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pombal.link.base import ContactInfo, LinkLost, SendRefused
from pombal.model.errors import Kind, PombalError
from pombal.model.params import ContactCheckParams, MessageRefParams
from pombal.session.recipients import ASKED_AT_ONCE
from tests.fakes.link import FakeNetwork, incoming
from tests.fakes.rooms import TO, World, outcome, running

SHORT = "551187654321"  # TO, as WhatsApp knows it since before the ninth digit
HOME = f"{SHORT}@s.whatsapp.net"
LID = "163219856654321@lid"
OTHER = "5511900001111"


@pytest.fixture
async def world(tmp_path: Path, autojump_clock: MockClock) -> AsyncIterator[World]:
    network = FakeNetwork()
    network.resolves = True
    network.directory[TO] = ContactInfo(TO, True, HOME, LID)
    async with running(tmp_path, network=network) as built:
        yield built


async def test_the_first_message_asks_and_the_next_ones_know(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    await world.send("a", message_id="m1")
    await world.until_status("m1", "sent")
    again = await world.send("b", message_id="m2")
    await world.until_status("m2", "sent")
    assert world.network.asked == [[TO]]
    assert [(out.chat_id, out.contact_number) for out in link.sent] == [(HOME, TO)] * 2
    assert (again.message.chat_id, again.message.contact_number, again.message.contact_lid) == (HOME, TO, LID)
    kept = world.message("m1")
    assert (kept.chat_id, kept.contact_number, kept.contact_lid) == (HOME, TO, LID)


async def test_a_link_that_needs_no_resolving_is_not_asked(autojump_clock: MockClock, world: World) -> None:
    world.network.resolves = False
    await world.ready()
    await world.send(message_id="m1")
    await world.until_status("m1", "sent")
    assert world.network.asked == []


@pytest.mark.parametrize("to", ["120363025@g.us", LID])
async def test_groups_and_lids_are_ids_already(autojump_clock: MockClock, world: World, to: str) -> None:
    link = await world.ready()
    await world.send(to=to, message_id="m1")
    await world.until_status("m1", "sent")
    assert (world.network.asked, link.sent[0].chat_id) == ([], to)


async def test_who_wrote_to_us_is_known(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    link.tell(incoming("x", chat_id=HOME, contact_lid=LID, contact_name="Zé"))
    await world.until_true(lambda: world.row().total_messages_received)
    answer = await world.send(message_id="m1")
    assert (answer.message.chat_id, answer.message.contact_name) == (HOME, "Zé")
    await world.until_status("m1", "sent")
    assert world.network.asked == []


async def test_an_answer_that_comes_by_lid_lands_in_the_numbers_chat(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    await world.send(message_id="m1")
    await world.until_status("m1", "sent")
    link.tell(incoming("x", chat_id=LID))
    await world.until_true(lambda: world.row().total_messages_received)
    assert world.connection.execute(
        "SELECT DISTINCT chat_id, contact_number, contact_lid FROM messages"
    ).fetchall() == [(HOME, TO, LID)]


async def test_a_number_that_is_not_on_whatsapp_fails_its_messages_and_no_other(
    autojump_clock: MockClock, world: World
) -> None:
    world.network.directory[TO] = ContactInfo(TO, False)
    world.network.directory[SHORT] = ContactInfo(SHORT, False)
    link = await world.ready()
    for number in range(2):
        await world.send(f"t{number}", message_id=f"m{number}")
    await world.send("other", to=OTHER, message_id="m2")
    await world.until_status("m2", "sent")
    for number in range(2):
        await world.until_status(f"m{number}", "failed")
        failed = world.message(f"m{number}")
        assert (failed.error_kind, TO in (failed.error_detail or "")) == ("not_on_whatsapp", True)
    assert link.texts == ["other"]


async def test_and_may_be_sent_again_once_it_is(autojump_clock: MockClock, world: World) -> None:
    known = world.network.directory.pop(TO)
    world.network.directory |= {TO: ContactInfo(TO, False), SHORT: ContactInfo(SHORT, False)}
    link = await world.ready()
    await world.send(message_id="m1")
    await world.until_status("m1", "failed")
    world.network.directory[TO] = known
    await world.call("message.resend", MessageRefParams(session="ana", message_id="m1"))
    await world.until_status("m1", "sent")
    assert link.sent[0].chat_id == HOME


async def test_whatsapp_is_asked_for_the_other_spelling_too(autojump_clock: MockClock, world: World) -> None:
    world.network.directory = {TO: ContactInfo(TO, False), SHORT: ContactInfo(SHORT, True, HOME, LID)}
    link = await world.ready()
    await world.send(message_id="m1")
    await world.until_status("m1", "sent")
    assert (world.network.asked, link.sent[0].chat_id) == ([[TO], [SHORT]], HOME)
    assert world.message("m1").contact_number == TO


async def test_an_account_without_an_id_is_addressed_by_its_number(autojump_clock: MockClock, world: World) -> None:
    world.network.directory[TO] = ContactInfo(TO, True)
    link = await world.ready()
    await world.send(message_id="m1")
    await world.until_status("m1", "sent")
    assert link.sent[0].chat_id == f"{TO}@s.whatsapp.net"


async def test_nobody_waits_for_the_answer_about_somebody_else(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    await world.send(to=OTHER, message_id="known")
    await world.until_status("known", "sent")
    gate = link.gates["check_contacts"] = trio.Event()
    await world.send("first", message_id="m1")
    await world.send("second", message_id="m2")
    await world.send("other", to=OTHER, message_id="m3")
    await world.until_status("m3", "sent")
    assert world.message("m1").status == "queued"
    gate.set()
    await world.until_status("m2", "sent")
    assert link.texts == ["oi", "other", "first", "second"]


async def test_many_strangers_are_one_question(autojump_clock: MockClock, world: World) -> None:
    world.network.answers = False
    link = await world.ready(settings={})
    gate = link.gates["check_contacts"] = trio.Event()
    for number in range(30):
        await world.send(to=f"55119000{number:05}", message_id=f"m{number}")
    await wait_all_tasks_blocked()
    gate.set()
    await trio.sleep(1)
    assert len(world.network.asked) == 2  # about the first one, and about all that came meanwhile
    assert sorted(number for asked in world.network.asked for number in asked) == [
        f"55119000{number:05}" for number in range(30)
    ]
    assert max(map(len, world.network.asked)) <= ASKED_AT_ONCE
    assert len(link.sent) == 30


async def test_a_cancellation_meanwhile_holds(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    gate = link.gates["check_contacts"] = trio.Event()
    for name in ("m1", "m2"):
        await world.send(name, message_id=name)
    await wait_all_tasks_blocked()
    cancelled = await world.call("message.cancel", MessageRefParams(session="ana", message_id="m1"))
    gate.set()
    await world.until_status("m2", "sent")
    assert (cancelled.status, link.texts) == ("failed", ["m2"])


async def test_a_link_that_is_lost_meanwhile_is_asked_again_when_it_is_back(
    autojump_clock: MockClock, world: World
) -> None:
    link = await world.ready()
    link.failing["check_contacts"] = LinkLost("reset")
    await world.send(message_id="m1")
    await world.until_status("m1", "sent")
    assert world.link() is not link
    assert world.link().sent[0].chat_id == HOME
    assert world.row().restart_count == 0


async def test_a_question_without_an_answer_loses_the_link(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    link.hung.add("check_contacts")
    await world.send(message_id="m1")
    await world.until("ana", "disconnected", "network")
    await world.until_status("m1", "sent")


@pytest.mark.parametrize("refusal", [SendRefused("rate_limited", "slower"), PombalError(Kind.UNAVAILABLE, "slower")])
async def test_what_whatsapp_will_not_say_now_is_asked_again_and_said_aloud(
    autojump_clock: MockClock, world: World, refusal: Exception
) -> None:
    link = await world.ready()
    link.failing["check_contacts"] = refusal
    await world.send(message_id="m1")
    await world.send("other", to="120363025@g.us", message_id="m2")
    await world.until_status("m2", "sent")
    await trio.sleep(60)
    assert "slower" in (world.row().last_error or "")
    assert (world.message("m1").status, world.row().restart_count) == ("queued", 0)
    del link.failing["check_contacts"]
    await world.until_status("m1", "sent")


async def test_a_number_that_was_left_out_of_the_answer_is_asked_again(autojump_clock: MockClock, world: World) -> None:
    await world.ready()
    world.network.directory[TO] = ContactInfo("somebody else", True)
    await world.send(message_id="m1")
    await trio.sleep(10)
    assert (world.message("m1").status, len(world.network.asked) > 1) == ("queued", True)
    del world.network.directory[TO]
    await world.until_status("m1", "sent")


async def test_a_crash_between_the_answer_and_the_send_is_harmless(autojump_clock: MockClock, tmp_path: Path) -> None:
    network = FakeNetwork()
    network.resolves = True
    network.directory[TO] = ContactInfo(TO, True, HOME, LID)
    async with running(tmp_path, network=network) as world:
        link = await world.ready()
        link.hung.add("send")
        await world.send("oi", message_id="m1")
        await wait_all_tasks_blocked()
        assert world.message("m1").is_resolved
    async with running(tmp_path, network=network) as world:
        await world.until_status("m1", "sent")
        assert network.asked == [[TO]]
        assert world.link().sent[0].chat_id == HOME


async def test_the_same_send_again_is_answered_as_it_stands(autojump_clock: MockClock, world: World) -> None:
    await world.ready()
    await world.send("oi", message_id="m1")
    await world.until_status("m1", "sent")
    for to in (TO, SHORT, f"{SHORT}@s.whatsapp.net"):
        answer = await world.send("oi", to=to, message_id="m1")
        assert (answer.created, answer.message.chat_id) == (False, HOME)
    assert await outcome(world.send("oi", to=OTHER, message_id="m1")) == Kind.CONFLICT


async def test_contact_check_teaches(autojump_clock: MockClock, world: World) -> None:
    await world.ready()
    world.network.directory |= {OTHER: ContactInfo(OTHER, False)}
    found = await world.call("contact.check", ContactCheckParams(session="ana", numbers=[SHORT, OTHER]))
    assert [(each.number, each.exists, each.canonical_id, each.lid) for each in found.results] == [
        (TO, True, HOME, LID),
        (OTHER, False, None, None),
    ]
    await world.send(message_id="m1")
    await world.until_status("m1", "sent")
    assert world.network.asked == [[TO, OTHER]]
