"""What links bring: each event as a plain function, whatever is in it; and recorded once, acknowledged after that."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from pombal.link import base
from pombal.link.base import (
    Edited,
    Failed,
    Garbage,
    IncomingMessage,
    LinkLost,
    Qr,
    Ready,
    Receipt,
    Restricted,
    Revoked,
    Sent,
)
from pombal.model import changes
from pombal.model.changes import Change
from pombal.model.clock import Stamp
from pombal.model.message import Direction, MessageStatus, MessageType, Origin
from pombal.model.params import SessionNameParams
from pombal.model.times import LATEST_MS
from pombal.session.intake import RAW_MAX_CHARACTERS, changes_of
from tests.fakes.link import incoming
from tests.fakes.rooms import WALL_MS, World, running

AT = Stamp(1_750_000_000_123, 5_000)
NASTY = "a\0b\ud83dc\udfff😵\u202e"
MENDED = "a\ufffdb\ufffdc\ufffd😵\u202e"


def one(event: base.LinkEvent) -> Any:
    (change,) = changes_of(event, 7, AT)
    assert (change.at, change.session_key) == (AT, 7)  # type: ignore[attr-defined]
    return change


def test_a_message() -> None:
    event = IncomingMessage(
        link_id="3EB0",
        chat_id="551188887777@s.whatsapp.net",
        timestamp_s=1_750_000_000,
        text="oi",
        contact_lid="1@lid",
        contact_name="Zé",
        quoted_link_id="3EB1",
        offline=True,
    )
    change = one(event)
    assert isinstance(change, changes.RecordMessage)
    assert change.link_id == "3EB0"
    assert change.contact_number == "5511988887777"  # with the ninth digit, however WhatsApp spells it
    assert (change.chat_id, change.participant) == ("551188887777@s.whatsapp.net", "")
    assert (change.sent_at_ms, change.text, change.offline) == (1_750_000_000_000, "oi", True)
    assert (change.contact_lid, change.contact_name, change.quoted_link_id) == ("1@lid", "Zé", "3EB1")
    assert (change.direction, change.origin, change.message_type) == ("inbound", "api", "text")
    assert len(change.message_id) == 26
    assert one(event).message_id != change.message_id


def test_in_a_group_it_is_the_participant_who_is_the_contact() -> None:
    change = one(incoming("x", chat_id="120363@g.us", participant="5511988887777@s.whatsapp.net"))
    assert change.contact_number == "5511988887777"
    assert one(incoming("x", chat_id="120363@g.us", participant="9@lid")).contact_number is None


def test_from_the_phone_itself() -> None:
    change = one(incoming("x", direction=Direction.OUTBOUND, origin=Origin.DEVICE, message_type=MessageType.IMAGE))
    assert (change.direction, change.origin, change.message_type) == ("outbound", "device", "image")


@pytest.mark.parametrize(("second", "ms"), [(-5, 0), (2**70, LATEST_MS), (0, 0)])
def test_a_stamp_that_cannot_be(second: int, ms: int) -> None:
    assert one(incoming("x", timestamp_s=second)).sent_at_ms == ms


def test_a_text_longer_than_whatsapp_allows_is_cut() -> None:
    assert len(one(incoming("x", "ã" * 100_000)).text) == 65_536
    assert one(incoming("x", None)).text is None
    assert one(incoming("x", "")).text == ""


def test_a_receipt_is_one_change_a_message() -> None:
    found = changes_of(Receipt(("a", "b"), MessageStatus.READ, 5), 7, AT)
    assert [(c.link_id, c.status, c.whatsapp_s) for c in found] == [("a", "read", 5), ("b", "read", 5)]  # type: ignore[attr-defined]
    assert changes_of(Receipt((), MessageStatus.READ), 7, AT) == []


def test_answers_to_sends() -> None:
    sent, failed = one(Sent("a", 5)), one(Failed("b", "rejected", "because"))
    assert (sent.link_id, sent.status, sent.whatsapp_s) == ("a", "sent", 5)
    assert (failed.status, failed.error_kind, failed.error_detail) == ("failed", "rejected", "because")
    assert one(Failed("b", "rejected")).error_detail is None


def test_edits_and_deletions() -> None:
    edited, revoked = one(Edited("c", "a", "novo")), one(Revoked("c", "a"))
    assert isinstance(edited, changes.EditMessage)
    assert isinstance(revoked, changes.RevokeMessage)
    assert (edited.chat_id, edited.link_id, edited.text) == ("c", "a", "novo")


@pytest.mark.parametrize("event", [Qr("c", 1), Ready(), base.Authenticated("1", "1"), base.Restricted(1)])
def test_events_about_the_session_itself_are_not_its(event: base.LinkEvent) -> None:
    assert changes_of(event, 7, AT) == []


def test_garbage_is_kept_and_counted() -> None:
    kept, counted = changes_of(Garbage(NASTY, "half a token"), 7, AT)
    assert isinstance(kept, changes.KeepRejected)
    assert isinstance(counted, changes.CountSession)
    assert (kept.raw, kept.reason, kept.source, counted.errors) == (MENDED, "half a token", "link", 1)
    assert len(changes_of(Garbage("x" * 10**6, ""), 7, AT)[0].raw) == RAW_MAX_CHARACTERS  # type: ignore[attr-defined]


def test_a_gap_is_said_aloud_on_the_session() -> None:
    told = one(base.Gap("the gateway was killed\ud800"))
    assert isinstance(told, changes.TellGap)
    assert told.detail == "the gateway was killed\ufffd"


def test_one_that_no_row_can_be_made_of_is_kept_raw_and_does_not_crash_for_ever() -> None:
    """A crash would leave it unacknowledged, so it would come again, and crash again."""
    deep: Any = "end"
    for _ in range(5000):
        deep = [deep]
    kept, _ = changes_of(incoming("x", content={"location": deep}), 7, AT)
    assert isinstance(kept, changes.KeepRejected)
    assert "RecursionError" in kept.reason
    wrong: Any = incoming("x", timestamp_s="today")
    kept, _ = changes_of(wrong, 7, AT)
    assert isinstance(kept, changes.KeepRejected)
    assert "link_id='x'" in kept.raw


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from (*strings(key), *strings(part))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from strings(part)


nasty = st.one_of(st.just(NASTY), st.text(st.characters(exclude_categories=[]), max_size=20))
content = st.recursive(
    st.one_of(nasty, st.none(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(nasty, inner, max_size=3)),
    max_leaves=8,
)
events = st.one_of(
    st.builds(
        IncomingMessage,
        link_id=nasty,
        chat_id=nasty,
        timestamp_s=st.integers(),
        text=st.none() | nasty,
        participant=nasty,
        contact_number=st.none() | nasty,
        contact_lid=st.none() | nasty,
        contact_name=st.none() | nasty,
        content=st.none() | st.dictionaries(nasty, content, max_size=3),
        quoted_link_id=st.none() | nasty,
        message_type=st.sampled_from(MessageType),
    ),
    st.builds(Receipt, st.lists(nasty, max_size=3).map(tuple), st.sampled_from(["delivered", "read"]), st.none()),
    st.builds(Sent, nasty),
    st.builds(Failed, nasty, nasty, nasty),
    st.builds(Edited, nasty, nasty, nasty),
    st.builds(Revoked, nasty, nasty),
    st.builds(Garbage, nasty, nasty),
    st.builds(base.Gap, nasty),
)


@given(events)
def test_whatever_comes_every_text_can_be_stored(event: base.LinkEvent) -> None:
    for change in changes_of(event, 7, AT):
        for name in change.__dataclass_fields__:
            for text in strings(getattr(change, name)):
                assert "\0" not in text
                text.encode()
                assert json.loads(json.dumps(text)) == text


@given(events)
def test_the_same_event_is_mended_the_same_way(event: base.LinkEvent) -> None:
    def keys(found: list[Change]) -> list[tuple[Any, ...]]:
        return [
            tuple(getattr(change, name, None) for name in ("link_id", "chat_id", "participant")) for change in found
        ]

    assert keys(changes_of(event, 7, AT)) == keys(changes_of(event, 7, AT))


# Recorded once, acknowledged after that


async def test_a_message_is_acknowledged_after_its_commit(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    before = link.acknowledged
    world.store.held = trio.Event()
    link.tell(incoming("a"))
    await wait_all_tasks_blocked()
    assert link.acknowledged == before
    world.store.held.set()
    await world.until_true(lambda: world.row().total_messages_received)
    assert link.acknowledged == before + 1


async def test_one_that_was_not_acknowledged_comes_again_and_is_recorded_once(
    autojump_clock: MockClock, world: World
) -> None:
    link = await world.ready()
    world.store.down = "the disk is full"
    link.tell(incoming("a"), incoming("b"))
    await wait_all_tasks_blocked()
    link.lose()  # before anything of it is on disk
    await trio.sleep(10)
    assert len(world.account().links) == 2
    world.store.down = None
    await world.until("ana", "ready")
    await world.until_true(lambda: world.link().acknowledged)
    await trio.sleep(10)
    assert world.row().total_messages_received == 2
    assert len(world.events("message.received")) == 2
    assert world.account().link._kept == []


async def test_a_poisonous_message_takes_no_other_with_it_and_is_acknowledged(
    autojump_clock: MockClock, world: World
) -> None:
    link = await world.ready()
    link.tell(incoming("before"), incoming("bad", timestamp_s="today"), incoming("after"))
    await world.until_true(lambda: world.row().total_messages_received == 2)
    await wait_all_tasks_blocked()
    assert link._kept == []
    assert world.row().restart_count == 0
    assert "not be understood" in (world.row().last_error or "")
    assert world.connection.execute("SELECT count(*) FROM rejected").fetchone() == (1,)


async def test_everything_nasty_reaches_the_database(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    link.tell(
        incoming(
            NASTY, NASTY, chat_id=NASTY, contact_name=NASTY, contact_number=NASTY, content={NASTY: [NASTY, 2**70]}
        ),
        incoming(NASTY, NASTY, chat_id=NASTY),  # the same one
        Edited(NASTY, NASTY, "novo\0"),
        Receipt((NASTY,), MessageStatus.READ, 2**70),
        Sent(NASTY),
        Garbage(NASTY, NASTY),
    )
    await world.until_true(lambda: world.row().error_count)
    ((link_id, text, name),) = world.connection.execute("SELECT link_id, text_content, contact_name FROM messages")
    assert (link_id, text, name) == (MENDED, "novo\ufffd", MENDED)
    assert world.row().restart_count == 0
    assert len(world.events("message.edited")) == 1


async def test_a_link_that_says_nasty_things_of_itself(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready(start=True)
    link.tell(base.Ended(base.EndKind.REPLACED, NASTY))
    await world.until("ana", "error", "replaced")
    assert world.row().last_error == MENDED


@pytest.mark.parametrize("interruption", ["stop", "lost", "crash"])
async def test_an_interruption_in_the_midst_of_a_batch_leaves_store_and_memory_agreed(
    autojump_clock: MockClock, tmp_path: Path, interruption: str
) -> None:
    """The batch has moved the session in memory already, when its recording is cancelled."""
    async with running(tmp_path, sections={"recorder": {"queue_capacity": 1}}) as world:
        link = await world.ready()
        gate = link.gates["send"] = trio.Event()
        link.failing["send"] = LinkLost("reset") if interruption == "lost" else ValueError("boom")
        await world.send(message_id="m1")
        await wait_all_tasks_blocked()
        world.store.held = trio.Event()
        for event in (incoming("in hand"), incoming("has the place"), Restricted(WALL_MS + 50_000), Ready()):
            link.tell(event)
            await wait_all_tasks_blocked()
        assert (world.seat().state.reason, world.row().status) == ("restricted", "ready")
        async with trio.open_nursery() as nursery:
            if interruption == "stop":
                nursery.start_soon(world.call, "session.stop", SessionNameParams(name="ana"))
            else:
                gate.set()
            await wait_all_tasks_blocked()
            world.store.held.set()
        await trio.sleep(20)
        assert world.seat().state == world.row().state
        assert world.seat().is_active == world.row().is_active
        assert world.row().status_reason == ("stopped" if interruption == "stop" else "restricted")
        assert world.row().total_messages_received == 2
