"""chat.list"""

import sqlite3

from pombal.model import params as p
from pombal.model import results as r
from pombal.model.caller import Caller
from pombal.model.message import show_message
from pombal.service.deps import Deps
from pombal.service.pages import cursor_number, split
from pombal.service.scope import visible_sessions
from pombal.store.chat_queries import ChatRow, list_chats
from pombal.store.event_log import last_seq
from pombal.store.session_queries import sessions_by_keys


class ChatMethods:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def list(self, params: p.ChatListParams, caller: Caller) -> r.ChatPage:
        past = cursor_number(params.cursor)

        def query(connection: sqlite3.Connection) -> tuple[list[ChatRow], str, int]:
            (key,) = visible_sessions(connection, params.session, caller) or ()
            rows = list_chats(connection, key, search=params.search, past_message=past, limit=params.limit + 1)
            return rows, sessions_by_keys(connection, {key})[key].name, last_seq(connection)

        rows, session, seq = await self._deps.reader.run(query)
        page, cursor = split(rows, params.limit, lambda row: row.last.id)
        return r.ChatPage(results=[_shown(row, session) for row in page], next=cursor, last_seq=seq)


def _shown(row: ChatRow, session: str) -> r.Chat:
    other = row.last_inbound or row.last
    return r.Chat(
        chat_id=row.chat_id,
        contact_name=other.contact_name,
        contact_number=other.contact_number,
        unread_count=row.unread,
        last_message=show_message(row.last, session),
    )
