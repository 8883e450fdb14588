"""The hot statements: each takes or gives a whole batch in one step (rows.py says why)."""

import hashlib
import sqlite3
from collections.abc import Collection, Mapping
from operator import attrgetter

from pombal.model.contact import Contact
from pombal.model.events import EventRow
from pombal.model.message import MessageRow
from pombal.model.session import SessionRow
from pombal.store.rows import (
    EVENT_COLUMNS,
    MESSAGE_COLUMNS,
    SESSION_COLUMNS,
    event_values,
    json_row,
    message_picker,
    message_row,
    message_values,
    packed,
    session_row,
    session_values,
    unpacked,
    values_of,
)

_MESSAGE = json_row(MESSAGE_COLUMNS, "m")
_PROGRESS = (
    "status", "error_kind", "error_detail", "overdue", "queued_at", "dispatched_at", "sent_at", "delivered_at",
    "read_at", "failed_at", "total_latency_ms", "is_latency_acceptable",
)  # fmt: skip
_REWRITTEN = (
    "message_type", "text_content", "content", "quoted_message_id", "chat_id", "contact_number", "contact_lid",
    "contact_name", "happened_at", "is_resolved",
)  # fmt: skip
_CONTACT = ("session_key", "number", "canonical_id", "lid", "name")
_TOTALS = ("total_messages_sent", "total_messages_received", "total_messages_failed", "last_activity_at")
_SESSION = tuple(column for column in SESSION_COLUMNS if column not in ("key", "id", "created_at"))


def _insert_into(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values_of(columns)} FROM json_each(?)"


def _update(table: str, key: str, columns: tuple[str, ...]) -> str:
    changes = ", ".join(f"{column} = new.value->>{place}" for place, column in enumerate(columns, 1))
    return f"UPDATE {table} SET {changes} FROM json_each(?) AS new WHERE {table}.{key} = new.value->>0"


# CROSS JOIN keeps the order of the loops: for each wanted key one look into the index.
_BY_ROW = f"""
    SELECT json_group_array({_MESSAGE}) FROM json_each(?) AS wanted
    CROSS JOIN messages AS m ON m.id = wanted.value
"""
_BY_LINK = f"""
    SELECT json_group_array({_MESSAGE}) FROM json_each(?) AS wanted CROSS JOIN messages AS m
    ON m.session_key = wanted.value->>0 AND m.link_id = wanted.value->>1
"""
_BY_MESSAGE_ID = f"""
    SELECT json_group_array({_MESSAGE}) FROM json_each(?) AS wanted CROSS JOIN messages AS m
    ON m.session_key = wanted.value->>0 AND m.message_id = wanted.value->>1 AND m.direction = wanted.value->>2
"""
_SESSIONS_BY_KEY = f"""
    SELECT json_group_array({json_row(SESSION_COLUMNS, "s")}) FROM json_each(?) AS wanted
    CROSS JOIN sessions AS s ON s.key = wanted.value
"""
_KNOWN_MEDIA = """
    SELECT json_group_array(json_array(m.sha256, m.size_bytes)) FROM json_each(?) AS wanted
    CROSS JOIN media AS m ON m.sha256 = wanted.value
"""
_ERASED_SENDS = """
    SELECT json_group_array(json_array(e.session_key, e.id_hash)) FROM json_each(?) AS wanted
    CROSS JOIN erased_sends AS e ON e.session_key = wanted.value->>0 AND e.id_hash = wanted.value->>1
"""
_CONTACTS_BY_NUMBER = f"""
    SELECT json_group_array({json_row(_CONTACT, "c")}) FROM json_each(?) AS wanted CROSS JOIN contacts AS c
    ON c.session_key = wanted.value->>0 AND c.number = wanted.value->>1
"""
_CONTACTS_BY_LID = f"""
    SELECT json_group_array({json_row(_CONTACT, "c")}) FROM json_each(?) AS wanted CROSS JOIN contacts AS c
    ON c.session_key = wanted.value->>0 AND c.lid = wanted.value->>1
"""
_PUT_CONTACTS = f"""
    {_insert_into("contacts", _CONTACT)} WHERE true ON CONFLICT (session_key, number)
    DO UPDATE SET canonical_id = excluded.canonical_id, lid = excluded.lid, name = excluded.name
"""
_INSERT_MESSAGES = _insert_into("messages", MESSAGE_COLUMNS)
_INSERT_EVENTS = _insert_into("events", EVENT_COLUMNS)
_INSERT_SESSION = _insert_into("sessions", SESSION_COLUMNS)
_UPDATE_PROGRESS = _update("messages", "id", _PROGRESS)
_UPDATE_REWRITTEN = _update("messages", "id", _REWRITTEN)
_UPDATE_SESSIONS = _update("sessions", "key", _SESSION)
_UPDATE_TOTALS = _update("sessions", "key", _TOTALS)  # no index and no trigger of the table has to be looked at
_PROGRESS_VALUES = message_picker(("id", *_PROGRESS))
_TOTALS_VALUES = attrgetter("key", *_TOTALS)


def messages_by_row(connection: sqlite3.Connection, ids: Collection[int]) -> list[MessageRow]:
    return _messages(connection, _BY_ROW, ids)


def messages_by_link(connection: sqlite3.Connection, keys: Collection[tuple[int, str]]) -> list[MessageRow]:
    return _messages(connection, _BY_LINK, keys)


def messages_by_message_id(connection: sqlite3.Connection, keys: Collection[tuple[int, str, str]]) -> list[MessageRow]:
    return _messages(connection, _BY_MESSAGE_ID, keys)


def _messages(connection: sqlite3.Connection, sql: str, wanted: Collection[object]) -> list[MessageRow]:
    if not wanted:
        return []
    return [message_row(values) for values in unpacked(connection, sql, [packed(wanted)])]


def sessions_by_key(connection: sqlite3.Connection, keys: Collection[int]) -> list[SessionRow]:
    if not keys:
        return []
    wanted = packed(keys)
    return [session_row(values) for values in unpacked(connection, _SESSIONS_BY_KEY, [wanted])]


def known_media(connection: sqlite3.Connection, sha256s: Collection[str]) -> dict[str, int]:
    """Which of these files the media store has, with their sizes in bytes."""
    if not sha256s:
        return {}
    return dict(unpacked(connection, _KNOWN_MEDIA, [packed(sha256s)]))


IdHash = tuple[int, str]
"""A session, and what `id_hash` makes of the message_id of a send."""


def id_hash(session_key: int, message_id: str) -> str:
    """What remains of a send whose contact was erased: enough to know the id again, not to read it."""
    return hashlib.sha256(f"{session_key}:{message_id}".encode()).hexdigest()[:32]


def erased_sends(connection: sqlite3.Connection, hashes: Collection[IdHash]) -> set[IdHash]:
    """Those of the sends that there have been, and that were erased."""
    if not hashes:
        return set()
    return {(key, hashed) for key, hashed in unpacked(connection, _ERASED_SENDS, [packed(hashes)])}


def insert_messages(connection: sqlite3.Connection, rows: Collection[MessageRow]) -> None:
    if rows:
        connection.execute(_INSERT_MESSAGES, [packed(map(message_values, rows))])


def update_progress(connection: sqlite3.Connection, rows: Collection[MessageRow]) -> None:
    if rows:
        connection.execute(_UPDATE_PROGRESS, [packed(map(_PROGRESS_VALUES, rows))])


def update_rewritten(connection: sqlite3.Connection, rows: Collection[MessageRow]) -> None:
    if rows:
        places = [0, *(MESSAGE_COLUMNS.index(column) for column in _REWRITTEN)]
        values = ([everything[place] for place in places] for everything in map(message_values, rows))
        connection.execute(_UPDATE_REWRITTEN, [packed(values)])


ContactKey = tuple[int, str]
"""A session, and a number or a LID."""


def contacts_by_number(connection: sqlite3.Connection, keys: Collection[ContactKey]) -> dict[ContactKey, Contact]:
    """By session and number; only those that are known."""
    return _contacts(connection, _CONTACTS_BY_NUMBER, keys)


def contacts_by_lid(connection: sqlite3.Connection, keys: Collection[ContactKey]) -> dict[ContactKey, Contact]:
    """By session and number, of those behind these LIDs."""
    return _contacts(connection, _CONTACTS_BY_LID, keys)


def _contacts(connection: sqlite3.Connection, sql: str, keys: Collection[ContactKey]) -> dict[ContactKey, Contact]:
    if not keys:
        return {}
    found = unpacked(connection, sql, [packed(keys)])
    return {(session_key, number): Contact(number, *rest) for session_key, number, *rest in found}


def put_contacts(connection: sqlite3.Connection, contacts: Mapping[ContactKey, Contact]) -> None:
    if contacts:
        values = ([key[0], who.number, who.canonical_id, who.lid, who.name] for key, who in contacts.items())
        connection.execute(_PUT_CONTACTS, [packed(values)])


def insert_session(connection: sqlite3.Connection, row: SessionRow) -> None:
    connection.execute(_INSERT_SESSION, [packed([session_values(row)])])


def update_sessions(connection: sqlite3.Connection, rows: Collection[SessionRow]) -> None:
    if rows:
        places = [0, *(SESSION_COLUMNS.index(column) for column in _SESSION)]
        values = ([everything[place] for place in places] for everything in map(session_values, rows))
        connection.execute(_UPDATE_SESSIONS, [packed(values)])


def update_totals(connection: sqlite3.Connection, rows: Collection[SessionRow]) -> None:
    """Counters and last activity alone: what nearly every transaction changes of a session."""
    if rows:
        connection.execute(_UPDATE_TOTALS, [packed(map(_TOTALS_VALUES, rows))])


def insert_events(connection: sqlite3.Connection, rows: Collection[EventRow]) -> None:
    if rows:
        connection.execute(_INSERT_EVENTS, [packed(map(event_values, rows))])
