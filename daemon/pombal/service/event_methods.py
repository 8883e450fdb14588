"""events.list and events.subscribe"""

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from pombal.hub.subscription import EventFilter, Subscription
from pombal.model import params as p
from pombal.model import results as r
from pombal.model.caller import Caller, Role
from pombal.model.events import without_code
from pombal.service.deps import Deps
from pombal.store.event_log import EventPage, events_after, newest_events
from pombal.store.session_queries import keys_of_owner, sessions_by_keys


class EventMethods:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def list(self, params: p.EventListParams, caller: Caller) -> r.EventPage:
        now_ms = self._deps.clock().wall_ms
        wanted = _filter(params.sessions, params.types, caller)

        def query(connection: sqlite3.Connection) -> EventPage:
            sessions = _visible(connection, wanted)
            if params.after is None:
                return newest_events(connection, params.limit, now_ms, sessions, wanted.types)
            page = events_after(connection, params.after, params.limit, now_ms, sessions, wanted.types)
            while not page.events and page.read_to < page.bounds.last_seq:
                page = events_after(connection, page.read_to, params.limit, now_ms, sessions, wanted.types)
            return page

        page = await self._deps.reader.run(query)
        shown = [without_code(event) if caller.role == Role.READER else event for event in page.events]
        return r.EventPage(
            results=[event.object() for event in shown], last_seq=page.bounds.last_seq, log_id=self._deps.hub.log_id
        )

    def subscribe(
        self,
        after: int | None,
        sessions: Sequence[str] | None,
        types: Sequence[str] | None,
        log_id: str | None,
        transport: str,
        caller: Caller,
    ) -> AbstractAsyncContextManager[Subscription]:
        wanted = _filter(sessions, types, caller)
        return self._deps.hub.subscribe(after=after, wanted=wanted, log_id=log_id, transport=transport)


def _filter(sessions: Sequence[str] | None, types: Sequence[str] | None, caller: Caller) -> EventFilter:
    """What was asked for; for a user, of their own sessions only."""
    return EventFilter(
        None if sessions is None else frozenset(sessions),
        None if types is None else frozenset(map(str, types)),
        owner=(caller.owner or "") if caller.role == Role.USER else None,
    )


def _visible(connection: sqlite3.Connection, wanted: EventFilter) -> frozenset[str] | None:
    """The sessions to read events of, by name or id; of an owner's, those that were asked for."""
    if wanted.owner is None:
        return wanted.sessions
    owned = sessions_by_keys(connection, set(keys_of_owner(connection, wanted.owner))).values()
    asked = wanted.sessions
    return frozenset(row.id for row in owned if asked is None or row.name in asked or row.id in asked)
