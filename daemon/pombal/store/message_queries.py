"""Reading messages: one, a page by filters, a page by search, the queue of a session."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pombal.model.message import Direction, MessageRow
from pombal.store.message_ways import (
    BY_TIME,
    SLOW_INDEX_FROM_MS,
    MessageFilter,
    id_bounds,
    shortest_index,
    time_conditions,
    within_bounds,
)
from pombal.store.rows import MESSAGE_COLUMNS, json_row, message_row, packed, unpacked
from pombal.store.search_terms import match_expression

MERGED_SESSIONS = 100
_MESSAGES = "messages AS m"
_SEARCH = "messages_search AS s CROSS JOIN messages AS m ON m.id = s.rowid"


def list_messages(connection: sqlite3.Connection, wanted: MessageFilter) -> list[MessageRow]:
    """Newest first by id (oldest first when ascending), at most wanted.limit."""
    if wanted.session_keys == ():  # nobody's messages: the table would be read through to find none
        return []
    bounded = within_bounds(connection, wanted)
    if bounded is None:
        return []
    if bounded.search is not None:
        page, parameters = search_statement(bounded, match_expression(bounded.search, connection))
    else:
        page, parameters = page_statement(bounded, shortest_index(connection, bounded))
    sql = f"""
        SELECT json_group_array({json_row(MESSAGE_COLUMNS, "m")})
        FROM ({page}) AS page CROSS JOIN messages AS m ON m.id = page.id
    """
    return [message_row(values) for values in unpacked(connection, sql, parameters)]


def count_messages(connection: sqlite3.Connection, wanted: MessageFilter) -> int:
    bounded = None if wanted.session_keys == () else within_bounds(connection, wanted)
    if bounded is None:
        return 0
    source, found_by = _MESSAGES, list[str]()
    if bounded.search is not None:
        source, found_by = _SEARCH, [match_expression(bounded.search, connection)]
    conditions, parameters = _conditions(bounded)
    if found_by:
        conditions, parameters = f"messages_search MATCH ? AND {conditions}", [*found_by, *parameters]
    (count,) = connection.execute(f"SELECT count(*) FROM {source} WHERE {conditions}", parameters).fetchone()
    return int(count)


def search_statement(wanted: MessageFilter, expression: str) -> tuple[str, list[Any]]:
    """The same for a search: it comes first, and by its own column its hits come in order by themselves."""
    conditions, parameters = _conditions(wanted)
    order = "ASC" if wanted.ascending else "DESC"
    found = f"SELECT s.rowid AS id FROM {_SEARCH} WHERE messages_search MATCH ? AND {conditions}"
    return f"{found} ORDER BY s.rowid {order} LIMIT ?", [expression, *parameters, wanted.limit]


def page_statement(wanted: MessageFilter, index: str | None) -> tuple[str, list[Any]]:
    """The statement that finds the ids of a page: by a short index, else in an order that sorts no history."""
    if index is not None:
        by_time = "" if index == BY_TIME else "+"
        return _ordered(f"SELECT m.id AS id FROM {_MESSAGES} INDEXED BY {index}", [wanted], by_time)
    keys = wanted.session_keys or ()
    if not 1 < len(keys) <= MERGED_SESSIONS or _is_narrow(wanted):
        return _ordered(f"SELECT m.id AS id FROM {_MESSAGES}", [wanted])
    # A few sessions are merged, each in its order; of many, the table's own order is the shorter way.
    arms = [replace(wanted, session_keys=(key,)) for key in keys]
    return _ordered(f"SELECT m.id AS id FROM {_MESSAGES}", arms)


def _is_narrow(wanted: MessageFilter) -> bool:
    """Whether some other index leaves out far more than that of the sessions would."""
    is_slow = wanted.threshold_ms is not None and wanted.threshold_ms >= SLOW_INDEX_FROM_MS
    return is_slow or wanted.chat_id is not None or wanted.contact_number is not None


def _ordered(select: str, arms: Sequence[MessageFilter], by_time: str = "+") -> tuple[str, list[Any]]:
    selects, parameters = list[str](), list[Any]()
    for arm in arms:
        conditions, values = _conditions(arm, "+", by_time)
        selects.append(f"{select} WHERE {conditions}")
        parameters += values
    order = "ASC" if arms[0].ascending else "DESC"
    return f"{' UNION ALL '.join(selects)} ORDER BY id {order} LIMIT ?", [*parameters, arms[0].limit]


def _conditions(wanted: MessageFilter, by_session: str = "", by_time: str = "") -> tuple[str, list[Any]]:
    """WHERE, with its parameters. "+" bars the index of several sessions, or of time: these would have to be sorted."""
    conditions, parameters = ["true"], list[Any]()

    def add(condition: str, *values: Any) -> None:
        conditions.append(condition)
        parameters.extend(values)

    if wanted.session_keys is not None and len(wanted.session_keys) == 1:
        add("m.session_key = ?", wanted.session_keys[0])
    elif wanted.session_keys is not None:
        add(f"{by_session}m.session_key IN (SELECT value FROM json_each(?))", packed(wanted.session_keys))
    for column in ("direction", "message_type", "status", "origin", "chat_id", "contact_number"):
        if (value := getattr(wanted, column)) is not None:
            add(f"m.{column} = ?", value)
    if wanted.message_type not in (None, "text"):
        add("m.message_type <> 'text'")  # said again so that the partial index applies; likewise below
    if wanted.origin not in (None, "api"):
        add("m.origin <> 'api'")
    if wanted.threshold_ms is not None:
        add("m.total_latency_ms >= ? AND m.offline = 0", wanted.threshold_ms)
        if wanted.threshold_ms >= SLOW_INDEX_FROM_MS:
            add(f"m.total_latency_ms >= {SLOW_INDEX_FROM_MS}")
    times, instants = time_conditions(wanted, by_time)
    bounds, limits = id_bounds(wanted, "s.rowid" if wanted.search is not None else "m.id")
    return " AND ".join([*conditions, *times, *bounds]), [*parameters, *instants, *limits]


def message_by_row(connection: sqlite3.Connection, row_id: int) -> MessageRow | None:
    return _one(connection, "m.id = ?", row_id)


def message_by_id(connection: sqlite3.Connection, session_key: int, message_id: str) -> MessageRow | None:
    """By its message_id; where an outbound and an inbound message share it, the outbound one."""
    for direction in (Direction.OUTBOUND, Direction.INBOUND):
        condition = "m.session_key = ? AND m.message_id = ? AND m.direction = ?"
        if (row := _one(connection, condition, session_key, message_id, direction)) is not None:
            return row
    return None


def _one(connection: sqlite3.Connection, condition: str, *parameters: Any) -> MessageRow | None:
    sql = f"SELECT json_group_array({json_row(MESSAGE_COLUMNS, 'm')}) FROM messages AS m WHERE {condition}"
    rows = unpacked(connection, sql, parameters)
    return message_row(rows[0]) if rows else None


def queued_messages(connection: sqlite3.Connection, session_key: int, past_id: int, limit: int) -> list[MessageRow]:
    """A session's queue in commit order, from behind past_id."""
    sql = f"""
        SELECT json_group_array({json_row(MESSAGE_COLUMNS, "m")}) FROM (
            SELECT id FROM messages INDEXED BY messages_queued
            WHERE session_key = ? AND status = 'queued' AND id > ? ORDER BY id LIMIT ?
        ) AS page CROSS JOIN messages AS m ON m.id = page.id
    """
    return [message_row(values) for values in unpacked(connection, sql, [session_key, past_id, limit])]


def queue_depths(connection: sqlite3.Connection) -> dict[int, int]:
    """How many messages wait, a session."""
    sql = (
        "SELECT session_key, count(*) FROM messages INDEXED BY messages_queued WHERE status = 'queued' "
        "GROUP BY session_key"
    )
    return dict(connection.execute(sql).fetchall())


def link_ids_of(connection: sqlite3.Connection, session_key: int, message_id: str) -> str | None:
    """WhatsApp's own id of a message of ours, for a quote or a reaction."""
    row = message_by_id(connection, session_key, message_id)
    return None if row is None else row.link_id


def oldest_queued_at(connection: sqlite3.Connection) -> int | None:
    """When the message was queued that has waited longest (epoch ms)."""
    (oldest,) = connection.execute("SELECT min(queued_at) FROM messages WHERE status = 'queued'").fetchone()
    return None if oldest is None else int(oldest)
