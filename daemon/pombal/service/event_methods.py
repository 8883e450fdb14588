"""events.list and events.subscribe"""

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from pombal.hub.subscription import EventFilter, Subscription
from pombal.model import params as p
from pombal.model import results as r
from pombal.model.caller import Caller, Role
from pombal.model.events import Event, gap_event, without_code
from pombal.service.deps import Deps
from pombal.store.event_log import LogBounds, count_events, events_after, log_bounds, newest_events
from pombal.store.session_queries import keys_of_owner, sessions_by_keys


class EventMethods:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def list(self, params: p.EventListParams, caller: Caller) -> r.EventPage:
        now_ms = self._deps.clock().wall_ms
        wanted = _filter(params.sessions, params.types, caller)

        log_id = self._deps.hub.log_id
        is_foreign = params.log_id not in (None, log_id)

        def query(connection: sqlite3.Connection) -> tuple[list[Event], int, int | None]:
            sessions, types, limit = _visible(connection, wanted), wanted.types, params.limit
            if params.after is None:
                begin, missing = 0, list[Event]()
                page = newest_events(connection, limit, now_ms, sessions, types)
            else:
                begin, missing = _begin(params.after, is_foreign, log_bounds(connection))
                page = events_after(connection, begin, limit, now_ms, sessions, types)
            while not page.events and page.read_to < page.bounds.last_seq:
                page = events_after(connection, page.read_to, limit, now_ms, sessions, types)
            count = count_events(connection, begin, sessions, types) if params.count else None
            return [*missing, *page.events][:limit], page.bounds.last_seq, count

        events, last_seq, count = await self._deps.reader.run(query)
        shown = [without_code(event) if caller.role == Role.READER else event for event in events]
        return r.EventPage(results=[event.object() for event in shown], last_seq=last_seq, log_id=log_id, count=count)

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


def _begin(after: int, is_foreign: bool, bounds: LogBounds) -> tuple[int, list[Event]]:
    """Where to read on from, and the gap to tell first, as subscribers are told it (hub/subscription.py).

    A place in another log, or in a future of this one, says nothing: it begins at the end then, or with 0 at the start.
    """
    if is_foreign or after > bounds.last_seq:
        begin = bounds.first_seq - 1 if after == 0 else bounds.last_seq
        return begin, [gap_event(1, begin)]
    if 0 < after < bounds.first_seq - 1:
        return bounds.first_seq - 1, [gap_event(after + 1, bounds.first_seq - 1)]
    return after, []


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
