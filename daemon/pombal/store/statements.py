"""Looks for many keys at once, as SQL: each takes its keys as one JSON text and answers with one (rows.py says why).

The writer asks all of them in one statement (loading.py); readers ask two of them by themselves.
"""

import hashlib
import sqlite3
from collections.abc import Collection, Iterable
from typing import Any

from pombal.model.contact import Contact
from pombal.model.message import MessageRow
from pombal.store.rows import MESSAGE_COLUMNS, SESSION_COLUMNS, json_row, message_row, packed, unpacked

LinkKey = tuple[int, str]
"""A session, and WhatsApp's id of a message."""
IdKey = tuple[int, str, str]
"""A session, a message_id, a direction."""
ContactKey = tuple[int, str]
"""A session, and a number or a LID."""
IdHash = tuple[int, str]
"""A session, and what `id_hash` makes of the message_id of a send."""

CONTACT_COLUMNS = ("session_key", "number", "canonical_id", "lid", "name")
_MESSAGE, _CONTACT = json_row(MESSAGE_COLUMNS, "m"), json_row(CONTACT_COLUMNS, "c")

# CROSS JOIN keeps the order of the loops: for each wanted key one look into the index.
MESSAGES_BY_ROW = f"""
    SELECT json_group_array({_MESSAGE}) FROM json_each(?) AS wanted
    CROSS JOIN messages AS m ON m.id = wanted.value
"""
MESSAGES_BY_LINK = f"""
    SELECT json_group_array({_MESSAGE}) FROM json_each(?) AS wanted CROSS JOIN messages AS m
    ON m.session_key = wanted.value->>0 AND m.link_id = wanted.value->>1
"""
MESSAGES_BY_ID = f"""
    SELECT json_group_array({_MESSAGE}) FROM json_each(?) AS wanted CROSS JOIN messages AS m
    ON m.session_key = wanted.value->>0 AND m.message_id = wanted.value->>1 AND m.direction = wanted.value->>2
"""
SESSIONS_BY_KEY = f"""
    SELECT json_group_array({json_row(SESSION_COLUMNS, "s")}) FROM json_each(?) AS wanted
    CROSS JOIN sessions AS s ON s.key = wanted.value
"""
KNOWN_MEDIA = """
    SELECT json_group_array(json_array(m.sha256, m.size_bytes)) FROM json_each(?) AS wanted
    CROSS JOIN media AS m ON m.sha256 = wanted.value
"""
ERASED_SENDS = """
    SELECT json_group_array(json_array(e.session_key, e.id_hash)) FROM json_each(?) AS wanted
    CROSS JOIN erased_sends AS e ON e.session_key = wanted.value->>0 AND e.id_hash = wanted.value->>1
"""
CONTACTS_BY_NUMBER = f"""
    SELECT json_group_array({_CONTACT}) FROM json_each(?) AS wanted CROSS JOIN contacts AS c
    ON c.session_key = wanted.value->>0 AND c.number = wanted.value->>1
"""
CONTACTS_BY_LID = f"""
    SELECT json_group_array({_CONTACT}) FROM json_each(?) AS wanted CROSS JOIN contacts AS c
    ON c.session_key = wanted.value->>0 AND c.lid = wanted.value->>1
"""


def messages_by_row(connection: sqlite3.Connection, ids: Collection[int]) -> list[MessageRow]:
    if not ids:
        return []
    return [message_row(values) for values in unpacked(connection, MESSAGES_BY_ROW, [packed(ids)])]


def contacts_by_number(connection: sqlite3.Connection, keys: Collection[ContactKey]) -> dict[ContactKey, Contact]:
    """By session and number; only those that are known."""
    return contacts_of(unpacked(connection, CONTACTS_BY_NUMBER, [packed(keys)])) if keys else {}


def contacts_of(rows: Iterable[list[Any]]) -> dict[ContactKey, Contact]:
    return {(session_key, number): Contact(number, *rest) for session_key, number, *rest in rows}


def id_hash(session_key: int, message_id: str) -> str:
    """What remains of a send whose contact was erased: enough to know the id again, not to read it."""
    return hashlib.sha256(f"{session_key}:{message_id}".encode()).hexdigest()[:32]
