"""message.* but for send: history and its remedies; contact.check."""

import sqlite3
from dataclasses import replace
from functools import partial

from pombal.model import params as p
from pombal.model import results as r
from pombal.model.caller import Caller, Role
from pombal.model.changes import CancelMessage, MarkRead, ResendMessage
from pombal.model.errors import Kind, PombalError, not_found
from pombal.model.message import Message, MessageRow, show_message
from pombal.model.phone import parse_number, with_ninth_digit
from pombal.model.session import SessionRow
from pombal.model.times import parse_time
from pombal.service.accepting import refuse_unless_accepting
from pombal.service.deps import Deps
from pombal.service.pages import cursor_number, split
from pombal.service.scope import visible_sessions
from pombal.session import commands
from pombal.session.seat import Seat
from pombal.store.contact_queries import chat_of
from pombal.store.event_log import last_seq
from pombal.store.message_queries import (
    count_messages,
    list_messages,
    message_by_id,
    message_by_row,
)
from pombal.store.message_ways import MessageFilter
from pombal.store.session_queries import sessions_by_keys

_Found = tuple[list[MessageRow], dict[int, SessionRow], int, int | None]


class MessageMethods:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def get(self, params: p.MessageGetParams, caller: Caller) -> Message:
        row, session = await self._one(params, caller)
        return show_message(row, session.name)

    async def _one(self, params: p.MessageRefParams, caller: Caller) -> tuple[MessageRow, SessionRow]:
        def query(connection: sqlite3.Connection) -> tuple[MessageRow | None, SessionRow | None]:
            row = _found(connection, params, caller)
            return row, None if row is None else sessions_by_keys(connection, {row.session_key})[row.session_key]

        row, session = await self._deps.reader.run(query)
        if row is None or session is None or (caller.role == Role.USER and session.owner != caller.owner):
            raise not_found("there is no such message", missing="message")
        return row, session

    async def _of_live_session(self, params: p.MessageRefParams, caller: Caller) -> tuple[Seat, str]:
        """(the session, the message_id) of a message that is to be changed. Raises PombalError (not_found)."""
        if params.session is not None and params.message_id is not None:
            return self._deps.seat(params.session, caller), params.message_id
        row, session = await self._one(params, caller)
        seat = self._deps.registry.by_key(row.session_key)
        if seat is None:
            raise not_found(f"the session of this message, {session.name!r}, has been deleted")
        return seat, row.message_id

    async def list(self, params: p.MessageListParams, caller: Caller) -> r.MessagePage:
        return await self._page(params, caller, None)

    async def high_latency(self, params: p.HighLatencyParams, caller: Caller) -> r.MessagePage:
        acceptable_ms = self._deps.live.current.latency.acceptable_ms
        return await self._page(params, caller, acceptable_ms if params.threshold_ms is None else params.threshold_ms)

    async def _page(self, params: p.MessageListParams, caller: Caller, threshold_ms: int | None) -> r.MessagePage:
        wanted = replace(self._filter(params), threshold_ms=threshold_ms)

        def query(connection: sqlite3.Connection) -> _Found:
            keys = visible_sessions(connection, params.session, caller)
            chat_id = None if wanted.chat_id is None else chat_of(connection, keys, wanted.chat_id)
            scoped = replace(wanted, session_keys=keys, chat_id=chat_id)
            rows = list_messages(connection, scoped)
            sessions = sessions_by_keys(connection, {row.session_key for row in rows})
            count = count_messages(connection, replace(scoped, past_id=None)) if params.count else None
            return rows, sessions, last_seq(connection), count

        rows, sessions, seq, count = await self._deps.reader.run(query)
        page, cursor = split(rows, params.limit, lambda row: row.id)
        results = [show_message(row, sessions[row.session_key].name) for row in page]
        return r.MessagePage(results=results, next=cursor, last_seq=seq, count=count)

    def _filter(self, params: p.MessageListParams) -> MessageFilter:
        now_ms = self._deps.clock().wall_ms
        number = params.contact_number
        return MessageFilter(
            direction=params.direction,
            message_type=params.message_type,
            status=params.status,
            origin=params.origin,
            chat_id=params.chat_id,
            contact_number=None if number is None else with_ninth_digit(parse_number(number)),
            since_ms=None if params.since is None else parse_time(params.since, now_ms),
            until_ms=None if params.until is None else parse_time(params.until, now_ms),
            search=params.search,
            ascending=params.order == "asc",
            past_id=cursor_number(params.cursor),
            limit=params.limit + 1,
        )

    async def mark_read(self, params: p.MarkReadParams, caller: Caller) -> r.Marked:
        seat = self._deps.seat(params.session, caller)
        names = tuple(dict.fromkeys(params.message_ids))
        rows: list[MessageRow] = await self._deps.recorder.commit(
            MarkRead(at=self._deps.clock(), session_key=seat.key, message_ids=names)
        )
        if rows:
            self._deps.registry.tell(seat, commands.TellRead(rows))
        return r.Marked(marked=len(rows))

    async def cancel(self, params: p.MessageRefParams, caller: Caller) -> Message:
        """The outbox holds the message back until that is decided, even if whoever asked is gone by then."""
        seat, message_id = await self._of_live_session(params, caller)
        row = await self._deps.reader.run(lambda connection: message_by_id(connection, seat.key, message_id))
        if row is not None and not seat.outbox.hold(row):
            raise PombalError(Kind.CONFLICT, f"message {message_id!r} is on its way; it cannot be cancelled now")
        cancelled: MessageRow = await self._deps.recorder.commit(
            CancelMessage(at=self._deps.clock(), session_key=seat.key, message_id=message_id),
            None if row is None else partial(self._deps.registry.release, seat, row),
        )
        return show_message(cancelled, seat.name)

    async def resend(self, params: p.MessageRefParams, caller: Caller) -> Message:
        seat, message_id = await self._of_live_session(params, caller)
        refuse_unless_accepting(seat)
        queued: MessageRow = await self._deps.recorder.commit(
            ResendMessage(at=self._deps.clock(), session_key=seat.key, message_id=message_id)
        )
        return show_message(queued, seat.name)

    async def check_contacts(self, params: p.ContactCheckParams, caller: Caller) -> r.ContactsChecked:
        seat = self._deps.seat(params.session, caller)
        numbers = [with_ninth_digit(parse_number(number)) for number in params.numbers]
        found = await self._deps.registry.ask(seat, commands.CheckContacts(numbers))
        return r.ContactsChecked(
            results=[
                r.ContactFacts(number=known.number, exists=known.exists, canonical_id=known.canonical_id, lid=known.lid)
                for known in found
            ]
        )


def _found(connection: sqlite3.Connection, params: p.MessageRefParams, caller: Caller) -> MessageRow | None:
    if params.id is not None:
        return message_by_row(connection, params.id)
    keys = visible_sessions(connection, params.session, caller)
    return message_by_id(connection, keys[0], params.message_id or "") if keys else None
