"""audit.list"""

import sqlite3

from pombal.model import params as p
from pombal.model import results as r
from pombal.model.audit import AuditRow
from pombal.model.caller import Caller
from pombal.model.times import parse_time
from pombal.service.deps import Deps
from pombal.service.pages import cursor_number, split
from pombal.store.audit_queries import AuditFilter, count_audit, list_audit


class AuditMethods:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def list(self, params: p.AuditListParams, caller: Caller) -> r.AuditPage:
        now_ms = self._deps.clock().wall_ms
        wanted = AuditFilter(
            method=params.method,
            owner=params.owner,
            uid=params.uid,
            outcome=params.outcome,
            session=params.session,
            since_ms=None if params.since is None else parse_time(params.since, now_ms),
            until_ms=None if params.until is None else parse_time(params.until, now_ms),
            past_id=cursor_number(params.cursor),
            limit=params.limit + 1,
        )

        def query(connection: sqlite3.Connection) -> tuple[list[AuditRow], int | None]:
            return list_audit(connection, wanted), count_audit(connection, wanted) if params.count else None

        rows, count = await self._deps.reader.run(query)
        page, cursor = split(rows, params.limit, lambda row: row.id)
        return r.AuditPage(results=[_shown(row) for row in page], next=cursor, count=count)


def _shown(row: AuditRow) -> r.AuditEntry:
    return r.AuditEntry(
        id=row.id,
        at=row.at_ms,
        method=row.method,
        outcome=row.outcome,
        caller=r.AuditCaller(**row.caller),
        target=row.target,
    )
