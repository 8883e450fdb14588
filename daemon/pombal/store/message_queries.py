"""Reading messages: one, a page by filters, a page by search, the queue of a session."""

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pombal.model.message import Direction, MessageRow
from pombal.store.rows import MESSAGE_COLUMNS, json_row, message_row, packed, unpacked

SLOW_INDEX_FROM_MS = 1000  # as in the index messages_slow
SHORT_RANGE = 20_000  # messages that are sorted rather than passed by
MERGED_SESSIONS = 100
_MESSAGES = "messages AS m"
_SEARCH = "messages_search AS s CROSS JOIN messages AS m ON m.id = s.rowid"
_WORDS = re.compile(r"[^\s\"]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFilter:
    """What a list shall hold; None: no matter. past_id: only what is older (or, ascending, newer) than that id."""

    session_keys: tuple[int, ...] | None = None
    direction: str | None = None
    message_type: str | None = None
    status: str | None = None
    origin: str | None = None
    chat_id: str | None = None
    contact_number: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    search: str | None = None
    threshold_ms: int | None = None
    ascending: bool = False
    past_id: int | None = None
    limit: int = 50


def list_messages(connection: sqlite3.Connection, wanted: MessageFilter) -> list[MessageRow]:
    """Newest first by id (oldest first when ascending), at most wanted.limit."""
    if wanted.session_keys == ():  # nobody's messages: the table would be read through to find none
        return []
    page, parameters = page_statement(wanted, within_times=is_short(connection, wanted))
    sql = f"""
        SELECT json_group_array({json_row(MESSAGE_COLUMNS, "m")})
        FROM ({page}) AS page CROSS JOIN messages AS m ON m.id = page.id
    """
    return [message_row(values) for values in unpacked(connection, sql, parameters)]


def count_messages(connection: sqlite3.Connection, wanted: MessageFilter) -> int:
    if wanted.session_keys == ():
        return 0
    source = _SEARCH if wanted.search is not None else _MESSAGES
    conditions, parameters = _conditions(wanted)
    (count,) = connection.execute(f"SELECT count(*) FROM {source} WHERE {conditions}", parameters).fetchone()
    return int(count)


def is_short(connection: sqlite3.Connection, wanted: MessageFilter) -> bool:
    """Whether few messages lie within the times asked for: sorting those beats passing by all others."""
    if wanted.since_ms is None and wanted.until_ms is None:
        return False
    conditions, parameters = _conditions(MessageFilter(since_ms=wanted.since_ms, until_ms=wanted.until_ms))
    sql = f"SELECT count(*) FROM (SELECT 1 FROM {_MESSAGES} INDEXED BY messages_by_time WHERE {conditions} LIMIT ?)"
    (found,) = connection.execute(sql, [*parameters, SHORT_RANGE + 1]).fetchone()
    return bool(found <= SHORT_RANGE)


def page_statement(wanted: MessageFilter, *, within_times: bool) -> tuple[str, list[Any]]:
    """The statement that finds the ids of a page, by a way that follows their order and sorts no history."""
    if wanted.search is not None:
        # The search comes first, and by its own column: its hits come in that order by themselves.
        return _ordered("s.rowid", f"SELECT s.rowid AS id FROM {_SEARCH}", [wanted])
    if within_times:
        return _ordered("id", f"SELECT m.id AS id FROM {_MESSAGES} INDEXED BY messages_by_time", [wanted])
    keys = wanted.session_keys or ()
    # A few sessions are merged, each in its order; of many, the table's own order is the shorter way.
    arms = [replace(wanted, session_keys=(key,)) for key in keys] if 1 < len(keys) <= MERGED_SESSIONS else [wanted]
    return _ordered("id", f"SELECT m.id AS id FROM {_MESSAGES}", arms, by_id="+")


def _ordered(column: str, select: str, arms: Sequence[MessageFilter], by_id: str = "") -> tuple[str, list[Any]]:
    selects, parameters = list[str](), list[Any]()
    for arm in arms:
        conditions, values = _conditions(arm, by_id)
        selects.append(f"{select} WHERE {conditions}")
        parameters += values
    order = "ASC" if arms[0].ascending else "DESC"
    return f"{' UNION ALL '.join(selects)} ORDER BY {column} {order} LIMIT ?", [*parameters, arms[0].limit]


def _conditions(wanted: MessageFilter, by_id: str = "") -> tuple[str, list[Any]]:
    """WHERE, with its parameters. by_id: "+" bars the indexes whose findings would have to be sorted by id."""
    conditions, parameters = ["true"], list[Any]()

    def add(condition: str, *values: Any) -> None:
        conditions.append(condition)
        parameters.extend(values)

    if wanted.search is not None:
        add("messages_search MATCH ?", match_expression(wanted.search))
    if wanted.session_keys is not None and len(wanted.session_keys) == 1:
        add("m.session_key = ?", wanted.session_keys[0])
    elif wanted.session_keys is not None:
        add(f"{by_id}m.session_key IN (SELECT value FROM json_each(?))", packed(wanted.session_keys))
    for column in ("direction", "message_type", "status", "origin", "chat_id", "contact_number"):
        if (value := getattr(wanted, column)) is not None:
            add(f"m.{column} = ?", value)
    if wanted.message_type not in (None, "text"):
        add("m.message_type <> 'text'")  # said again so that the partial index applies; likewise below
    if wanted.origin not in (None, "api"):
        add("m.origin <> 'api'")
    if wanted.since_ms is not None:
        add(f"{by_id}m.happened_at >= ?", wanted.since_ms)
    if wanted.until_ms is not None:
        add(f"{by_id}m.happened_at < ?", wanted.until_ms)
    if wanted.threshold_ms is not None:
        add("m.total_latency_ms >= ? AND m.offline = 0", wanted.threshold_ms)
        if wanted.threshold_ms >= SLOW_INDEX_FROM_MS:
            add(f"m.total_latency_ms >= {SLOW_INDEX_FROM_MS}")
    if wanted.past_id is not None:
        row = "s.rowid" if wanted.search is not None else "m.id"
        add(f"{row} {'>' if wanted.ascending else '<'} ?", wanted.past_id)
    return " AND ".join(conditions), parameters


def match_expression(search: str) -> str:
    """Words as FTS5 prefixes, all of them, each quoted: nothing of a user's text is ever syntax."""
    words = [word for word in _WORDS.findall(search.replace("\0", " ")) if any(char.isalnum() for char in word)]
    return " ".join(f'"{word}"*' for word in words) or '""'


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
