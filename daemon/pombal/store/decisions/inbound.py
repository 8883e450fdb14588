"""What links bring: messages recorded once, receipts, edits, deletions, and what could not be understood."""

from typing import Any

from pombal.model import changes
from pombal.model.errors import not_found
from pombal.model.events import EventType
from pombal.model.message import Direction, MessageRow, MessageStatus, MessageType, Origin
from pombal.model.message_status import Step, receipt_time_ms
from pombal.model.text import storable
from pombal.store.decisions import people
from pombal.store.decisions.outbound import take_step
from pombal.store.workspace import Workspace


def record(change: changes.RecordMessage, space: Workspace) -> MessageRow | None:
    """Record a message that did not come through our own API; None where it has been recorded before."""
    change = people.at_home(change, space)
    for known in space.by_link(change.session_key, change.link_id):
        if people.is_same_place(known, change):
            return _filled_in(known, change, space)
    row = _received(change, space) if change.direction == Direction.INBOUND else _from_the_phone(change, space)
    space.insert(row)
    session = space.session(change.session_key)
    if change.direction == Direction.INBOUND:
        session.total_messages_received += 1
    else:
        session.total_messages_sent += 1
    session.last_activity_at = max(session.last_activity_at or 0, change.at.wall_ms)
    space.count(session)
    space.tell(EventType.MESSAGE_RECEIVED, session, change.at.wall_ms, row)
    return row


def _filled_in(known: MessageRow, change: changes.RecordMessage, space: Workspace) -> MessageRow | None:
    """What could not be read came again and can be. Its stamps stay, and no latency comes of it: nobody waited."""
    could_not_be_read = known.message_type == MessageType.UNKNOWN and known.text_content is None
    if not could_not_be_read or change.message_type == MessageType.UNKNOWN:
        return None
    after = known.but(
        message_type=change.message_type,
        text_content=change.text,
        content=_content(change, space),
        quoted_message_id=_quoted(change, space),
    )
    space.rewrite(after)
    session = space.session(change.session_key)
    space.tell(EventType.MESSAGE_EDITED, session, change.at.wall_ms, after, message_type=after.message_type)
    return after


def _quoted(change: changes.RecordMessage, space: Workspace) -> str | None:
    quoted = space.by_link(change.session_key, change.quoted_link_id) if change.quoted_link_id else []
    return quoted[0].message_id if quoted else None


def _content(change: changes.RecordMessage, space: Workspace) -> dict[str, Any] | None:
    """The content, with a reaction's target by our own id, where we have that message."""
    if not change.content:
        return change.content
    reaction = change.content.get("reaction")
    link_id = reaction_target(change)
    if not isinstance(reaction, dict) or link_id is None:
        return change.content
    targets = space.by_link(change.session_key, link_id)
    ours = {"message_id": targets[0].message_id if targets else None, "emoji": reaction.get("emoji")}
    return {**change.content, "reaction": ours | {"link_id": link_id}}


def reaction_target(change: changes.RecordMessage) -> str | None:
    """WhatsApp's id of the message that a reaction is about."""
    if not change.content:
        return None
    reaction = change.content.get("reaction")
    link_id = reaction.get("link_id") if isinstance(reaction, dict) else None
    return link_id if isinstance(link_id, str) else None


def _base(change: changes.RecordMessage, space: Workspace, status: MessageStatus) -> MessageRow:
    return MessageRow(
        id=space.take_message_id(change.at),
        session_key=change.session_key,
        message_id=change.message_id,
        link_id=change.link_id,
        direction=change.direction,
        origin=change.origin,
        message_type=change.message_type,
        chat_id=change.chat_id,
        participant=change.participant,
        contact_number=change.contact_number,
        contact_lid=change.contact_lid,
        contact_name=change.contact_name,
        text_content=change.text,
        content=_content(change, space),
        quoted_message_id=_quoted(change, space),
        offline=change.offline,
        status=status,
        sent_at=change.sent_at_ms,
        received_at=change.at.wall_ms,
        happened_at=change.sent_at_ms,
    )


def _received(change: changes.RecordMessage, space: Workspace) -> MessageRow:
    """Delivered is when it is committed: the stamp is taken as late as the transaction allows.

    What could not be read has no latency: WhatsApp brings it again when its sender is back, and that may be days.
    """
    row = _base(change, space, MessageStatus.DELIVERED)
    row.delivered_at = change.at.offset_ms + max(change.at.mono_ms, space.now().mono_ms)
    if change.origin == Origin.API and change.message_type != MessageType.UNKNOWN:
        row.total_latency_ms = max(0, row.delivered_at - change.sent_at_ms)
        if not change.offline:
            row.is_latency_acceptable = row.total_latency_ms < space.acceptable_ms
    return row


def _from_the_phone(change: changes.RecordMessage, space: Workspace) -> MessageRow:
    return _base(change, space, MessageStatus.SENT)


def advance(change: changes.Advance, space: Workspace) -> MessageRow | None:
    """An answer or a receipt. What it is about may be unknown to us: then there is nothing to learn."""
    learnt = None
    for row in space.by_link(change.session_key, change.link_id):
        arrival_ms = space.clock.resolve_ms(row.id, change.at)
        step = Step(
            change.status, receipt_time_ms(arrival_ms, change.whatsapp_s), change.error_kind, change.error_detail
        )
        after = take_step(space, row, step, change.at.wall_ms)
        learnt = learnt if after is row else after
    return learnt


def mark_read(change: changes.MarkRead, space: Workspace) -> list[MessageRow]:
    """Mark inbound messages read; those that were already stay as they are."""
    rows = [(name, space.by_message_id(change.session_key, name, Direction.INBOUND)) for name in change.message_ids]
    if unknown := [name for name, row in rows if row is None]:
        raise not_found(f"this session has received no message with message_id {', '.join(map(repr, unknown[:5]))}")
    marked = []
    for _, row in rows:
        if row is not None and space.messages[row.id].status == MessageStatus.DELIVERED:
            step = Step(MessageStatus.READ, space.clock.resolve_ms(row.id, change.at))
            marked.append(take_step(space, row, step, change.at.wall_ms))
    return marked


def edit(change: changes.EditMessage, space: Workspace) -> MessageRow | None:
    """The text is replaced; of a message that we do not have there is nothing to say."""
    for row in _in_chat(space, change):
        if row.text_content == change.text:
            return None  # told once, though the link may bring it again
        after = row.but(text_content=change.text)
        space.rewrite(after)
        space.tell(EventType.MESSAGE_EDITED, space.session(row.session_key), change.at.wall_ms, after)
        return after
    return None


def revoke(change: changes.RevokeMessage, space: Workspace) -> MessageRow | None:
    """Deleted for everyone. What was said stays recorded; that it was taken back is told."""
    for row in _in_chat(space, change):
        space.tell(EventType.MESSAGE_DELETED, space.session(row.session_key), change.at.wall_ms, row)
        return row
    return None


def _in_chat(space: Workspace, change: changes.EditMessage | changes.RevokeMessage) -> list[MessageRow]:
    rows = space.by_link(change.session_key, change.link_id)
    return [row for row in rows if people.is_in_chat(row, change.session_key, change.chat_id, space)]


def keep_rejected(change: changes.KeepRejected, space: Workspace) -> None:
    source, reason, raw = map(storable, (change.source, change.reason, change.raw))
    space.reject(change.session_key, source, reason, raw, change.at.wall_ms)
