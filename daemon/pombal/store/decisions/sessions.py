"""Sessions: created, changed, moved along their transition table, deleted."""

from typing import Any

from pombal.model import changes
from pombal.model.errors import Kind, PombalError, not_found
from pombal.model.events import EventType
from pombal.model.session import SessionRow
from pombal.model.session_state import SessionStatus
from pombal.store.spreading import spread_all
from pombal.store.workspace import Workspace
from pombal.store.writing import insert_session


def create(change: changes.CreateSession, space: Workspace) -> SessionRow:
    space.flush()  # a session deleted a moment ago leaves its name free
    taken = space.connection.execute(
        "SELECT 1 FROM sessions WHERE name = ? AND deleted_at IS NULL", [change.name]
    ).fetchone()
    if taken:
        raise PombalError(Kind.ALREADY_EXISTS, f"there is a session {change.name!r} already")
    row = SessionRow(
        key=_next_key(space),
        id=change.id,
        name=change.name,
        owner=change.owner,
        link=change.link,
        created_at=change.at.wall_ms,
        updated_at=change.at.wall_ms,
        settings=change.settings,
        is_active=change.is_active,
        device_name=change.device_name,
        phone_number=change.phone_number,
    )
    insert_session(space.connection, row)
    space.sessions[row.key] = row
    space.tell(EventType.SESSION_CREATED, row, change.at.wall_ms, then=_then(row))
    return space.shown(row)


def _next_key(space: Workspace) -> int:
    """Above every key there ever was; AUTOINCREMENT's own counter, read because the row is written with its key."""
    found = space.connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'sessions'").fetchone()
    return (found[0] if found else 0) + 1


def update(change: changes.UpdateSession, space: Workspace) -> SessionRow:
    row = _present(space, change.session_key)
    if change.fields.get("owner", row.owner) != row.owner:
        # Its rollups, and what they leave of its owner's, go over by a trigger: none may be on their way then.
        space.flush()
        spread_all(space.connection)
    _assign(row, change.fields, change.at.wall_ms)
    space.touch(row)
    space.tell(EventType.SESSION_UPDATED, row, change.at.wall_ms, fields=sorted(change.fields), then=_then(row))
    return space.shown(row)


def set_state(change: changes.SetSessionState, space: Workspace) -> SessionRow:
    """Store where the session stands. The event is told only when that is another state."""
    row = space.session(change.session_key)
    previous = row.state
    now_ms = change.at.wall_ms
    _assign(row, change.fields, now_ms)
    row.status, row.status_reason = change.state.place
    row.status_until, row.identity = change.state.until_ms, change.state.identity
    if row.status == SessionStatus.READY and previous.status != SessionStatus.READY:
        row.connected_at = now_ms
    if previous.status == SessionStatus.READY and row.status != SessionStatus.READY:
        row.disconnected_at = now_ms
    if row.status == SessionStatus.ERROR and previous.place != change.state.place:
        row.error_count += 1
    space.touch(row)
    if previous.place != change.state.place or previous.until_ms != change.state.until_ms:
        space.tell(EventType.SESSION_STATUS, row, now_ms, **_status_data(row, previous.status, change.link_alive))
    return space.shown(row)


def _status_data(row: SessionRow, previous: SessionStatus, link_alive: bool) -> dict[str, Any]:
    return {"previous_status": previous, "then": _then(row), "link_alive": link_alive}


def _then(row: SessionRow) -> dict[str, Any]:
    """What the log keeps of a session at an event: enough to show it as it was, counters apart."""
    return {name: getattr(row, name) for name in _KEPT_AT_EVENTS}


_KEPT_AT_EVENTS = (
    "status", "status_reason", "status_until", "is_active", "connected_at", "disconnected_at", "last_error",
    "phone_number",
)  # fmt: skip


def count(change: changes.CountSession, space: Workspace) -> None:
    row = space.session(change.session_key)
    row.error_count += change.errors
    row.restart_count += change.restarts
    row.last_error = change.last_error or row.last_error
    row.updated_at = change.at.wall_ms
    space.touch(row)


def tell_gap(change: changes.TellGap, space: Workspace) -> None:
    row = space.session(change.session_key)
    row.error_count += 1
    row.last_error = f"messages may have been lost: {change.detail}"
    row.updated_at = change.at.wall_ms
    space.touch(row)
    space.tell(EventType.SESSION_GAP, row, change.at.wall_ms, then=_then(row), detail=change.detail)


def show_code(change: changes.ShowCode, space: Workspace) -> None:
    kind = EventType.SESSION_QR if change.is_qr else EventType.SESSION_PAIR_CODE
    space.tell(
        kind, space.session(change.session_key), change.at.wall_ms, code=change.code, expires_at=change.expires_at_ms
    )


def delete(change: changes.DeleteSession, space: Workspace) -> None:
    """Take a session away: its name is free again, and what is left of its history stays readable by id."""
    row = _present(space, change.session_key)
    row.deleted_at = row.updated_at = change.at.wall_ms
    row.is_active = False
    space.touch(row)
    space.forget_contacts(row.key)
    space.tell(
        EventType.SESSION_DELETED,
        row,
        change.at.wall_ms,
        messages_deleted=change.messages_deleted,
        then=_then(row),
    )


def _assign(row: SessionRow, fields: dict[str, Any], now_ms: int) -> None:
    for name, value in fields.items():
        setattr(row, name, value)
    row.updated_at = now_ms


def _present(space: Workspace, key: int) -> SessionRow:
    row = space.session(key)
    if row.deleted_at is not None:
        raise not_found(f"session {row.name!r} was deleted")
    return row
