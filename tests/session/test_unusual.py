"""What a real network brings beside plain messages: gaps, the unreadable, history, the phone's own, late edits."""

from collections.abc import MutableMapping
from typing import Any

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pombal.link.base import Edited, Gap, Receipt, Revoked
from pombal.model.message import Direction, MessageStatus, MessageType, Origin
from pombal.model.params import LatencyParams, MessageListParams
from tests.fakes.link import incoming
from tests.fakes.rooms import World

HOME, LID = "5511922220000@s.whatsapp.net", "163219856654321@lid"


async def received(world: World, count: int) -> list[Any]:
    """All messages, oldest first, once there are so many."""
    await world.until_true(lambda: world.connection.execute("SELECT count(*) FROM messages").fetchone()[0] >= count)
    page = await world.call("message.list", MessageListParams(session="ana", order="asc"))
    assert len(page.results) == count
    return list(page.results)


async def test_a_gap_is_told_logged_and_kept_as_the_last_error(
    autojump_clock: MockClock, world: World, logs: list[MutableMapping[str, Any]]
) -> None:
    link = await world.ready()
    link.tell(Gap("the gateway was killed"))
    await world.until_true(lambda: world.row().error_count)
    assert world.row().last_error == "messages may have been lost: the gateway was killed"
    (event,) = world.events("session.gap")
    assert (event["session"], event["detail"]) == ("ana", "the gateway was killed")
    (line,) = [line for line in logs if line["event"] == "messages may have been lost"]
    assert (line["log_level"], line["session"]) == ("warning", "ana")
    assert world.row().status == "ready"


async def test_what_cannot_be_read_is_recorded_filled_in_later_and_never_measured(
    autojump_clock: MockClock, world: World
) -> None:
    link = await world.ready()
    link.tell(incoming("a", None, message_type=MessageType.UNKNOWN))
    (before,) = await received(world, 1)
    assert (before.message_type, before.total_latency_ms, before.stages) == (
        "unknown", None, {"link_ms": None, "record_ms": None},
    )  # fmt: skip
    await trio.sleep(3600)
    link.tell(incoming("a", "now it can"))
    await world.until_true(lambda: world.events("message.edited"))
    (after,) = await received(world, 1)
    assert (after.id, after.text_content, after.message_type) == (before.id, "now it can", "text")
    assert (after.total_latency_ms, after.delivered_at) == (None, before.delivered_at)
    stats = await world.call("latency.stats", LatencyParams(session="ana"))
    assert (stats.total_messages, stats.measured_messages, stats.average_inbound_latency_ms) == (1, 0, None)
    (told,) = world.events("message.edited")
    assert told["message_type"] == "text"
    assert len(world.events("message.received")) == 1


async def test_history_and_the_phones_own_are_told_and_never_measured(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    link.tell(
        incoming("old", origin=Origin.HISTORY, timestamp_s=1_600_000_000),
        incoming("mine", origin=Origin.HISTORY, direction=Direction.OUTBOUND, timestamp_s=1_600_000_001),
        incoming("typed on the phone", origin=Origin.DEVICE, direction=Direction.OUTBOUND),
    )
    for message in await received(world, 3):
        assert (message.total_latency_ms, message.is_latency_acceptable) == (None, None)
        assert set(message.stages.values()) == {None}
    assert len(world.events("message.received")) == 3
    link.tell(Receipt(("typed on the phone",), MessageStatus.READ))
    await world.until_true(lambda: world.events("message.status"))
    stats = await world.call("latency.stats", LatencyParams(session="ana"))
    assert (stats.measured_messages, stats.average_latency_to_read_ms) == (0, None)


async def test_an_edit_or_a_deletion_of_what_we_do_not_have_is_harmless(
    autojump_clock: MockClock, world: World
) -> None:
    link = await world.ready()
    link.tell(Edited(HOME, "never seen", "x"), Revoked(HOME, "never seen"), incoming("a"))
    await received(world, 1)
    await wait_all_tasks_blocked()
    assert (world.row().error_count, world.row().restart_count) == (0, 0)
    assert world.events("message.edited", "message.deleted") == []
    assert link.acknowledged == link.account.next_seq - 1


async def test_an_edit_and_a_deletion_are_told_and_the_row_stays(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    link.tell(incoming("a", "first", contact_lid=LID), Edited(LID, "a", "second"), Revoked(HOME, "a"))
    await world.until_true(lambda: world.events("message.deleted"))
    (message,) = await received(world, 1)
    assert message.text_content == "second"
    assert [event["type"] for event in world.events("message.edited", "message.deleted")] == [
        "message.edited", "message.deleted",
    ]  # fmt: skip


async def test_one_message_by_lid_and_by_number_is_recorded_and_told_once(
    autojump_clock: MockClock, world: World
) -> None:
    link = await world.ready()
    link.tell(incoming("a", contact_lid=LID), incoming("a", chat_id=LID), incoming("b", chat_id=LID))
    first, second = await received(world, 2)
    assert {first.chat_id, second.chat_id} == {HOME}
    assert {first.contact_lid, second.contact_lid} == {LID}
    assert len(world.events("message.received")) == 2
