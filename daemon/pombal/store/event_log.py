"""Reading the event log: pages of events as they are shown, and where the log begins and ends."""

import sqlite3
from dataclasses import dataclass

from pombal.model.events import Event, EventType, show_event
from pombal.store import statements
from pombal.store.migrations.events import RARE_EVENTS
from pombal.store.rows import EVENT_COLUMNS, event_row, json_row, packed, unpacked
from pombal.store.session_queries import sessions_by_keys

SCAN_EVENTS = 50_000
RARE = frozenset({EventType.SESSION_STATUS, EventType.MESSAGE_EDITED, EventType.MESSAGE_DELETED})


@dataclass(frozen=True, slots=True)
class LogBounds:
    """The first and the last event that the log still has, and the last it ever had (0: never any)."""

    first_seq: int
    last_seq: int


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in order, and up to where the log was read: beyond the last event where a filter left others out."""

    events: list[Event]
    read_to: int
    bounds: LogBounds


def log_bounds(connection: sqlite3.Connection) -> LogBounds:
    (first,) = connection.execute("SELECT min(seq) FROM events").fetchone()
    last = last_seq(connection)
    return LogBounds(first if first is not None else last + 1, last)


def last_seq(connection: sqlite3.Connection) -> int:
    """The sequence of the snapshot that is being read, whatever has been pruned."""
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return int(found[0]) if found else 0


def events_after(
    connection: sqlite3.Connection,
    after: int,
    limit: int,
    now_ms: int,
    sessions: frozenset[str] | None = None,
    types: frozenset[str] | None = None,
) -> EventPage:
    """The next events past ``after``, at most limit of them, of these sessions (names or ids) and types where given."""
    bounds = log_bounds(connection)
    start = max(after, bounds.first_seq - 1)
    # Bounded, so that a filter that lets little pass is answered in time however long the log is.
    end = min(bounds.last_seq, start + SCAN_EVENTS)
    events = _page(connection, start, end, limit, now_ms, sessions, types, newest=False)
    read_to = events[-1].seq if len(events) == limit else end
    return EventPage(events, max(after, read_to), bounds)


def newest_events(
    connection: sqlite3.Connection,
    limit: int,
    now_ms: int,
    sessions: frozenset[str] | None = None,
    types: frozenset[str] | None = None,
) -> EventPage:
    """The newest page, oldest of it first."""
    bounds = log_bounds(connection)
    events = _page(connection, 0, bounds.last_seq, limit, now_ms, sessions, types, newest=True)
    return EventPage(events, bounds.last_seq, bounds)


def count_events(
    connection: sqlite3.Connection, after: int, sessions: frozenset[str] | None, types: frozenset[str] | None
) -> int:
    """How many there are past ``after``, whatever the page."""
    found, parameters = _wanted(after, last_seq(connection), sessions, types)
    (count,) = connection.execute(f"SELECT count(*) FROM {found}", parameters).fetchone()
    return int(count)


_OF_SESSIONS = """
    e.session_key IN (SELECT s.key FROM sessions AS s, json_each(?) AS named WHERE named.value IN (s.id, s.name))
"""


def _page(
    connection: sqlite3.Connection,
    after: int,
    end: int,
    limit: int,
    now_ms: int,
    sessions: frozenset[str] | None,
    types: frozenset[str] | None,
    *,
    newest: bool,
) -> list[Event]:
    found, parameters = _wanted(after, end, sessions, types)
    page = f"SELECT e.* FROM {found} ORDER BY e.seq {'DESC' if newest else 'ASC'} LIMIT ?"
    sql = f"SELECT json_group_array({json_row(EVENT_COLUMNS, 'e')}) FROM ({page}) AS e"
    rows = sorted(map(event_row, unpacked(connection, sql, [*parameters, limit])), key=lambda row: row.seq)
    rows_of_sessions = sessions_by_keys(connection, {row.session_key for row in rows})
    wanted = {row.message for row in rows if row.message is not None}
    messages = {message.id: message for message in statements.messages_by_row(connection, wanted)}
    return [show_event(row, rows_of_sessions[row.session_key], messages.get(row.message or 0), now_ms) for row in rows]


def _wanted(
    after: int, end: int, sessions: frozenset[str] | None, types: frozenset[str] | None
) -> tuple[str, list[object]]:
    """What follows FROM, and its parameters."""
    conditions, parameters = ["e.seq > ? AND e.seq <= ?"], list[object]([after, end])
    if sessions is not None:
        # Looked up anew for every page: a session may be created while somebody listens for its name.
        conditions.append(_OF_SESSIONS)
        parameters.append(packed(sessions))
    if types is not None:
        conditions.append("e.type IN (SELECT value FROM json_each(?))")
        parameters.append(packed(types))
    source = "events AS e"
    if sessions is not None and types is not None and types <= RARE:
        source += " INDEXED BY events_rare"
        conditions.append(RARE_EVENTS)
    return f"{source} WHERE {' AND '.join(conditions)}", parameters
