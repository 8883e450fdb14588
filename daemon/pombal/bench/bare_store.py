"""The fastest bare loop: one thread that writes what a daemon has written, and nothing besides.

Rows, indexes, search, chats, rollups, events, counters and durability are the same, for the database is made by the
same migrations and opened with the same pragmas. Everything is made up before the clock starts, down to the JSON text
of each bulk statement: one statement that takes its rows from ``json_each`` is quicker than ``executemany``. What the
daemon does once a minute, and at no commit, is done when the clock has stopped: latencies spread over hours and days.
"""

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from pombal.config.settings import Settings
from pombal.model.events import EventRow, EventType
from pombal.model.message import MessageRow, MessageStatus
from pombal.model.message_status import as_when
from pombal.store.connection import open_reader, open_writer
from pombal.store.rollups import LEARN, RollupDeltas
from pombal.store.rows import (
    EVENT_COLUMNS,
    MESSAGE_COLUMNS,
    PACKED_ROWS,
    SESSION_COLUMNS,
    event_row,
    event_values,
    json_row,
    message_row,
    message_values,
    packed,
    unpacked,
    values_of,
)
from pombal.store.spreading import spread_all

_PROGRESS = (
    "status", "dispatched_at", "sent_at", "delivered_at", "read_at", "total_latency_ms", "is_latency_acceptable",
)  # fmt: skip
_INSERT_MESSAGES, _INSERT_EVENTS = (
    f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values_of(columns)} FROM {PACKED_ROWS}"
    for table, columns in (("messages", MESSAGE_COLUMNS), ("events", EVENT_COLUMNS))
)
_UPDATE_MESSAGES = (
    f"UPDATE messages SET {', '.join(f'{name} = new.value->>{place}' for place, name in enumerate(_PROGRESS, 1))} "
    f"FROM {PACKED_ROWS} AS new WHERE messages.id = new.value->>0"
)
_COUNT = (
    "UPDATE sessions SET total_messages_received = total_messages_received + (new.value->>1), "
    f"last_activity_at = new.value->>2 FROM {PACKED_ROWS} AS new WHERE sessions.key = new.value->>0"
)


_Transaction = list[tuple[str, list[Any]]]
"""Statements with their parameters."""


def bare_seconds(source: Path, target: Path, batch_rows: int) -> float:
    """How long the bare loop takes for all messages of source, with their events, written into a new file target.

    batch_rows messages are taken through a step – recorded, sent, delivered, read – in one transaction a step.
    """
    transactions = _transactions(source, batch_rows)
    settings = Settings()
    with closing(open_writer(target, settings.recorder, settings.store)) as connection:
        _copy_sessions(source, connection)
        began = time.perf_counter()
        for transaction in transactions:
            connection.execute("BEGIN IMMEDIATE")
            for statement, values in transaction:
                connection.execute(statement, values)
            connection.execute("COMMIT")
        seconds = time.perf_counter() - began
        spread_all(connection)
        return seconds


def _copy_sessions(source: Path, connection: Any) -> None:
    columns = ", ".join(SESSION_COLUMNS)
    connection.execute("ATTACH DATABASE ? AS source", [str(source)])
    connection.execute(f"INSERT INTO sessions ({columns}) SELECT {columns} FROM source.sessions")
    connection.execute("DETACH DATABASE source")


def _transactions(source: Path, batch_rows: int) -> list[_Transaction]:
    with closing(open_reader(source, busy_timeout_ms=1000)) as connection:
        all_messages = f"SELECT json_group_array({json_row(MESSAGE_COLUMNS)}) FROM messages"
        all_events = (
            f"SELECT json_group_array({json_row(EVENT_COLUMNS)}) FROM "
            "(SELECT * FROM events WHERE message IS NOT NULL ORDER BY seq)"
        )
        messages = [message_row(values) for values in unpacked(connection, all_messages, [])]
        events: dict[int, list[EventRow]] = {}
        for event in (event_row(values) for values in unpacked(connection, all_events, [])):
            events.setdefault(event.message or 0, []).append(event)
    found = []
    for first in range(0, len(messages), batch_rows):
        batch = messages[first : first + batch_rows]
        steps = max(len(events[row.id]) for row in batch)
        found += [_step(batch, events, step) for step in range(steps)]
    return found


def _step(batch: Sequence[MessageRow], events: dict[int, list[EventRow]], step: int) -> _Transaction:
    """What one transaction writes of these messages: the step that each one's event number ``step`` tells."""
    transaction, rollups = _Transaction(), RollupDeltas()
    told = [(row, events[row.id]) for row in batch if len(events[row.id]) > step]
    rows = [as_when(row, _status(of_row[step])) for row, of_row in told]
    for (row, of_row), after in zip(told, rows, strict=True):
        before = as_when(row, _status(of_row[step - 1])) if step else None
        if before is None:
            rollups.message(after)
        rollups.learnt(before, after)
    if step:
        progressed = ([row.id, *(getattr(row, name) for name in _PROGRESS)] for row in rows)
        transaction.append((_UPDATE_MESSAGES, [packed(progressed)]))
    else:
        transaction.append((_INSERT_MESSAGES, [packed(map(message_values, rows))]))
    transaction.append((_INSERT_EVENTS, [packed(event_values(of_row[step]) for _, of_row in told)]))
    counts = Counter(row.session_key for row in rows)
    totals = packed([key, count, rows[-1].happened_at] for key, count in counts.items())
    transaction.append((_COUNT, [totals]))
    transaction.append((LEARN, [packed(rollups.rows())]))
    return transaction


def _status(event: EventRow) -> MessageStatus:
    """The status that the event tells."""
    if event.type == EventType.MESSAGE_STATUS:
        return MessageStatus((event.data or {})["status"])
    return MessageStatus.QUEUED if event.type == EventType.MESSAGE_QUEUED else MessageStatus.DELIVERED
