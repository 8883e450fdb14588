"""Whose sessions a query may look at."""

import sqlite3

from pombal.model.caller import Caller, Role
from pombal.model.errors import no_session
from pombal.store.rollups import owner_key
from pombal.store.session_queries import keys_of_owner, sessions_named


def visible_sessions(connection: sqlite3.Connection, session: str | None, caller: Caller) -> tuple[int, ...] | None:
    """The keys a query is limited to: the session asked for, else a user's own, else None (all).

    A deleted session is found by its id. Raises PombalError (not_found).
    """
    if session is None:
        return keys_of_owner(connection, caller.owner or "") if caller.role == Role.USER else None
    row = sessions_named(connection, session)
    if row is None or (caller.role == Role.USER and row.owner != caller.owner):
        raise no_session(session)
    return (row.key,)


def visible_rollups(connection: sqlite3.Connection, session: str | None, caller: Caller) -> tuple[int, ...] | None:
    """The same for latency rollups, which stand added up for a user's sessions together."""
    if session is not None or caller.role != Role.USER:
        return visible_sessions(connection, session, caller)
    key = owner_key(connection, caller.owner or "")
    return () if key is None else (key,)
