"""What the changes of a transaction will ask for, read by one statement.

Python's sqlite3 gives the interpreter lock away several times a statement, and beside a busy event loop each taking
back waits for a turn of the loop. So the looks into all tables are the columns of one row.
"""

import sqlite3
from dataclasses import dataclass, field

from pydantic_core import from_json

from pombal.model.contact import Contact
from pombal.model.message import MessageRow
from pombal.model.session import SessionRow
from pombal.store.rows import message_row, packed, session_row
from pombal.store.statements import (
    CONTACTS_BY_LID,
    CONTACTS_BY_NUMBER,
    ERASED_SENDS,
    KNOWN_MEDIA,
    MESSAGES_BY_ID,
    MESSAGES_BY_LINK,
    MESSAGES_BY_ROW,
    SESSIONS_BY_KEY,
    ContactKey,
    IdHash,
    IdKey,
    LinkKey,
    contacts_of,
)

_LOOKS = (
    SESSIONS_BY_KEY, MESSAGES_BY_ROW, MESSAGES_BY_LINK, MESSAGES_BY_ID, KNOWN_MEDIA, CONTACTS_BY_NUMBER,
    CONTACTS_BY_LID, ERASED_SENDS,
)  # fmt: skip
_LOAD = f"SELECT {', '.join(f'({look})' for look in _LOOKS)}"


@dataclass(slots=True)
class Wanted:
    """Keys of rows; sends: what may be a send that was erased."""

    sessions: set[int] = field(default_factory=set)
    messages: set[int] = field(default_factory=set)
    links: set[LinkKey] = field(default_factory=set)
    ids: set[IdKey] = field(default_factory=set)
    media: set[str] = field(default_factory=set)
    numbers: set[ContactKey] = field(default_factory=set)
    lids: set[ContactKey] = field(default_factory=set)
    sends: set[IdHash] = field(default_factory=set)


@dataclass(slots=True)
class Found:
    """What there is of it. media: sizes in bytes."""

    sessions: list[SessionRow] = field(default_factory=list)
    messages: list[MessageRow] = field(default_factory=list)
    media: dict[str, int] = field(default_factory=dict)
    contacts: dict[ContactKey, Contact] = field(default_factory=dict)
    erased_sends: set[IdHash] = field(default_factory=set)


def load(connection: sqlite3.Connection, wanted: Wanted) -> Found:
    keys = (  # in the order of _LOOKS, as what is found below
        wanted.sessions, wanted.messages, wanted.links, wanted.ids, wanted.media, wanted.numbers, wanted.lids,
        wanted.sends,
    )  # fmt: skip
    if not any(keys):
        return Found()
    row = connection.execute(_LOAD, [packed(each) if each else None for each in keys]).fetchone()
    sessions, by_row, by_link, by_id, media, by_number, by_lid, erased = map(from_json, row)
    return Found(
        [session_row(values) for values in sessions],
        [message_row(values) for rows in (by_row, by_link, by_id) for values in rows],
        dict(media),
        contacts_of([*by_number, *by_lid]),
        {(session_key, hashed) for session_key, hashed in erased},
    )
