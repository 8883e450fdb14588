"""What another system's history does to the rows: added once, and moved on where a later dump knows more."""

from pombal.model import changes
from pombal.model.changes import Imported
from pombal.model.errors import Kind, PombalError, not_found
from pombal.model.message import Direction, MessageRow, MessageStatus, Origin
from pombal.model.message_status import RANK, Step, advance, is_out
from pombal.model.phone import LID_SERVER, is_person, server_of
from pombal.model.session import SessionRow
from pombal.store.decisions import sessions
from pombal.store.workspace import Workspace


def session(change: changes.ImportSession, space: Workspace) -> tuple[Imported, SessionRow]:
    """A session is the one that was imported before by its id; it stays as it is then."""
    space.flush()
    found = space.connection.execute("SELECT key FROM sessions WHERE id = ?", [change.id]).fetchone()
    if found:
        space.load_sessions({found[0]})
        return Imported.KNOWN, space.shown(_present(space.session(found[0])))
    created = sessions.create(
        changes.CreateSession(
            at=change.at, id=change.id, name=_free_name(change, space), owner=change.owner, link=change.link,
            is_active=False, device_name=change.device_name, phone_number=change.phone_number,
        ),
        space,
    )  # fmt: skip
    row = space.session(created.key)
    row.connected_at = change.connected_at_ms
    row.error_count = change.error_count
    row.total_messages_sent = row.earlier_messages_sent = change.total_messages_sent
    row.total_messages_received = row.earlier_messages_received = change.total_messages_received
    space.touch(row)
    return Imported.ADDED, space.shown(row)


def _free_name(change: changes.ImportSession, space: Workspace) -> str:
    for name in change.names:
        sql = "SELECT 1 FROM sessions WHERE name = ? AND deleted_at IS NULL"
        if space.connection.execute(sql, [name]).fetchone() is None:
            return name
    raise PombalError(Kind.ALREADY_EXISTS, "each name that it could have is taken")


def _present(row: SessionRow) -> SessionRow:
    if row.deleted_at is not None:
        raise not_found("its session was imported before, and has been deleted since")
    return row


def message(change: changes.ImportMessage, space: Workspace) -> Imported:
    """Told in no event: whoever follows the log waits for what happens, not for what happened long ago."""
    owner = _present(space.session(change.session_key))
    wanted = _at_home(change.message, space)
    known = _known(wanted, space)
    if known is not None:
        return _moved_on(known, wanted, owner, space)
    wanted = wanted.but(id=space.take_message_id(change.at))
    space.insert(wanted)
    _count(owner, None, wanted)
    owner.last_activity_at = max(owner.last_activity_at or 0, wanted.happened_at)
    space.touch(owner)
    return Imported.ADDED


def _at_home(row: MessageRow, space: Workspace) -> MessageRow:
    """In the one chat of its person, where the session knows them already."""
    if not is_person(row.chat_id):
        return row
    lid = row.chat_id if server_of(row.chat_id) == LID_SERVER else None
    contact = space.contact(row.session_key, row.contact_number, lid)
    if contact is None:
        return row.but(contact_lid=lid)
    return row.but(
        chat_id=contact.canonical_id, contact_number=contact.number, contact_lid=lid or contact.lid,
        contact_name=row.contact_name or contact.name,
    )  # fmt: skip


def _is_same_chat(row: MessageRow, other: MessageRow) -> bool:
    """One chat, or one person's under two addresses."""
    if row.chat_id == other.chat_id:
        return True
    is_private = is_person(row.chat_id) and is_person(other.chat_id)
    return is_private and row.contact_number is not None and row.contact_number == other.contact_number


def _known(wanted: MessageRow, space: Workspace) -> MessageRow | None:
    named = space.by_message_id(wanted.session_key, wanted.message_id, wanted.direction)
    if named is not None:
        if not _is_same_chat(named, wanted):
            raise PombalError(Kind.CONFLICT, "its message_id is that of another message of the session")
        return named
    for row in space.by_link(wanted.session_key, wanted.link_id):
        if _is_same_chat(row, wanted) and row.participant == wanted.participant:
            return row
    return None


def _moved_on(known: MessageRow, wanted: MessageRow, owner: SessionRow, space: Workspace) -> Imported:
    """A later dump may know of a receipt that an earlier one did not. What was recorded live is left alone."""
    if known.origin != Origin.HISTORY or RANK[wanted.status] <= RANK[known.status]:
        return Imported.KNOWN
    after = known
    for step in _steps(wanted):
        after = advance(after, step, space.acceptable_ms)
    space.progress(known, after)
    _count(owner, known, after)
    space.touch(owner)
    return Imported.MOVED_ON


def _steps(wanted: MessageRow) -> list[Step]:
    """Each status on the way whose time is known, and the last one in any case."""
    stamps = (
        (MessageStatus.SENT, wanted.sent_at),
        (MessageStatus.DELIVERED, wanted.delivered_at),
        (MessageStatus.READ, wanted.read_at),
    )
    steps = [Step(status, at_ms) for status, at_ms in stamps if at_ms is not None]
    latest_ms = max((step.at_ms for step in steps), default=wanted.happened_at)
    if not any(step.status == wanted.status for step in steps):
        steps.append(Step(wanted.status, latest_ms, wanted.error_kind, wanted.error_detail))
    return [step for step in steps if RANK[step.status] <= RANK[wanted.status]]


def _count(owner: SessionRow, before: MessageRow | None, after: MessageRow) -> None:
    """A session's totals hold what its app had counted; of those, the messages that come in are not counted again."""
    if after.direction == Direction.INBOUND:
        if before is None and owner.earlier_messages_received:
            owner.earlier_messages_received -= 1
        elif before is None:
            owner.total_messages_received += 1
        return
    failed = MessageStatus.FAILED
    owner.total_messages_failed += (after.status == failed) - (before is not None and before.status == failed)
    if is_out(after) and not (before is not None and is_out(before)):
        if owner.earlier_messages_sent:
            owner.earlier_messages_sent -= 1
        else:
            owner.total_messages_sent += 1
