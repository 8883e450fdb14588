from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pombal.config.settings import EventSettings
from pombal.hub.subscription import EventFilter, Subscription
from pombal.model import changes, removal_changes
from pombal.model.errors import Kind, PombalError
from pombal.model.message import MessageStatus
from pombal.store.event_log import events_after
from tests.hub.building import Log, seqs, shown, upto
from tests.store.building import START_MS, queue, reach, receive

EVERYTHING = EventFilter()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    built = Log(tmp_path / "pombal.db", EventSettings(ring=4, page=3, cursor_every=5))
    yield built
    built.close()


def subscribe(
    log: Log,
    after: int | None = None,
    wanted: EventFilter = EVERYTHING,
    log_id: str | None = None,
    transport: str = "test",
) -> AbstractAsyncContextManager[Subscription]:
    return log.hub.subscribe(after=after, wanted=wanted, log_id=log_id, transport=transport)


# Where it begins


async def test_without_after_it_begins_now(log: Log) -> None:
    log.tell(3)
    async with subscribe(log) as subscription:
        assert subscription.cursor == 5
        log.tell()
        assert await seqs(subscription) == [6]


async def test_after_0_it_begins_with_the_oldest_and_has_no_gap(log: Log) -> None:
    log.tell(10)
    log.prune(5)
    async with subscribe(log, after=0) as subscription:
        assert [event.seq for event in await upto(subscription, 12)] == list(range(5, 13))


async def test_one_from_the_oldest_that_falls_off_the_ring_does_not_begin_anew(log: Log) -> None:
    """At first the ring holds all there is; when it no longer does, the store must go on and not start over."""
    async with subscribe(log, after=0) as subscription:
        assert await seqs(subscription) == [1, 2]
        assert log.reader.queries == 0
        log.tell(20)
        assert [event.seq for event in await upto(subscription, 22)] == list(range(3, 23))
        assert log.reader.queries > 0


async def test_after_n_it_goes_on_past_n(log: Log) -> None:
    log.tell(10)
    for after in range(1, 13):
        async with subscribe(log, after=after, log_id=log.hub.log_id) as subscription:
            assert [event.seq for event in await upto(subscription, 12)] == list(range(after + 1, 13))


async def test_what_is_past_retention_is_told_as_a_gap(log: Log) -> None:
    log.tell(10)
    log.prune(8)
    async with subscribe(log, after=3) as subscription:
        gap, *rest = await upto(subscription, 12)
        assert shown(gap) == {"seq": 7, "type": "gap", "data": {"from": 4, "to": 7}}
        assert [event.seq for event in rest] == [8, 9, 10, 11, 12]


async def test_retention_may_overtake_a_slow_one(log: Log) -> None:
    log.tell(3)
    async with subscribe(log, after=2) as subscription:
        assert await seqs(subscription) == [3, 4, 5]
        log.tell(20)
        log.prune(15)
        assert shown((await subscription.next_batch())[0])["data"] == {"from": 6, "to": 14}


async def test_a_cursor_beyond_the_end_gets_a_gap_and_goes_on_from_now(log: Log) -> None:
    async with subscribe(log, after=100) as subscription:
        (gap,) = await subscription.next_batch()
        assert shown(gap) == {"seq": 2, "type": "gap", "data": {"from": 1, "to": 2}}
        log.tell()
        assert await seqs(subscription) == [3]


async def test_a_cursor_at_what_is_on_disk_but_not_yet_published_is_not_beyond_the_end(log: Log) -> None:
    """A list has just shown it, with its last_seq; whoever subscribes from there has missed nothing."""
    log.commit(log.update(), log.update())
    async with subscribe(log, after=4) as subscription:
        with trio.move_on_after(0.01):
            await subscription.next_batch()
        log.publish()
        log.tell()
        assert await seqs(subscription) == [5]


async def test_the_cursor_of_another_log_gets_a_gap(log: Log) -> None:
    log.tell(3)
    async with subscribe(log, after=2, log_id="another") as subscription:
        assert [shown(event)["type"] for event in await subscription.next_batch()] == ["gap"]
        assert subscription.cursor == 5
        assert subscription.log_id == log.hub.log_id


async def test_from_the_oldest_of_another_log_is_from_the_oldest_of_this_one(log: Log) -> None:
    log.tell(3)
    log.prune(3)
    async with subscribe(log, after=0, log_id="another") as subscription:
        gap, *rest = await upto(subscription, 5)
        assert shown(gap)["data"] == {"from": 1, "to": 2}
        assert [event.seq for event in rest] == [3, 4, 5]


# Who keeps up and who does not


async def test_one_that_keeps_up_is_served_from_memory_one_that_does_not_from_the_store(log: Log) -> None:
    async with subscribe(log) as quick, subscribe(log) as slow:
        for _ in range(20):
            log.tell()
            assert len(await quick.next_batch()) == 1
        assert log.reader.queries == 0
        assert [event.seq for event in await upto(slow, 22)] == list(range(3, 23))
        assert log.reader.queries > 0
        queries = log.reader.queries
        log.tell()
        assert await seqs(slow) == [23]
        assert log.reader.queries == queries


async def test_the_ring_is_bounded(log: Log) -> None:
    for _ in range(100):
        log.tell()
        assert len(log.hub.ring) <= 8
    assert log.hub.last_seq == 102


async def test_batches_are_bounded(log: Log) -> None:
    log.tell(20)
    async with subscribe(log, after=1) as subscription:
        while subscription.cursor < 22:
            assert 1 <= len(await subscription.next_batch()) <= 3


async def test_an_event_is_encoded_once_for_all(log: Log) -> None:
    log.tell()
    async with subscribe(log, after=2) as one, subscribe(log, after=2) as two:
        assert (await one.next_batch())[0] is (await two.next_batch())[0]


async def test_how_many_listen_and_how_far_the_slowest_is_behind(log: Log) -> None:
    async with subscribe(log, transport="control"), subscribe(log, after=1, transport="control"):
        async with subscribe(log, transport="websocket"):
            log.tell(3)
            assert log.hub.subscribers() == {"control": (2, 4), "websocket": (1, 3)}
        assert log.hub.subscribers() == {"control": (2, 4)}
    assert log.hub.subscribers() == {}


async def test_the_end_comes_after_the_rest(autojump_clock: MockClock, log: Log) -> None:
    ends: list[str] = []
    async with subscribe(log, after=0) as behind, trio.open_nursery() as nursery:

        async def wait() -> None:
            async with subscribe(log) as waiting:
                with pytest.raises(trio.EndOfChannel):
                    await waiting.next_batch()
                ends.append("waiting")

        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        log.tell(0)
        log.hub.close()
        assert await seqs(behind) == [1, 2]
        with pytest.raises(trio.EndOfChannel):
            await behind.next_batch()
    assert ends == ["waiting"]


async def test_a_log_that_cannot_be_read_leaves_the_cursor_where_it_was(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.tell(20)
    async with subscribe(log, after=1) as subscription:

        async def broken(_: object) -> None:
            raise PombalError(Kind.UNAVAILABLE, "the store cannot be read")

        with monkeypatch.context() as patched:
            patched.setattr(log.reader, "run", broken)
            with pytest.raises(PombalError):
                await subscription.next_batch()
        assert await seqs(subscription) == [2, 3, 4]


# Filters


@pytest.mark.parametrize("hidden", [5, 30])
async def test_a_filter_hides_and_tells_its_cursor_now_and_then(log: Log, hidden: int) -> None:
    """Out of the ring and out of the store alike."""
    wanted = EventFilter(sessions=frozenset({"one"}))
    async with subscribe(log, wanted=wanted) as subscription:
        log.tell(hidden, session_key=2)
        (cursor,) = await subscription.next_batch()
        assert shown(cursor)["type"] == "cursor"
        assert set(shown(cursor)) == {"seq", "type"}
        assert 5 <= cursor.seq <= hidden + 2
        log.tell(session_key=1)
        rest = await upto(subscription, hidden + 3)
        assert [event.seq for event in rest if event.type != "cursor"] == [hidden + 3]


@pytest.mark.parametrize("after", [0, 2, None])
async def test_filters_by_session_type_and_owner(log: Log, after: int | None) -> None:
    by_name, by_id = EventFilter(sessions=frozenset({"two"})), EventFilter(sessions=frozenset({"ID-two"}))
    by_type = EventFilter(types=frozenset({"session.deleted"}))
    by_owner = EventFilter(owner="owner of two")
    async with (
        subscribe(log, after, by_name) as named,
        subscribe(log, after, by_id) as identified,
        subscribe(log, after, by_type) as typed,
        subscribe(log, after, by_owner) as owned,
    ):
        for _ in range(5):
            log.tell(session_key=1)
            log.tell(session_key=2)
        log.commit(changes.DeleteSession(at=log.store.clock(), session_key=2, messages_deleted=0))
        log.publish()
        expected = [*([2] if after == 0 else []), 4, 6, 8, 10, 12, 13]
        for subscription, wanted in ((named, expected), (identified, expected), (owned, expected), (typed, [13])):
            found = await upto(subscription, 13)
            assert [event.seq for event in found if event.type != "cursor"] == wanted


async def test_an_unfiltered_subscriber_gets_no_cursors(log: Log) -> None:
    async with subscribe(log, after=1) as subscription:
        log.tell(30)
        assert all(event.type == "session.updated" for event in (await upto(subscription, 32))[1:])


# The same bytes


async def test_ring_and_store_show_the_same_bytes(log: Log) -> None:
    clock = log.store.clock
    log.commit(
        queue(clock(), 1, "m1", "olá 😵"),
        receive(clock(), 1, "in1"),
        changes.SetSessionState(at=clock(), session_key=2, state=log.store.session("three").state, fields={}),
        changes.ShowCode(at=clock(), session_key=1, is_qr=True, code="qr", expires_at_ms=START_MS + 10_000),
    )
    for status in (MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.READ):
        log.commit(reach(clock.advance(10), 1, "m1", status))
    log.commit(changes.MarkRead(at=clock.advance(10), session_key=1, message_ids=("M-in1",)))
    log.hub.ring = type(log.hub.ring)(100, log.unpublished[0].row.seq - 1)
    first = log.unpublished[0].row.seq
    log.publish()
    now_ms = clock().wall_ms
    from_ring = log.hub.ring.after(first - 1, 100, now_ms)
    from_store = events_after(log.store.connection, first - 1, 100, now_ms).events
    assert len(from_ring) >= 7
    for ring, store in zip(from_ring, from_store, strict=True):
        assert ring.json == store.json
        assert ring == store


async def test_a_code_is_not_shown_out_of_memory_once_it_has_expired(log: Log) -> None:
    shown_until = START_MS + 1000
    log.commit(changes.ShowCode(at=log.store.clock(), session_key=1, is_qr=True, code="qr", expires_at_ms=shown_until))
    log.publish()
    async with subscribe(log, after=2) as early:
        assert shown((await early.next_batch())[0])["data"]["code"] == "qr"
    log.store.clock.advance(5000)
    async with subscribe(log, after=2) as late:
        assert shown((await late.next_batch())[0])["data"]["code"] is None


async def test_what_was_purged_is_not_shown_out_of_memory(log: Log) -> None:
    log.commit(queue(log.store.clock(), 1, "m1", "secret"))
    log.publish()
    async with subscribe(log, after=2) as subscription:
        log.commit(removal_changes.PurgeMessages(at=log.store.clock(), session_key=1, limit=10))
        log.commit(changes.DeleteSession(at=log.store.clock(), session_key=1, messages_deleted=1))
        log.publish()
        queued, deleted = await upto(subscription, 4)
        assert shown(queued)["data"] == {"erased": True}
        assert shown(deleted)["type"] == "session.deleted"
