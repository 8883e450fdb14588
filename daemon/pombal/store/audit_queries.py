"""Reading the audit log, newest first."""

import sqlite3
from dataclasses import dataclass, replace
from typing import Any

from pombal.model.audit import AuditRow
from pombal.store.rows import unpacked


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """What a list shall hold; None: no matter. method: one of them, or with a dot at its end a family.

    past_id: only what is older than that row.
    """

    method: str | None = None
    owner: str | None = None
    uid: int | None = None
    outcome: str | None = None
    session: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    past_id: int | None = None
    limit: int = 50


def list_audit(connection: sqlite3.Connection, wanted: AuditFilter) -> list[AuditRow]:
    conditions, parameters = _conditions(wanted)
    page = f"SELECT * FROM audit WHERE {conditions} ORDER BY id DESC LIMIT ?"
    sql = f"""
        SELECT json_group_array(json_array(id, at_ms, method, outcome, json(caller), json(target))) FROM ({page})
    """
    return [AuditRow(*values) for values in unpacked(connection, sql, [*parameters, wanted.limit])]


def count_audit(connection: sqlite3.Connection, wanted: AuditFilter) -> int:
    """How many there are in all, whatever the page."""
    conditions, parameters = _conditions(replace(wanted, past_id=None))
    (count,) = connection.execute(f"SELECT count(*) FROM audit WHERE {conditions}", parameters).fetchone()
    return int(count)


def _conditions(wanted: AuditFilter) -> tuple[str, list[Any]]:
    is_family = wanted.method is not None and wanted.method.endswith(".")
    asked = (
        ("substr(method, 1, length(?1)) = ?1" if is_family else "method = ?", wanted.method),
        ("caller->>'owner' = ?", wanted.owner),
        ("caller->>'uid' = ?", wanted.uid),
        ("outcome = ?", wanted.outcome),
        ("coalesce(target->>'session', target->>'name') = ?", wanted.session),
        ("at_ms >= ?", wanted.since_ms),
        ("at_ms < ?", wanted.until_ms),
        ("id < ?", wanted.past_id),
    )
    given = [(condition, value) for condition, value in asked if value is not None]
    return " AND ".join(condition for condition, _ in given) or "true", [value for _, value in given]
