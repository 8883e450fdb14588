"""Sends: accepted under their idempotency key, cancelled, sent again, given up."""

from typing import Any

from pombal.model import changes
from pombal.model.content import Reaction
from pombal.model.errors import Kind, PombalError, invalid, not_found
from pombal.model.events import EventType
from pombal.model.message import Direction, MessageRow, MessageStatus, Origin
from pombal.model.message_status import Step, advance, dispatched, is_out
from pombal.store.decisions import people
from pombal.store.statements import id_hash
from pombal.store.workspace import Workspace

RESENDABLE = (MessageStatus.FAILED, MessageStatus.UNCERTAIN)


def queue(change: changes.QueueMessage, space: Workspace) -> changes.Queued:
    """Accept a send, or answer with the message as it stands if the same send was accepted before."""
    known = space.by_message_id(change.session_key, change.message_id, Direction.OUTBOUND)
    if known is not None:
        if known.content_hash != change.content_hash:
            raise PombalError(
                Kind.CONFLICT, f"message_id {change.message_id!r} was used for another message; choose a new one"
            )
        return changes.Queued(known, created=False)
    if (change.session_key, id_hash(change.session_key, change.message_id)) in space.erased_sends:
        raise PombalError(
            Kind.CONFLICT, f"message_id {change.message_id!r} was used for a message that was erased; choose a new one"
        )
    if change.refusal is not None:
        raise change.refusal
    content = _resolved_content(change, space)
    session = space.session(change.session_key)
    if session.deleted_at is not None:
        raise not_found(f"session {session.name!r} was deleted")
    contact = people.recipient(change, space)
    row = MessageRow(
        id=space.take_message_id(change.at),
        session_key=change.session_key,
        message_id=change.message_id,
        link_id=change.link_id,
        direction=Direction.OUTBOUND,
        origin=Origin.API,
        message_type=change.message_type,
        chat_id=contact.canonical_id if contact else change.chat_id,
        contact_number=contact.number if contact else change.contact_number,
        contact_lid=contact.lid if contact else None,
        contact_name=contact.name if contact else None,
        is_resolved=contact is not None,
        text_content=change.text,
        content=content,
        quoted_message_id=change.quoted_message_id,
        content_hash=change.content_hash,
        status=MessageStatus.QUEUED,
        queued_at=change.at.wall_ms,
        happened_at=change.at.wall_ms,
    )
    space.insert(row)
    space.tell(EventType.MESSAGE_QUEUED, session, change.at.wall_ms, row)
    return changes.Queued(row, created=True)


def _resolved_content(change: changes.QueueMessage, space: Workspace) -> dict[str, Any] | None:
    """The content with what only the store knows: the media's size; the quoted message must exist."""
    if change.quoted_message_id is not None:
        _named(space, change, "quoted_message_id", change.quoted_message_id)
    if (message_id := _reaction_target(change)) is not None:
        target = _named(space, change, "reaction", message_id)
        if not people.is_in_chat(target, change.session_key, change.chat_id, space):
            raise invalid(f"reaction names a message of another chat ({target.chat_id}); send it to that one")
    media = (change.content or {}).get("media")
    if media is None:
        return change.content
    if media["sha256"] not in space.media:
        raise invalid(f"no media with sha256 {media['sha256']}; its bytes must come first")
    return {**(change.content or {}), "media": {**media, "size_bytes": space.media[media["sha256"]]}}


def _reaction_target(change: changes.QueueMessage) -> str | None:
    reaction = (change.content or {}).get("reaction")
    return None if reaction is None else Reaction.model_validate(reaction).message_id


def _named(space: Workspace, change: changes.QueueMessage, what: str, message_id: str) -> MessageRow:
    """The message that a send refers to. Raises PombalError (invalid) where the session has none of that id."""
    for direction in Direction:
        if (row := space.by_message_id(change.session_key, message_id, direction)) is not None:
            return row
    raise invalid(f"{what} names no message of this session: {message_id!r}")


def mark_dispatched(change: changes.MarkDispatched, space: Workspace) -> None:
    for row_id in change.message_ids:
        if (row := space.messages.get(row_id)) is not None:
            after = dispatched(row, space.clock.resolve_ms(row.id, change.at))
            if after is not row:
                space.progress(row, after)


def cancel(change: changes.CancelMessage, space: Workspace) -> MessageRow:
    """Fail a message that still waits. One that was handed to the link may be with WhatsApp already."""
    row = _own(space, change.session_key, change.message_id)
    if row.status != MessageStatus.QUEUED or row.dispatched_at is not None:
        state = "already handed to WhatsApp" if row.status == MessageStatus.QUEUED else row.status
        raise PombalError(
            Kind.CONFLICT, f"message {change.message_id!r} is {state}; only a waiting one can be cancelled"
        )
    step = Step(MessageStatus.FAILED, space.clock.resolve_ms(row.id, change.at), "cancelled", "cancelled on request")
    return take_step(space, row, step, change.at.wall_ms)


def resend(change: changes.ResendMessage, space: Workspace) -> MessageRow:
    """Queue a failed or uncertain message again, with the same ids: a person's decision."""
    row = _own(space, change.session_key, change.message_id)
    if row.status not in RESENDABLE:
        raise PombalError(
            Kind.CONFLICT, f"message {change.message_id!r} is {row.status}; only a failed or uncertain one can go again"
        )
    session = space.session(change.session_key)
    if row.status == MessageStatus.FAILED:
        session.total_messages_failed -= 1
        space.count(session)
    # Its later stamps are taken by the clock of its first queueing, so this one is, too.
    queued_at = space.clock.resolve_ms(row.id, change.at)
    after = row.but(
        status=MessageStatus.QUEUED, error_kind=None, error_detail=None, overdue=False, dispatched_at=None,
        failed_at=None, queued_at=queued_at, happened_at=queued_at,
    )  # fmt: skip
    space.requeue(row, after)
    _tell_status(space, row, after, change.at.wall_ms)
    return after


def mark_overdue(change: changes.MarkOverdue, space: Workspace) -> None:
    """Say aloud that the server has not acknowledged these in time, once each."""
    for row_id in change.message_ids:
        row = space.messages.get(row_id)
        if row is None or row.overdue or row.status != MessageStatus.QUEUED:
            continue
        after = row.but(overdue=True)
        space.progress(row, after)
        waited_ms = space.clock.resolve_ms(row.id, change.at) - (row.dispatched_at or row.queued_at or 0)
        space.tell(
            EventType.MESSAGE_OVERDUE, space.session(row.session_key), change.at.wall_ms, after, waited_ms=waited_ms
        )


def take_step(space: Workspace, row: MessageRow, step: Step, told_at_ms: int) -> MessageRow:
    """Advance a message by a step, with its event and its session's counters; the row itself if nothing was learnt.

    told_at_ms: when we heard of it. The event log goes by that: WhatsApp's own second may lie days back.
    """
    after = advance(row, step, space.acceptable_ms)
    if after is row:
        return row
    space.progress(row, after)
    if after.status != row.status:
        _count(space, row, after, told_at_ms)
        _tell_status(space, row, after, told_at_ms)
    return after


def _count(space: Workspace, before: MessageRow, after: MessageRow, at_ms: int) -> None:
    if after.direction == Direction.INBOUND:
        return
    session = space.session(after.session_key)
    reached = is_out(after) - is_out(before)
    session.total_messages_sent += reached
    failed = MessageStatus.FAILED
    session.total_messages_failed += (after.status == failed) - (before.status == failed)
    session.last_activity_at = max(session.last_activity_at or 0, at_ms)
    space.count(session)


def _tell_status(space: Workspace, before: MessageRow, after: MessageRow, at_ms: int) -> None:
    changed: dict[str, Any] = {"status": after.status.value, "previous_status": before.status.value}
    if after.error_kind:
        changed["error"] = {"kind": after.error_kind, "detail": after.error_detail}
    space.tell(EventType.MESSAGE_STATUS, space.session(after.session_key), at_ms, after, **changed)


def _own(space: Workspace, session_key: int, message_id: str) -> MessageRow:
    row = space.by_message_id(session_key, message_id, Direction.OUTBOUND)
    if row is None:
        raise not_found(f"this session has sent no message with message_id {message_id!r}")
    return row
