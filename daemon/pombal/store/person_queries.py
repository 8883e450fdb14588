"""Finding what is stored of one person: their other names, their messages, and where others speak of them."""

import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json

from pombal.model.person import Person
from pombal.model.times import iso
from pombal.store.media_queries import NAMED
from pombal.store.rows import packed, unpacked

WINDOW_IDS = 20_000
"""Message ids that one query looks through: there is no index by LID or participant, nor one for what texts say."""


@dataclass(frozen=True, slots=True)
class Found:
    """In one window of ids: rows that are theirs, rows of others that name them; next: where the next one begins."""

    theirs: list[int]
    mentions: list[int]
    next_id: int | None
    link_ids: list[tuple[int, str]] = field(default_factory=list)
    """(session key, WhatsApp's id) of those that are theirs."""
    media: list[str] = field(default_factory=list)
    """The files that theirs speak of, by sha256."""


def everybody_called(connection: sqlite3.Connection, asked: Person) -> Person:
    """The person with every number and LID that any session knows for them."""
    person, before = asked, None
    while person is not before:
        before, given = person, {"numbers": packed(sorted(person.numbers)), "lids": packed(sorted(person.lids))}
        contacts = connection.execute(_CONTACTS, given).fetchall()
        messages = connection.execute(_OF_MESSAGES, given).fetchall()
        pairs = [*contacts, *messages]
        person = person.known_as(
            frozenset(number for number, _ in pairs if number), frozenset(lid for _, lid in pairs if lid)
        )
    return person


_CONTACTS = """
    SELECT number, lid FROM contacts WHERE number IN (SELECT value FROM json_each(:numbers))
        OR lid IN (SELECT value FROM json_each(:lids))
"""
_OF_MESSAGES = """
    SELECT DISTINCT contact_number, contact_lid FROM messages
    WHERE contact_number IN (SELECT value FROM json_each(:numbers))
    UNION SELECT DISTINCT contact_number, contact_lid FROM messages
    WHERE chat_id IN (SELECT value FROM json_each(:lids))
"""
_IS_THEIRS = """
    (chat_id IN (SELECT value FROM json_each(:addresses)) OR participant IN (SELECT value FROM json_each(:addresses))
    OR contact_number IN (SELECT value FROM json_each(:numbers)) OR contact_lid IN (SELECT value FROM json_each(:lids)))
"""


def look_through(
    connection: sqlite3.Connection, person: Person, from_id: int, up_to_id: int, *, mentions: bool
) -> Found:
    """The window of ids that begins at from_id. mentions: whether to look for those as well."""
    last_id = min(from_id + WINDOW_IDS - 1, up_to_id)
    given = _given(person) | {"first": from_id, "last": last_id}
    theirs = connection.execute(
        f"SELECT id, session_key, link_id, {NAMED} FROM messages "
        f"WHERE id BETWEEN :first AND :last AND {_IS_THEIRS} ORDER BY id",
        given,
    ).fetchall()
    own = {row_id for row_id, *_ in theirs}
    named = [row_id for row_id in _naming(connection, person, given) if row_id not in own] if mentions else []
    return Found(
        [row_id for row_id, *_ in theirs],
        named,
        last_id + 1 if last_id < up_to_id else None,
        [(session_key, link_id) for _, session_key, link_id, _ in theirs],
        [sha256 for *_, sha256 in theirs if sha256 is not None],
    )


def _naming(connection: sqlite3.Connection, person: Person, given: dict[str, Any]) -> Iterator[int]:
    """By the last digits first: of many texts only the few that have those are read."""
    columns = ("text_content", "content", "error_detail", "quoted_message_id")
    has_tail = " OR ".join(f"instr({column}, :tail{place})" for column in columns for place in range(len(person.tails)))
    sql = f"SELECT id, {', '.join(columns)} FROM messages WHERE id BETWEEN :first AND :last AND ({has_tail})"
    tails = {f"tail{place}": tail for place, tail in enumerate(person.tails)}
    for row_id, *texts in connection.execute(sql, given | tails):
        if any(text is not None and person.is_in(text) for text in texts):
            yield row_id


def rejected_of(connection: sqlite3.Connection, person: Person, past_id: int, limit: int) -> tuple[list[int], int]:
    """(those of the next rows past that id which speak of them, the last id looked at; that same one at the end)."""
    rows = connection.execute(
        "SELECT id, raw, reason FROM rejected WHERE id > ? ORDER BY id LIMIT ?", [past_id, limit]
    ).fetchall()
    found = [row_id for row_id, raw, reason in rows if person.is_in(raw) or person.is_in(reason)]
    return found, rows[-1][0] if rows else past_id


def audit_of(connection: sqlite3.Connection, person: Person, past_id: int, limit: int) -> tuple[list[int], int]:
    """The same of the audit log: a message_id or a name may have been made of a number."""
    rows = connection.execute(
        "SELECT id, target, caller FROM audit WHERE id > ? ORDER BY id LIMIT ?", [past_id, limit]
    ).fetchall()
    found = [row_id for row_id, *texts in rows if any(map(person.is_in, texts))]
    return found, rows[-1][0] if rows else past_id


def events_of(connection: sqlite3.Connection, person: Person, past_seq: int, limit: int) -> tuple[list[int], int]:
    """The same of events whose data says something, and either names them or whose message is gone."""
    rows = connection.execute(
        """
        SELECT seq, data, message IS NOT NULL AND NOT EXISTS (SELECT 1 FROM messages WHERE id = events.message)
        FROM events WHERE seq > ? ORDER BY seq LIMIT ?
        """,
        [past_seq, limit],
    ).fetchall()
    found = [seq for seq, data, is_gone in rows if data is not None and (is_gone or person.is_in(data))]
    return found, rows[-1][0] if rows else past_seq


def sessions_naming(connection: sqlite3.Connection, person: Person) -> list[int]:
    """Sessions whose last error speaks of them, and deleted ones that were theirs."""
    rows = connection.execute("SELECT key, last_error, phone_number, identity, deleted_at FROM sessions").fetchall()
    return [
        key
        for key, last_error, phone_number, identity, deleted_at in rows
        if (last_error and person.is_in(last_error))
        or (deleted_at is not None and any(text and person.is_in(text) for text in (phone_number, identity)))
    ]


def events_about(
    connection: sqlite3.Connection, person: Person, past_seq: int, limit: int
) -> tuple[list[dict[str, Any]], int]:
    """Of the next events those about messages of theirs, as the log keeps them; the last seq looked at."""
    sql = f"""
        SELECT seq, type, at_ms, session_key, message, data,
            EXISTS (SELECT 1 FROM messages WHERE id = events.message AND {_IS_THEIRS})
        FROM events WHERE seq > :past ORDER BY seq LIMIT :limit
    """
    rows = connection.execute(sql, _given(person) | {"past": past_seq, "limit": limit}).fetchall()
    ids = dict(connection.execute("SELECT key, id FROM sessions").fetchall())
    found = [
        {
            "seq": seq, "type": kind, "at": iso(at_ms), "session_id": ids[key], "message": message,
            "data": None if data is None else from_json(data),
        }
        for seq, kind, at_ms, key, message, data, is_theirs in rows
        if is_theirs
    ]  # fmt: skip
    return found, rows[-1][0] if rows else past_seq


def newest_id(connection: sqlite3.Connection) -> int:
    """Of all messages that there ever were."""
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'messages'").fetchone()
    return int(found[0]) if found else 0


def raw_rejected(connection: sqlite3.Connection, ids: Collection[int]) -> list[dict[str, Any]]:
    rows = connection.execute(
        "SELECT id, at_ms, source, reason, raw FROM rejected WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
        [packed(ids)],
    )
    return [
        {"id": row_id, "at": iso(at_ms), "source": source, "reason": reason, "raw": raw}
        for row_id, at_ms, source, reason, raw in rows
    ]


def contacts_of(connection: sqlite3.Connection, person: Person) -> list[list[Any]]:
    """[session id, number, canonical id, LID, name] of each session that knows them."""
    sql = f"""
        SELECT json_group_array(json_array(s.id, number, canonical_id, lid, c.name))
        FROM contacts AS c JOIN sessions AS s ON s.key = c.session_key WHERE {IS_CONTACT}
    """
    return unpacked(connection, sql, _given(person))


IS_CONTACT = """
    (number IN (SELECT value FROM json_each(:numbers)) OR lid IN (SELECT value FROM json_each(:lids))
    OR canonical_id IN (SELECT value FROM json_each(:addresses)))
"""


def _given(person: Person) -> dict[str, Any]:
    return {
        "numbers": packed(sorted(person.numbers)),
        "lids": packed(sorted(person.lids)),
        "addresses": packed(sorted(person.addresses)),
    }


given_of = _given
