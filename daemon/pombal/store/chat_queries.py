"""Reading the chats of a session: the newest first, with what somebody who answers wants to see of each."""

import sqlite3
from dataclasses import dataclass

from pombal.model.message import MessageRow
from pombal.store import statements
from pombal.store.rows import unpacked
from pombal.store.search_terms import match_expression


@dataclass(frozen=True, slots=True)
class ChatRow:
    """One chat: its newest message, the newest one that somebody else wrote, and how many of those are unread."""

    chat_id: str
    unread: int
    last: MessageRow
    last_inbound: MessageRow | None


def list_chats(
    connection: sqlite3.Connection, session_key: int, *, search: str | None, past_message: int | None, limit: int
) -> list[ChatRow]:
    """By their newest message, at most limit; past_message: only what has been silent for longer than that one.

    search: prefixes of words, all of them, in the name or the number of whoever is at the other end.
    """
    conditions, parameters = ["session_key = ?"], list[object]([session_key])
    if past_message is not None:
        conditions.append("last_message < ?")
        parameters.append(past_message)
    if search:
        conditions.append(
            "coalesce(last_inbound, last_message) IN (SELECT rowid FROM messages_search WHERE messages_search MATCH ?)"
        )
        parameters.append(f"{{contact_number contact_name}} : ({match_expression(search, connection)})")
    page = f"SELECT * FROM chats WHERE {' AND '.join(conditions)} ORDER BY last_message DESC LIMIT ?"
    sql = f"SELECT json_group_array(json_array(chat_id, unread, last_message, last_inbound)) FROM ({page})"
    found = unpacked(connection, sql, [*parameters, limit])
    wanted = {number for row in found for number in row[2:] if number is not None}
    messages = {message.id: message for message in statements.messages_by_row(connection, wanted)}
    rows = [ChatRow(chat, unread, messages[last], messages.get(inbound)) for chat, unread, last, inbound in found]
    return sorted(rows, key=lambda row: -row.last.id)
