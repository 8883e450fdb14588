"""What a receipt, an answer or a failure does to a message: its status never goes down, its stamps never change."""

from typing import Final

from pombal.model.frozen import frozen
from pombal.model.message import Direction, MessageRow, MessageStatus

RANK: Final[dict[MessageStatus, int]] = {status: rank for rank, status in enumerate(MessageStatus)}

_ORDER: Final = ("queued_at", "dispatched_at", "sent_at", "delivered_at", "read_at")
_EARLIER: Final = {field: _ORDER[:place] for place, field in enumerate(_ORDER)}
_LATER: Final = {field: _ORDER[place + 1 :] for place, field in enumerate(_ORDER)}
_PROVEN: Final[dict[MessageStatus, tuple[str, ...]]] = {
    MessageStatus.SENT: ("sent_at",),
    MessageStatus.DELIVERED: ("delivered_at",),
    MessageStatus.READ: ("delivered_at", "read_at"),
}
"""The stamps that a receipt proves, in their order."""


@frozen()
class Step:
    """Something learnt about a message: it reached ``status`` at ``at_ms``; why, for failed and uncertain."""

    status: MessageStatus
    at_ms: int
    error_kind: str | None = None
    error_detail: str | None = None


def advance(row: MessageRow, step: Step, acceptable_ms: int) -> MessageRow:
    """The row after step; the same object where it taught nothing new.

    A receipt is proof: it overrides `uncertain` and `failed`. A late stamp is filled in and changes nothing else, and
    `read` with no `delivered` fills both. Stamps stay in order: a new one lies between its neighbours.
    """
    if step.status in _PROVEN:
        after = _with_stamp(row, step)
    elif RANK[step.status] > RANK[row.status]:
        after = _without_proof(row, step)
    else:
        return row
    return row if after is row else _with_total(after, acceptable_ms)


def is_out(row: MessageRow) -> bool:
    """Whether WhatsApp has taken it."""
    return RANK[row.status] >= RANK[MessageStatus.SENT]


def dispatched(row: MessageRow, at_ms: int) -> MessageRow:
    """The row once its first try has been handed to the link."""
    if row.dispatched_at is not None:
        return row
    return row.but(dispatched_at=_clamped(row, "dispatched_at", at_ms))


def _with_stamp(row: MessageRow, step: Step) -> MessageRow:
    rises = RANK[step.status] > RANK[row.status]
    missing = [field for field in _PROVEN[step.status] if getattr(row, field) is None]
    if not (rises or missing):
        return row
    after = row.but()
    for field in missing:
        setattr(after, field, _clamped(after, field, step.at_ms))
    if rises:
        after.status = step.status
        after.error_kind = after.error_detail = after.failed_at = None
    return after


def _without_proof(row: MessageRow, step: Step) -> MessageRow:
    failed_at = max(step.at_ms, *_known(row)) if step.status == MessageStatus.FAILED else None
    return row.but(status=step.status, failed_at=failed_at, error_kind=step.error_kind, error_detail=step.error_detail)


def _known(row: MessageRow) -> list[int]:
    return [at for at in (getattr(row, field) for field in _ORDER) if at is not None] or [0]


def _clamped(row: MessageRow, field: str, at_ms: int) -> int:
    for earlier in _EARLIER[field]:
        if (stamp := getattr(row, earlier)) is not None and stamp > at_ms:
            at_ms = stamp
    for later in _LATER[field]:
        if (stamp := getattr(row, later)) is not None and stamp < at_ms:
            at_ms = stamp
    return at_ms


def _with_total(row: MessageRow, acceptable_ms: int) -> MessageRow:
    """Total latency: to delivered, or to sent while that is the last thing known. Decided once it is delivered."""
    if row.direction == Direction.INBOUND or not row.is_measured or row.queued_at is None:
        return row
    last = row.delivered_at if row.delivered_at is not None else row.sent_at
    row.total_latency_ms = None if last is None else last - row.queued_at
    if row.delivered_at is not None and row.is_latency_acceptable is None:
        row.is_latency_acceptable = row.total_latency_ms is not None and row.total_latency_ms < acceptable_ms
    return row


def receipt_time_ms(arrival_ms: int, whatsapp_s: int | None) -> int:
    """When a receipt's fact happened: it cannot be later than WhatsApp's whole second, rounded up to its end."""
    return arrival_ms if whatsapp_s is None else min(arrival_ms, whatsapp_s * 1000 + 999)


def as_when(row: MessageRow, status: MessageStatus) -> MessageRow:
    """The row as it was when it reached status: the event log keeps references, and shows the past by them.

    Stamps that came later are taken away again, and with them the latencies they made.
    """
    if row.direction == Direction.INBOUND:
        return row.but(status=status, read_at=row.read_at if status == MessageStatus.READ else None)
    before = row.but(status=status)
    if RANK[status] < RANK[MessageStatus.SENT]:
        before.sent_at = None
    if RANK[status] < RANK[MessageStatus.DELIVERED]:
        before.delivered_at = None
        before.is_latency_acceptable = None
    if RANK[status] < RANK[MessageStatus.READ]:
        before.read_at = None
    if status == MessageStatus.QUEUED:
        before.dispatched_at = None
    if status != MessageStatus.FAILED:
        before.failed_at = None
    if status not in (MessageStatus.FAILED, MessageStatus.UNCERTAIN):
        before.error_kind = before.error_detail = None
    if before.queued_at is not None and before.is_measured:
        last = before.delivered_at if before.delivered_at is not None else before.sent_at
        before.total_latency_ms = None if last is None else last - before.queued_at
    return before
