"""What must hold in a whole database, beyond what SQLite itself knows: each check yields a sentence a problem."""

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum

from pombal.model.events import EventType
from pombal.model.message import Direction, MessageStatus, MessageType, Origin
from pombal.model.session import LinkKind
from pombal.model.session_state import Reason, SessionStatus
from pombal.store.migrations.messages import ZONE_IDS
from pombal.store.retained import PRUNED_UP_TO_ID
from pombal.store.rollup_checks import rollups_add_up

Check = Callable[[sqlite3.Connection], Iterable[str]]

_KNOWN_VALUES: tuple[tuple[str, str, type[StrEnum]], ...] = (
    ("sessions", "link", LinkKind),
    ("sessions", "status", SessionStatus),
    ("sessions", "status_reason", Reason),
    ("messages", "direction", Direction),
    ("messages", "origin", Origin),
    ("messages", "message_type", MessageType),
    ("messages", "status", MessageStatus),
    ("events", "type", EventType),
)


def pages(connection: sqlite3.Connection) -> Iterator[str]:
    for (found,) in connection.execute("PRAGMA integrity_check"):
        if found != "ok":
            yield f"the file is damaged: {found}"


def values(connection: sqlite3.Connection) -> Iterator[str]:
    for table, column, known in _KNOWN_VALUES:
        names = ", ".join(f"'{value}'" for value in known)
        sql = f"SELECT {column}, count(*) FROM {table} WHERE {column} NOT IN ({names}) GROUP BY 1"
        for value, count in connection.execute(sql):
            yield f"{count} rows of {table} have the unknown {column} {value!r}"


def owners(connection: sqlite3.Connection) -> Iterator[str]:
    """Messages and events belong to sessions: rows of deleted sessions stay."""
    for table in ("messages", "events", "contacts"):
        sql = f"""
            SELECT session_key, count(*) FROM {table}
            WHERE session_key NOT IN (SELECT key FROM sessions) GROUP BY session_key
        """
        for key, count in connection.execute(sql):
            yield f"{count} {table} belong to session {key}, which there is not"


def event_sequence(connection: sqlite3.Connection) -> Iterator[str]:
    """The log is cut at its old end only, and its newest event always stays."""
    first, last, count = connection.execute("SELECT min(seq), max(seq), count(*) FROM events").fetchone()
    written = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    handed_out = written[0] if written else 0
    if (last or 0) != handed_out:
        yield f"the event log ends at {last or 0}, but {handed_out} events were written"
    if first is not None and count != last - first + 1:
        (hole,) = connection.execute(
            "SELECT min(seq) + 1 FROM events AS e WHERE NOT EXISTS (SELECT 1 FROM events WHERE seq = e.seq + 1)"
        ).fetchone()
        yield f"the event log has holes: {last - first + 1 - count} events between {first} and {last}, first {hole}"


def id_sequences(connection: sqlite3.Connection) -> Iterator[str]:
    """An id that was handed out is never handed out again."""
    for table, column in (("sessions", "key"), ("messages", "id"), ("rejected", "id")):
        sql = f"SELECT max({column}), (SELECT seq FROM sqlite_sequence WHERE name = '{table}') FROM {table}"
        highest, handed_out = connection.execute(sql).fetchone()
        if (highest or 0) > (handed_out or 0):
            yield f"{table} go up to {highest}, but only {handed_out or 0} were handed out"


def event_references(connection: sqlite3.Connection) -> Iterator[str]:
    """An event's message is there and its session's own; gone are those of deleted sessions, or past retention."""
    sql = f"""
        SELECT s.name, count(*), min(e.seq) FROM events AS e JOIN sessions AS s ON s.key = e.session_key
        LEFT JOIN messages AS m ON m.id = e.message
        WHERE e.message IS NOT NULL AND s.deleted_at IS NULL AND m.session_key IS NOT e.session_key
            AND NOT (m.id IS NULL AND e.message <= {PRUNED_UP_TO_ID}) GROUP BY s.key
    """
    for name, count, first in connection.execute(sql):
        yield f"session {name!r}: {count} events, first {first}, speak of messages that it does not have"


def counters(connection: sqlite3.Connection) -> Iterator[str]:
    """What a session counts is what it has, and what it had before an import or retention left it as a number."""
    sql = """
        SELECT s.name, s.total_messages_sent - s.earlier_messages_sent,
            s.total_messages_received - s.earlier_messages_received,
            s.total_messages_failed - s.earlier_messages_failed,
            coalesce(sum(m.direction = 'outbound' AND m.status IN ('sent', 'delivered', 'read')), 0),
            coalesce(sum(m.direction = 'inbound'), 0),
            coalesce(sum(m.direction = 'outbound' AND m.status = 'failed'), 0)
        FROM sessions AS s LEFT JOIN messages AS m ON m.session_key = s.key WHERE s.deleted_at IS NULL GROUP BY s.key
    """
    for name, *counted in connection.execute(sql):
        for what, kept, there in zip(("sent", "received", "failed"), counted[:3], counted[3:], strict=True):
            if kept != there:
                yield f"session {name!r} counts {kept} messages {what}, but has {there}"


def content_hashes(connection: sqlite3.Connection) -> Iterator[str]:
    sql = "SELECT count(*) FROM messages WHERE direction = 'outbound' AND origin = 'api' AND content_hash IS NULL"
    (count,) = connection.execute(sql).fetchone()
    if count:
        yield f"{count} sent messages have no content hash: whether a send is repeated cannot be told"


def chats(connection: sqlite3.Connection) -> Iterator[str]:
    """Hold the list of chats, which triggers keep, against the messages."""
    sql = """
        WITH counted AS (
            SELECT session_key, chat_id, max(id) AS last_message, max(iif(direction = 'inbound', id, NULL)) AS inbound,
                sum(direction = 'inbound' AND origin = 'api' AND status <> 'read') AS unread
            FROM messages GROUP BY session_key, chat_id
        ), wrong AS (
            SELECT * FROM (SELECT * FROM counted EXCEPT SELECT * FROM chats)
            UNION SELECT * FROM (SELECT * FROM chats EXCEPT SELECT * FROM counted)
        ) SELECT count(DISTINCT session_key || '/' || chat_id) FROM wrong
    """
    (count,) = connection.execute(sql).fetchone()
    if count:
        yield f"{count} chats are not listed as their messages say"


def zones(connection: sqlite3.Connection) -> Iterator[str]:
    """A message outside its zone's times is missed by lists of a time."""
    sql = f"""
        SELECT count(*) FROM messages AS m LEFT JOIN message_zones AS z ON z.zone = m.id / {ZONE_IDS}
        WHERE z.zone IS NULL OR m.happened_at NOT BETWEEN z.min_at AND z.max_at
    """
    (count,) = connection.execute(sql).fetchone()
    if count:
        yield f"{count} messages lie outside the times that their ids are known for"


def search_index(connection: sqlite3.Connection) -> Iterator[str]:
    """Hold the full-text index against the texts.

    FTS5 does that itself, by a command that counts as writing. So the index, and not the texts, is copied into the
    connection's temporary database, and the command given there: the database itself is read only.
    """
    (declared,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'messages_search'").fetchone()
    copied, made = re.subn(
        r"(?s)VIRTUAL TABLE messages_search (.*)content = 'messages'",
        r"VIRTUAL TABLE temp.search_copy \1content = 'searched'",
        declared,
    )
    if made != 1:
        yield f"the full-text index is declared as this program does not know it: {declared}"
        return
    connection.execute("CREATE TEMP VIEW searched AS SELECT * FROM main.messages")
    connection.execute(copied)
    for part in ("data", "idx", "docsize", "config"):
        connection.execute(f"DELETE FROM temp.search_copy_{part}")
        connection.execute(f"INSERT INTO temp.search_copy_{part} SELECT * FROM main.messages_search_{part}")
    try:
        connection.execute("INSERT INTO temp.search_copy (search_copy, rank) VALUES ('integrity-check', 1)")
    except sqlite3.DatabaseError as error:
        if not error.sqlite_errorname.startswith("SQLITE_CORRUPT"):
            raise
        yield "the full-text index does not fit the texts: searches find too little or too much"


CHECKS: tuple[tuple[str, Check], ...] = (
    ("pages and indexes", pages),
    ("values", values),
    ("sessions of messages and events", owners),
    ("event log", event_sequence),
    ("ids", id_sequences),
    ("messages of events", event_references),
    ("counters of sessions", counters),
    ("content hashes", content_hashes),
    ("latency rollups", rollups_add_up),
    ("chats", chats),
    ("times of ids", zones),
    ("full-text index", search_index),
)
