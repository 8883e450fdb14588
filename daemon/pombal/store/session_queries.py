"""Reading sessions: all of them at start, one, a page by filters."""

import sqlite3
from dataclasses import dataclass
from typing import Any

from pombal.model.session import SessionRow
from pombal.store.rows import SESSION_COLUMNS, json_row, packed, session_row, unpacked

_SESSION = json_row(SESSION_COLUMNS, "s")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFilter:
    """What a list shall hold; None: no matter. past_key: only what was created after that session."""

    owner: str | None = None
    status: str | None = None
    is_active: bool | None = None
    link: str | None = None
    search: str | None = None
    past_key: int = 0
    limit: int = 50


def present_sessions(connection: sqlite3.Connection) -> list[SessionRow]:
    """All sessions that have not been deleted, oldest first."""
    sql = f"SELECT json_group_array({_SESSION}) FROM sessions AS s WHERE s.deleted_at IS NULL"
    return sorted(map(session_row, unpacked(connection, sql, [])), key=lambda row: row.key)


def sessions_named(connection: sqlite3.Connection, name_or_id: str) -> SessionRow | None:
    """By id, deleted ones too, or by the name of one that is there."""
    sql = f"""
        SELECT json_group_array({_SESSION}) FROM sessions AS s
        WHERE s.id = ?1 OR (s.name = ?1 AND s.deleted_at IS NULL)
    """
    rows = [session_row(values) for values in unpacked(connection, sql, [name_or_id])]
    return min(rows, key=lambda row: row.deleted_at is not None) if rows else None


def sessions_by_keys(connection: sqlite3.Connection, keys: set[int]) -> dict[int, SessionRow]:
    sql = f"""
        SELECT json_group_array({_SESSION}) FROM json_each(?) AS wanted CROSS JOIN sessions AS s ON s.key = wanted.value
    """
    rows = [session_row(values) for values in unpacked(connection, sql, [packed(keys)])] if keys else []
    return {row.key: row for row in rows}


def list_sessions(connection: sqlite3.Connection, wanted: SessionFilter) -> list[SessionRow]:
    """In the order of their creation, at most wanted.limit."""
    conditions, parameters = _conditions(wanted)
    page = f"SELECT s.* FROM sessions AS s WHERE {conditions} AND s.key > ? ORDER BY s.key LIMIT ?"
    sql = f"SELECT json_group_array({_SESSION}) FROM ({page}) AS s"
    rows = unpacked(connection, sql, [*parameters, wanted.past_key, wanted.limit])
    return [session_row(values) for values in rows]


def count_sessions(connection: sqlite3.Connection, wanted: SessionFilter) -> int:
    """How many there are in all, whatever the page."""
    conditions, parameters = _conditions(wanted)
    (count,) = connection.execute(f"SELECT count(*) FROM sessions AS s WHERE {conditions}", parameters).fetchone()
    return int(count)


def _conditions(wanted: SessionFilter) -> tuple[str, list[Any]]:
    conditions, parameters = ["s.deleted_at IS NULL"], list[Any]()
    for column in ("owner", "status", "is_active", "link"):
        if (value := getattr(wanted, column)) is not None:
            conditions.append(f"s.{column} = ?")
            parameters.append(value)
    if wanted.search:
        conditions.append("(instr(lower(s.name), ?) OR instr(s.phone_number, ?) OR instr(lower(s.device_name), ?))")
        parameters += [wanted.search.lower()] * 3
    return " AND ".join(conditions), parameters


def keys_of_owner(connection: sqlite3.Connection, owner: str) -> tuple[int, ...]:
    """All of an owner's sessions, deleted ones too: their history is the owner's."""
    return tuple(key for (key,) in connection.execute("SELECT key FROM sessions WHERE owner = ?", [owner]))


def ids_by_key(connection: sqlite3.Connection) -> dict[int, str]:
    """Of all sessions that there ever were."""
    return dict(connection.execute("SELECT key, id FROM sessions").fetchall())
