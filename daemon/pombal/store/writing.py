"""What a transaction has decided, written by one statement.

It inserts one row into a view that exists for this connection alone, and the view's trigger takes that row apart:
a JSON text for each kind of thing to be done. loading.py says why one statement is better than eight.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from pombal.model.contact import Contact
from pombal.model.events import EventRow
from pombal.model.message import MessageRow
from pombal.model.session import SessionRow
from pombal.store.rollups import LEARN
from pombal.store.rows import (
    EVENT_COLUMNS,
    MESSAGE_COLUMNS,
    PACKED_ROWS,
    SESSION_COLUMNS,
    event_values,
    message_picker,
    message_values,
    packed,
    session_values,
    values_of,
)
from pombal.store.statements import CONTACT_COLUMNS, ContactKey

_PROGRESS = (
    "status", "error_kind", "error_detail", "overdue", "queued_at", "dispatched_at", "sent_at", "delivered_at",
    "read_at", "failed_at", "total_latency_ms", "is_latency_acceptable",
)  # fmt: skip
_REWRITTEN = (
    "message_type", "text_content", "content", "quoted_message_id", "chat_id", "contact_number", "contact_lid",
    "contact_name", "happened_at", "is_resolved",
)  # fmt: skip
_SESSION = tuple(column for column in SESSION_COLUMNS if column not in ("key", "id", "created_at"))
_TOTALS = ("total_messages_sent", "total_messages_received", "total_messages_failed", "last_activity_at")


Texts = list[str | None]
"""For each of ``_STEPS`` the rows that it takes, as JSON; None where there are none."""


@dataclass(slots=True)
class Decided:
    """Rows by what becomes of them. counted: sessions of which nothing but ``_TOTALS`` has changed."""

    inserted: list[MessageRow]
    progressed: list[MessageRow]
    rewritten: list[MessageRow]
    sessions: list[SessionRow]
    counted: list[SessionRow]
    events: list[EventRow]
    contacts: Mapping[ContactKey, Contact]
    latencies: list[list[Any]]


def prepare(connection: sqlite3.Connection) -> None:
    """Make the view; needed once a connection, and again whenever its temporary things were dropped."""
    columns = ", ".join(_STEPS)
    steps = "\n".join(f"{step.replace('?', f'NEW.{column}')};" for column, step in _STEPS.items())
    nothing = ", ".join("NULL" for _ in _STEPS)
    connection.execute(f"CREATE TEMP VIEW IF NOT EXISTS decided ({columns}) AS SELECT {nothing}")
    connection.execute(
        f"CREATE TEMP TRIGGER IF NOT EXISTS decided_written INSTEAD OF INSERT ON decided BEGIN\n{steps}\nEND"
    )


def pack(decided: Decided) -> Texts:
    return [  # in the order of _STEPS
        _text(message_values, decided.inserted),
        _text(_progress_values, decided.progressed),
        _text(_rewritten_values, decided.rewritten),
        _text(_session_values, decided.sessions),
        _text(_totals_values, decided.counted),
        _text(event_values, decided.events),
        _text(_contact_values, decided.contacts.items()),
        packed(decided.latencies) if decided.latencies else None,
    ]


def write(connection: sqlite3.Connection, texts: Texts) -> None:
    """Raises sqlite3.Error; then nothing of it is written."""
    if any(texts):
        connection.execute(_WRITE, texts)


def insert_session(connection: sqlite3.Connection, row: SessionRow) -> None:
    connection.execute(_INSERT_SESSION, [packed([session_values(row)])])


def _text(values: Callable[[Any], Any], rows: Iterable[Any]) -> str | None:
    return packed(map(values, rows)) if rows else None


def _insert_into(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values_of(columns)} FROM {PACKED_ROWS}"


def _update(table: str, key: str, columns: tuple[str, ...]) -> str:
    changes = ", ".join(f"{column} = new_row.value->>{place}" for place, column in enumerate(columns, 1))
    return f"UPDATE {table} SET {changes} FROM {PACKED_ROWS} AS new_row WHERE {table}.{key} = new_row.value->>0"


def _picked(everything: Any, columns: tuple[str, ...], wanted: tuple[str, ...]) -> list[Any]:
    return [everything[0], *(everything[columns.index(column)] for column in wanted)]


def _rewritten_values(row: MessageRow) -> list[Any]:
    return _picked(message_values(row), MESSAGE_COLUMNS, _REWRITTEN)


def _session_values(row: SessionRow) -> list[Any]:
    return _picked(session_values(row), SESSION_COLUMNS, _SESSION)


def _contact_values(item: tuple[ContactKey, Contact]) -> list[Any]:
    (session_key, _), who = item
    return [session_key, who.number, who.canonical_id, who.lid, who.name]


_progress_values = message_picker(("id", *_PROGRESS))
_totals_values = attrgetter("key", *_TOTALS)
_INSERT_SESSION = _insert_into("sessions", SESSION_COLUMNS)
_STEPS = {
    "inserted": _insert_into("messages", MESSAGE_COLUMNS),
    "progressed": _update("messages", "id", _PROGRESS),
    "rewritten": _update("messages", "id", _REWRITTEN),
    "sessions": _update("sessions", "key", _SESSION),
    "counted": _update("sessions", "key", _TOTALS),  # names no column of an index or a trigger, so it looks at none
    "events": _insert_into("events", EVENT_COLUMNS),
    "contacts": f"""
        {_insert_into("contacts", CONTACT_COLUMNS)} WHERE true ON CONFLICT (session_key, number)
        DO UPDATE SET canonical_id = excluded.canonical_id, lid = excluded.lid, name = excluded.name
    """,
    "latencies": LEARN,  # behind sessions: they count for the owner that a session has by now
}
_WRITE = f"INSERT INTO decided VALUES ({', '.join('?' * len(_STEPS))})"
