"""Whatever order receipts come in: a status never goes down, stamps never change and stay in order."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pombal.model.message import Direction, MessageRow, MessageStatus, MessageType, Origin, message_object
from pombal.model.message_status import RANK, Step, advance, as_when, dispatched, receipt_time_ms

T0, ACCEPTABLE = 1_700_000_000_000, 5000
STAMPS = ("queued_at", "dispatched_at", "sent_at", "delivered_at", "read_at")
PROOFS = (MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.READ)

steps = st.builds(
    Step,
    st.sampled_from([status for status in MessageStatus if status != MessageStatus.QUEUED]),
    st.integers(T0 - 10_000, T0 + 20_000),
    st.sampled_from(["refused", "expired"]),
    st.none() | st.just("why"),
)


def outbound(**fields: Any) -> MessageRow:
    plain: dict[str, Any] = {
        "id": 1, "session_key": 1, "message_id": "m", "link_id": "L", "direction": Direction.OUTBOUND,
        "origin": Origin.API, "message_type": MessageType.TEXT, "chat_id": "c", "status": MessageStatus.QUEUED,
        "happened_at": T0, "queued_at": T0,
    }  # fmt: skip
    return MessageRow(**(plain | fields))


def inbound(**fields: Any) -> MessageRow:
    plain = {"direction": Direction.INBOUND, "status": MessageStatus.DELIVERED, "queued_at": None,
             "sent_at": T0, "received_at": T0 + 50, "delivered_at": T0 + 60, "total_latency_ms": 60}  # fmt: skip
    return outbound(**(plain | fields))


def walk(row: MessageRow, taken: list[Step]) -> list[MessageRow]:
    rows = [row]
    for step in taken:
        rows.append(advance(rows[-1], step, ACCEPTABLE))
    return rows


@given(st.lists(steps, max_size=12), st.booleans())
def test_any_order_and_any_duplication(taken: list[Step], was_dispatched: bool) -> None:
    row = dispatched(outbound(), T0 + 5) if was_dispatched else outbound()
    for before, after in pairwise(walk(row, taken)):
        assert RANK[after.status] >= RANK[before.status]
        for stamp in STAMPS:
            assert getattr(before, stamp) in (None, getattr(after, stamp))
        known = [at for at in (getattr(after, stamp) for stamp in STAMPS) if at is not None]
        assert known == sorted(known)
        assert before.is_latency_acceptable in (None, after.is_latency_acceptable)
        if after.status in PROOFS:
            assert (after.error_kind, after.error_detail, after.failed_at) == (None, None, None)
        assert (after.failed_at is not None) == (after.status == MessageStatus.FAILED)


@given(st.lists(steps, max_size=8))
def test_all_steps_again_teach_nothing(taken: list[Step]) -> None:
    learnt = walk(outbound(), taken)[-1]
    for step in taken:
        if RANK[step.status] <= RANK[learnt.status]:
            again = advance(learnt, step, ACCEPTABLE)
            assert again is learnt or step.status in PROOFS
    assert walk(learnt, [step for step in taken if step.status in PROOFS])[-1] == learnt


@given(st.lists(steps, max_size=8))
def test_the_status_is_the_highest_that_was_heard_of(taken: list[Step]) -> None:
    highest = max([MessageStatus.QUEUED, *(step.status for step in taken)], key=RANK.__getitem__)
    assert walk(outbound(), taken)[-1].status == highest


@given(st.lists(steps, max_size=8))
def test_totals_are_what_the_stamps_say(taken: list[Step]) -> None:
    row = walk(outbound(), taken)[-1]
    last = row.delivered_at if row.delivered_at is not None else row.sent_at
    assert row.total_latency_ms == (None if last is None else last - T0)
    expected = None if row.delivered_at is None else row.delivered_at - T0 < ACCEPTABLE
    assert row.is_latency_acceptable is expected


def test_read_with_no_delivered_fills_both() -> None:
    row = advance(outbound(sent_at=T0 + 10, status=MessageStatus.SENT), Step(MessageStatus.READ, T0 + 99), ACCEPTABLE)
    assert (row.delivered_at, row.read_at, row.status) == (T0 + 99, T0 + 99, MessageStatus.READ)


@pytest.mark.parametrize("late", [MessageStatus.SENT, MessageStatus.DELIVERED])
def test_a_late_stamp_is_filled_in_and_changes_nothing_else(late: MessageStatus) -> None:
    row = outbound(
        status=MessageStatus.READ, read_at=T0 + 900, delivered_at=T0 + 500, total_latency_ms=500,
        is_latency_acceptable=True, sent_at=None if late == MessageStatus.SENT else T0 + 10,
    )  # fmt: skip
    after = advance(row, Step(late, T0 + 2000), ACCEPTABLE)
    if late == MessageStatus.SENT:
        assert after == replace(row, sent_at=T0 + 500)  # not behind what came after it
    else:
        assert after is row


@pytest.mark.parametrize("before", [MessageStatus.UNCERTAIN, MessageStatus.FAILED])
@pytest.mark.parametrize("proof", PROOFS)
def test_a_receipt_is_proof(before: MessageStatus, proof: MessageStatus) -> None:
    row = advance(outbound(), Step(before, T0 + 10, "timeout", "no answer"), ACCEPTABLE)
    assert (row.status, row.error_kind) == (before, "timeout")
    after = advance(row, Step(proof, T0 + 20), ACCEPTABLE)
    assert (after.status, after.error_kind, after.error_detail, after.failed_at) == (proof, None, None, None)


@pytest.mark.parametrize("after", PROOFS)
@pytest.mark.parametrize("status", [MessageStatus.UNCERTAIN, MessageStatus.FAILED])
def test_no_failure_overrides_a_proof(after: MessageStatus, status: MessageStatus) -> None:
    row = advance(outbound(), Step(after, T0 + 10), ACCEPTABLE)
    assert advance(row, Step(status, T0 + 20, "x"), ACCEPTABLE) is row


@pytest.mark.parametrize(("delivered_at", "acceptable"), [(T0 + 4999, True), (T0 + 5000, False)])
def test_acceptable_is_below_the_limit(delivered_at: int, acceptable: bool) -> None:
    row = advance(outbound(), Step(MessageStatus.DELIVERED, delivered_at), ACCEPTABLE)
    assert row.is_latency_acceptable is acceptable


def test_sent_alone_decides_no_acceptability() -> None:
    row = advance(outbound(), Step(MessageStatus.SENT, T0 + 70), ACCEPTABLE)
    assert (row.total_latency_ms, row.is_latency_acceptable) == (70, None)


@pytest.mark.parametrize("origin", [Origin.DEVICE, Origin.HISTORY])
def test_what_the_phone_wrote_is_not_measured(origin: Origin) -> None:
    row = outbound(origin=origin, queued_at=None, sent_at=T0, status=MessageStatus.SENT)
    after = advance(row, Step(MessageStatus.DELIVERED, T0 + 70), ACCEPTABLE)
    assert (after.status, after.total_latency_ms, after.is_latency_acceptable) == ("delivered", None, None)


def test_reading_an_inbound_message_leaves_its_latency() -> None:
    after = advance(inbound(), Step(MessageStatus.READ, T0 + 9000), ACCEPTABLE)
    assert (after.status, after.read_at, after.total_latency_ms) == ("read", T0 + 9000, 60)


def test_dispatched_once() -> None:
    row = dispatched(outbound(), T0 - 5)
    assert row.dispatched_at == T0  # the clock went back, the stamps do not
    assert dispatched(row, T0 + 50) is row


@pytest.mark.parametrize(
    ("arrival_ms", "second", "at_ms"),
    [(T0 + 1500, None, T0 + 1500), (T0 + 1500, T0 // 1000, T0 + 999), (T0 + 200, T0 // 1000, T0 + 200)],
)
def test_a_receipt_is_not_later_than_whatsapps_second(arrival_ms: int, second: int | None, at_ms: int) -> None:
    assert receipt_time_ms(arrival_ms, second) == at_ms


rising = st.lists(st.integers(0, 3000), min_size=4, max_size=4).map(
    lambda gaps: [T0 + sum(gaps[: place + 1]) for place in range(4)]
)


@given(
    rising,
    st.lists(st.sampled_from(PROOFS), unique=True, min_size=1).map(lambda found: sorted(found, key=RANK.__getitem__)),
)
def test_an_event_shows_the_row_as_it_was_then(stamps: list[int], order: list[MessageStatus]) -> None:
    """For receipts in order, looking back from the newest row is the same as having looked then."""
    at = dict(zip(PROOFS, stamps[1:], strict=True))
    rows = walk(dispatched(outbound(), stamps[0]), [Step(status, at[status]) for status in order])
    for then, status in zip(rows[1:], order, strict=True):
        assert message_object(as_when(rows[-1], status), "s") == message_object(then, "s")
    assert as_when(rows[-1], MessageStatus.QUEUED) == outbound()


@given(st.lists(steps, max_size=8), st.sampled_from(MessageStatus))
def test_looking_back_never_shows_what_came_later(taken: list[Step], status: MessageStatus) -> None:
    row = walk(outbound(), taken)[-1]
    then = as_when(row, status)
    assert then.status == status
    shown = [stamp for stamp in STAMPS if getattr(then, stamp) is not None]
    for proof, stamp in zip(PROOFS, STAMPS[2:], strict=True):
        assert RANK[proof] <= RANK[status] or stamp not in shown
    assert as_when(then, status) == then


def test_looking_back_at_an_inbound_message() -> None:
    read = advance(inbound(), Step(MessageStatus.READ, T0 + 9000), ACCEPTABLE)
    assert as_when(read, MessageStatus.DELIVERED) == inbound()
    assert as_when(read, MessageStatus.READ) == read
