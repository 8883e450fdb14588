"""Reading messages: one, a page by filters, a page by search, the queue of a session."""

import re
import sqlite3
from dataclasses import dataclass
from typing import Any

from pombal.model.message import Direction, MessageRow, MessageStatus
from pombal.store.rows import MESSAGE_COLUMNS, json_row, message_row, packed, unpacked

SLOW_INDEX_FROM_MS = 1000  # as in the index messages_slow
_WORDS = re.compile(r"[^\s\"]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFilter:
    """What a list shall hold; None: no matter. before_id: only what is older (or, ascending, newer) than that id."""

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
    source, conditions, parameters = _conditions(wanted)
    order = "ASC" if wanted.ascending else "DESC"
    page = f"SELECT m.* FROM {source} WHERE {' AND '.join(conditions)} ORDER BY m.id {order} LIMIT ?"
    sql = f"SELECT json_group_array({json_row(MESSAGE_COLUMNS, 'm')}) FROM ({page}) AS m"
    return [message_row(values) for values in unpacked(connection, sql, [*parameters, wanted.limit])]


def count_messages(connection: sqlite3.Connection, wanted: MessageFilter) -> int:
    source, conditions, parameters = _conditions(wanted)
    (count,) = connection.execute(
        f"SELECT count(*) FROM {source} WHERE {' AND '.join(conditions)}", parameters
    ).fetchone()
    return int(count)


def _conditions(wanted: MessageFilter) -> tuple[str, list[str], list[Any]]:
    source, conditions, parameters = "messages AS m", ["true"], list[Any]()

    def add(condition: str, *values: Any) -> None:
        conditions.append(condition)
        parameters.extend(values)

    if wanted.search is not None:
        # The search comes first and the message is looked up for each hit: hits come newest first by themselves.
        source = "messages_search AS s CROSS JOIN messages AS m ON m.id = s.rowid"
        add("messages_search MATCH ?", match_expression(wanted.search))
    if wanted.session_keys is not None:
        if len(wanted.session_keys) == 1:
            add("m.session_key = ?", wanted.session_keys[0])
        else:
            add("m.session_key IN (SELECT value FROM json_each(?))", packed(wanted.session_keys))
    for column in ("direction", "message_type", "status", "origin", "chat_id", "contact_number"):
        if (value := getattr(wanted, column)) is not None:
            add(f"m.{column} = ?", value)
    if wanted.message_type not in (None, "text"):
        add("m.message_type <> 'text'")  # said again so that the partial index applies; likewise below
    if wanted.origin not in (None, "api"):
        add("m.origin <> 'api'")
    if wanted.since_ms is not None:
        add("m.happened_at >= ?", wanted.since_ms)
    if wanted.until_ms is not None:
        add("m.happened_at < ?", wanted.until_ms)
    if wanted.threshold_ms is not None:
        add("m.total_latency_ms >= ? AND m.offline = 0", wanted.threshold_ms)
        if wanted.threshold_ms >= SLOW_INDEX_FROM_MS:
            add(f"m.total_latency_ms >= {SLOW_INDEX_FROM_MS}")
    if wanted.past_id is not None:
        row = "s.rowid" if wanted.search is not None else "m.id"
        add(f"{row} {'>' if wanted.ascending else '<'} ?", wanted.past_id)
    return source, conditions, parameters


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
    wanted = MessageFilter(
        session_keys=(session_key,), status=MessageStatus.QUEUED, ascending=True, past_id=past_id, limit=limit
    )
    return list_messages(connection, wanted)


def queue_depths(connection: sqlite3.Connection) -> dict[int, int]:
    """How many messages wait, a session."""
    sql = "SELECT session_key, count(*) FROM messages WHERE status = 'queued' GROUP BY session_key"
    return dict(connection.execute(sql).fetchall())


def link_ids_of(connection: sqlite3.Connection, session_key: int, message_id: str) -> str | None:
    """WhatsApp's own id of a message of ours, for a quote or a reaction."""
    row = message_by_id(connection, session_key, message_id)
    return None if row is None else row.link_id
