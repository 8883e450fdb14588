"""The ways to a page of messages: each by an index, by the times of ids, or by the full-text index.

All have the ids in order, so a way sorts nothing; but it passes by what the other filters leave out, and which way
passes by least is known only once it has been gone. So where there are several, a little of each is gone in turns, then
more (message_queries.py): the answer takes a few times as long as by the best.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pombal.store.migrations.messages import ZONE_IDS
from pombal.store.rows import packed, unpacked
from pombal.store.search_terms import SearchTerms

MERGED_SESSIONS = 100  # of a user with more, the order of all ids is the shorter way
SLOW_FROM_MS = 1000  # as in the column kind
IN_ZONE = f"m.id BETWEEN z.zone * {ZONE_IDS} AND z.zone * {ZONE_IDS} + {ZONE_IDS - 1}"
GATHER_FROM = 64_000  # steps gone in vain elsewhere, before the full-text index gathers however many messages


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


@dataclass(frozen=True, slots=True)
class Way:
    """The rows of source for which condition holds with each of arms (arm.value), in the order of place.

    decides: the filters that hold on it by themselves. rows: what joins messages as m, where source has them not.
    by_zone: its rows lie in zones, as z.
    begins_at: how many steps of other ways come first, unless it is known before that this one is short.
    """

    source: str
    condition: str
    arms: tuple[Any, ...]
    decides: frozenset[str]
    place: str = "m.id"
    order: tuple[str, ...] = ("m.id",)
    rows: str = ""
    begins_at: int = 0
    by_zone: bool = False


def ways(connection: sqlite3.Connection, wanted: MessageFilter, terms: SearchTerms | None) -> list[Way]:
    """Those that are worth going, the presumably shortest first."""
    found = list(_by_index(connection, wanted))
    if wanted.since_ms is not None or wanted.until_ms is not None:
        found.append(_by_time(wanted))
    if not found and (terms is None or terms.gathered):
        found.append(Way("messages AS m NOT INDEXED", "true", (1,), frozenset()))
    return found if terms is None else [by_text(terms), *found]


def _by_index(connection: sqlite3.Connection, wanted: MessageFilter) -> Iterator[Way]:
    def by(index: str, column: str, arms: tuple[Any, ...], *decides: str) -> Way:
        return Way(f"messages AS m INDEXED BY {index}", f"m.{column} = arm.value", arms, frozenset(decides))

    if wanted.chat_id is not None:
        yield by("messages_by_chat", "chat_id", (wanted.chat_id,), "chat_id")
    if wanted.contact_number is not None:
        yield by("messages_by_contact", "contact_number", (wanted.contact_number,), "contact_number")
    if letters := _letters(wanted):
        kinds = tuple(kind for kind in _kinds(connection) if all(kind[at] == letter for at, letter in letters.items()))
        yield by("messages_by_kind", "kind", kinds, *_PLACES)
    if wanted.session_keys is not None and len(wanted.session_keys) <= MERGED_SESSIONS:
        yield by("messages_by_session", "session_key", wanted.session_keys, "session_keys")


# The column kind: the first letters of these, and whether it was slow.
_PLACES = {"direction": 0, "status": 1, "message_type": 2, "origin": 3}
_SLOW_PLACE, _SLOW = 4, "s"


def _letters(wanted: MessageFilter) -> dict[int, str]:
    """By their places, the letters of the kinds that are wanted."""
    values = {place: getattr(wanted, column) for column, place in _PLACES.items()}
    letters = {place: value[0] for place, value in values.items() if value is not None}
    if wanted.threshold_ms is not None and wanted.threshold_ms >= SLOW_FROM_MS:
        letters[_SLOW_PLACE] = _SLOW
    return letters


# All kinds that there are, some tens at most: in the index, from each a step to the next.
_KINDS = """
    WITH RECURSIVE present (kind) AS (
        SELECT min(kind) FROM messages
        UNION ALL SELECT (SELECT min(kind) FROM messages WHERE kind > present.kind) FROM present WHERE kind IS NOT NULL
    ) SELECT json_group_array(kind) FROM present WHERE kind IS NOT NULL
"""


def _kinds(connection: sqlite3.Connection) -> list[str]:
    return [str(kind) for kind in unpacked(connection, _KINDS, [])]


def _by_time(wanted: MessageFilter) -> Way:
    """Within the zones that have messages of that time."""
    overlaps = [] if wanted.since_ms is None else [f"z.max_at >= {wanted.since_ms:d}"]
    overlaps += [] if wanted.until_ms is None else [f"z.min_at < {wanted.until_ms:d}"]
    source = f"message_zones AS z CROSS JOIN messages AS m NOT INDEXED ON {IN_ZONE}"
    return Way(source, " AND ".join(overlaps), (1,), frozenset(), order=("z.zone", "m.id"), by_zone=True)


def by_text(terms: SearchTerms) -> Way:
    """What the full-text index finds."""
    return Way(
        "messages_search AS s", "messages_search MATCH arm.value", (terms.expression,), frozenset({"search"}),
        place="s.rowid", order=("s.rowid",), rows=" CROSS JOIN messages AS m ON m.id = s.rowid",
        begins_at=GATHER_FROM if terms.gathered else 0,
    )  # fmt: skip


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


Condition = tuple[str, str, tuple[Any, ...]]
"""(the filter, its SQL, its parameters)"""


def conditions(wanted: MessageFilter) -> list[Condition]:
    """What a row of messages, as m, must fulfil; but for a search."""
    found: list[Condition] = []
    if wanted.session_keys is not None:
        among = ("m.session_key IN (SELECT value FROM json_each(?))", (packed(wanted.session_keys),))
        found.append(("session_keys", *among))
    for column in ("direction", "message_type", "status", "origin", "chat_id", "contact_number"):
        if (value := getattr(wanted, column)) is not None:
            found.append((column, f"m.{column} = ?", (value,)))
    if wanted.threshold_ms is not None:
        found.append(("threshold_ms", "m.total_latency_ms >= ? AND m.offline = 0", (wanted.threshold_ms,)))
    if wanted.since_ms is not None:
        found.append(("since_ms", "m.happened_at >= ?", (wanted.since_ms,)))
    if wanted.until_ms is not None:
        found.append(("until_ms", "m.happened_at < ?", (wanted.until_ms,)))
    return found


def bounds(wanted: MessageFilter, way: Way) -> tuple[str, list[Any]]:
    """Where the page lies: behind the cursor, and within the bounds."""
    sql, parameters = "", list[Any]()
    past = ">" if wanted.ascending else "<"
    for operator, value in ((past, wanted.past_id), (">=", wanted.first_id), ("<=", wanted.last_id)):
        if value is not None:
            sql += f" AND {way.place} {operator} ?"
            parameters.append(value)
            if way.by_zone:  # SQLite would look through every zone of the times, though it ends at an id
                sql += f" AND z.zone {operator[0]}= {value // ZONE_IDS:d}"
    return sql, parameters
