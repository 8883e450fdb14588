"""Reading contacts: whom a session knows already, and in which chat their messages lie."""

import sqlite3
from collections.abc import Collection, Sequence

from pombal.model.contact import Contact
from pombal.model.phone import LID_SERVER, is_person, number_of, server_of
from pombal.store.rows import packed
from pombal.store.statements import contacts_by_number

SESSIONS_MAX = 100  # looked through for one chat

_CHAT = "SELECT 1 FROM json_each(?) AS k CROSS JOIN chats AS c ON c.session_key = k.value AND c.chat_id = ? LIMIT 1"
_HOME = (
    "SELECT c.canonical_id FROM json_each(?) AS k CROSS JOIN contacts AS c "
    "ON c.session_key = k.value AND c.{column} = ? LIMIT 1"
)


def known_contacts(connection: sqlite3.Connection, session_key: int, numbers: Collection[str]) -> dict[str, Contact]:
    """By number; only those that are known."""
    found = contacts_by_number(connection, [(session_key, number) for number in numbers])
    return {contact.number: contact for contact in found.values()}


def chat_of(connection: sqlite3.Connection, session_keys: Sequence[int] | None, chat_id: str) -> str:
    """Where a person's messages lie, whose address may be given by LID or in the other spelling of a Brazilian number.

    chat_id itself where there is such a chat, where nobody is known by it, or where no few sessions are asked about.
    """
    if session_keys is None or len(session_keys) > SESSIONS_MAX or not is_person(chat_id):
        return chat_id
    keys = packed(session_keys)
    if connection.execute(_CHAT, [keys, chat_id]).fetchone():
        return chat_id
    column, value = ("lid", chat_id) if server_of(chat_id) == LID_SERVER else ("number", number_of(chat_id))
    found = connection.execute(_HOME.format(column=column), [keys, value]).fetchone()
    return chat_id if found is None else str(found[0])
