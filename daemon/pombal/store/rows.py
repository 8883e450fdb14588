"""Rows on their way to SQLite and back, whole batches as one JSON text.

Python's sqlite3 gives the interpreter lock away and takes it back at every row. Beside a busy event loop each taking
back costs a turn of the loop, and a writer that fetches or inserts row by row falls to a few hundred rows a second.
One statement that reads its rows from json_each(?), or answers with one json_group_array, crosses that gate once.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from pydantic_core import from_json, to_json

from pombal.model.events import EventRow, EventType
from pombal.model.message import Direction, MessageRow, MessageStatus, MessageType, Origin
from pombal.model.session import LinkKind, SessionRow
from pombal.model.session_state import Reason, SessionStatus

MESSAGE_COLUMNS = tuple(field.name for field in fields(MessageRow))
SESSION_COLUMNS = tuple(field.name for field in fields(SessionRow))
EVENT_COLUMNS = tuple(field.name for field in fields(EventRow))


PACKED_ROWS = "(WITH row AS MATERIALIZED (SELECT value FROM json_each(?)) SELECT value FROM row)"
"""SQL: json_each(?) for rows of several columns. By itself it writes a row's text anew for each column taken of it.

Looks by two or three short keys (statements.py), and what is seldom written, do without.
"""


def packed(rows: Iterable[Any]) -> str:
    """Rows as one JSON text for json_each(?)."""
    return to_json(list(rows)).decode()


def json_row(columns: Sequence[str], table: str = "") -> str:
    """The SQL expression that makes one JSON array of a row's columns."""
    prefix = f"{table}." if table else ""
    return f"json_array({', '.join(prefix + column for column in columns)})"


def unpacked(
    connection: sqlite3.Connection, sql: str, parameters: Sequence[Any] | Mapping[str, Any]
) -> list[list[Any]]:
    """The rows of a statement that selects one json_group_array."""
    (text,) = connection.execute(sql, parameters).fetchone()
    rows: list[list[Any]] = from_json(text)
    return rows


def values_of(columns: Sequence[str]) -> str:
    """The SELECT list that takes a packed row apart again: value->>0, value->>1, …"""
    return ", ".join(f"value->>{place}" for place in range(len(columns)))


def message_values(row: MessageRow) -> Sequence[Any]:
    values: tuple[Any, ...] = _MESSAGE_VALUES(row)
    if row.content is None:
        return values
    return [*values[:_CONTENT], to_json(row.content).decode(), *values[_CONTENT + 1 :]]


def message_row(values: list[Any]) -> MessageRow:
    """The row of these MESSAGE_COLUMNS."""
    row = MessageRow(*values)
    row.direction = _DIRECTIONS[row.direction]
    row.origin = _ORIGINS[row.origin]
    row.message_type = _TYPES[row.message_type]
    row.status = _STATUSES[row.status]
    row.offline = bool(row.offline)
    row.overdue = bool(row.overdue)
    row.is_resolved = bool(row.is_resolved)
    if row.is_latency_acceptable is not None:
        row.is_latency_acceptable = bool(row.is_latency_acceptable)
    if row.content is not None:
        row.content = from_json(row.content)  # type: ignore[arg-type]  # a text, until here
    return row


def session_values(row: SessionRow) -> list[Any]:
    values = [getattr(row, column) for column in SESSION_COLUMNS]
    values[_SETTINGS] = to_json(row.settings).decode()
    return values


def session_row(values: Sequence[Any]) -> SessionRow:
    row = SessionRow(**dict(zip(SESSION_COLUMNS, values, strict=True)))
    row.link = LinkKind(row.link)
    row.status = SessionStatus(row.status)
    row.status_reason = None if row.status_reason is None else Reason(row.status_reason)
    row.is_active = bool(row.is_active)
    row.settings = from_json(row.settings)  # type: ignore[arg-type]  # a text, until here
    return row


def event_values(row: EventRow) -> list[Any]:
    data = None if row.data is None else to_json(row.data).decode()
    return [row.seq, row.type.value, row.session_key, row.at_ms, row.message, data]


def event_row(values: Sequence[Any]) -> EventRow:
    seq, kind, session_key, at_ms, message, data = values
    return EventRow(seq, EventType(kind), session_key, at_ms, message, None if data is None else from_json(data))


def message_picker(columns: Iterable[str]) -> Callable[[MessageRow], Any]:
    """Takes these columns of a row, enums by their values: a member takes to_json ten times as long.

    ``_value_`` is an attribute, where ``value`` is a call.
    """
    return attrgetter(*(f"{column}._value_" if column in _ENUMS else column for column in columns))


_ENUMS = frozenset({"direction", "origin", "message_type", "status"})
# An enum's own call takes four times as long as a look into a dictionary; its members are their values' equals.
_DIRECTIONS: dict[str, Direction] = {each: each for each in Direction}
_ORIGINS: dict[str, Origin] = {each: each for each in Origin}
_TYPES: dict[str, MessageType] = {each: each for each in MessageType}
_STATUSES: dict[str, MessageStatus] = {each: each for each in MessageStatus}
_MESSAGE_VALUES = message_picker(MESSAGE_COLUMNS)
_CONTENT = MESSAGE_COLUMNS.index("content")
_SETTINGS = SESSION_COLUMNS.index("settings")
