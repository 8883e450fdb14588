"""The way to a page of messages: between which ids it lies, and by which index it is shortest.

Every index has the ids in order, so a way that follows one sorts nothing; but it passes by all that the other filters
leave out. A short index, of a rare status say, is read whole in no time; among long ones the newest are mostly near.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pombal.store.migrations.messages import ZONE_IDS

SHORT = 2000  # entries of an index that are counted, and then read, in about a millisecond
SLOW_INDEX_FROM_MS = 1000  # as in the index messages_slow
BY_TIME = "messages_by_time"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFilter:
    """What a list shall hold; None: no matter. past_id: only what is older (or, ascending, newer) than that id.

    first_id and last_id: what is wanted can only lie there; see within_bounds.
    """

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
    first_id: int | None = None
    last_id: int | None = None
    limit: int = 50


def within_bounds(connection: sqlite3.Connection, wanted: MessageFilter) -> MessageFilter | None:
    """The filter with the ids between which messages of its times lie; None where there can be none."""
    first, last = wanted.first_id, wanted.last_id
    if wanted.since_ms is not None:
        zone = _zone(connection, "SELECT min(zone) FROM message_zones WHERE max_at >= ?", wanted.since_ms)
        if zone is None:
            return None
        first = zone * ZONE_IDS
    if wanted.until_ms is not None:
        zone = _zone(connection, "SELECT max(zone) FROM message_zones WHERE min_at < ?", wanted.until_ms)
        if zone is None:
            return None
        last = (zone + 1) * ZONE_IDS - 1
    return replace(wanted, first_id=first, last_id=last)


def _zone(connection: sqlite3.Connection, sql: str, at_ms: int) -> int | None:
    (zone,) = connection.execute(sql, [at_ms]).fetchone()
    return None if zone is None else int(zone)


def shortest_index(connection: sqlite3.Connection, wanted: MessageFilter) -> str | None:
    """Of the indexes for what is wanted the one with the fewest entries, where it has at most SHORT."""
    shortest, fewest = None, SHORT + 1
    for index, conditions, parameters in _candidates(wanted):
        inner = f"SELECT 1 FROM messages AS m INDEXED BY {index} WHERE {conditions} LIMIT ?"
        (found,) = connection.execute(f"SELECT count(*) FROM ({inner})", [*parameters, fewest]).fetchone()
        if found < fewest:
            shortest, fewest = index, found
    return shortest


def _candidates(wanted: MessageFilter) -> Iterator[tuple[str, str, list[Any]]]:
    """(index, conditions that it alone decides, their parameters)."""
    bounds, limits = id_bounds(wanted, "m.id")

    def by(index: str, condition: str, *values: Any) -> tuple[str, str, list[Any]]:
        return index, " AND ".join([condition, *bounds]), [*values, *limits]

    if wanted.status is not None:
        yield by("messages_by_status", "m.status = ?", wanted.status)
    if wanted.chat_id is not None:
        yield by("messages_by_chat", "m.chat_id = ?", wanted.chat_id)
    if wanted.contact_number is not None:
        yield by("messages_by_contact", "m.contact_number = ?", wanted.contact_number)
    if wanted.message_type not in (None, "text"):
        yield by("messages_by_type", "m.message_type = ? AND m.message_type <> 'text'", wanted.message_type)
    if wanted.origin not in (None, "api"):
        yield by("messages_by_origin", "m.origin = ? AND m.origin <> 'api'", wanted.origin)
    if wanted.threshold_ms is not None and wanted.threshold_ms >= SLOW_INDEX_FROM_MS:
        yield by("messages_slow", f"m.offline = 0 AND m.total_latency_ms >= {SLOW_INDEX_FROM_MS}")
    if wanted.session_keys is not None and len(wanted.session_keys) == 1:
        yield by("messages_by_session", "m.session_key = ?", wanted.session_keys[0])
    if wanted.since_ms is not None or wanted.until_ms is not None:
        times, instants = time_conditions(wanted)
        yield BY_TIME, " AND ".join(times), instants


def id_bounds(wanted: MessageFilter, column: str) -> tuple[list[str], list[Any]]:
    """Where the page lies: behind the cursor, and within the bounds."""
    conditions, parameters = list[str](), list[Any]()
    past = ">" if wanted.ascending else "<"
    for operator, value in ((past, wanted.past_id), (">=", wanted.first_id), ("<=", wanted.last_id)):
        if value is not None:
            conditions.append(f"{column} {operator} ?")
            parameters.append(value)
    return conditions, parameters


def time_conditions(wanted: MessageFilter, bar: str = "") -> tuple[list[str], list[Any]]:
    """bar: "+" keeps an index away whose findings would have to be sorted by id."""
    conditions, parameters = list[str](), list[Any]()
    for operator, value in ((">=", wanted.since_ms), ("<", wanted.until_ms)):
        if value is not None:
            conditions.append(f"{bar}m.happened_at {operator} ?")
            parameters.append(value)
    return conditions, parameters
