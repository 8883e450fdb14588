"""The audit log's own writes."""

from pydantic_core import to_json

from pombal.model import changes, removal_changes
from pombal.model.text import storable
from pombal.store.workspace import Workspace


def note(change: changes.NoteCall, space: Workspace) -> None:
    caller, target = (storable(to_json(dict(part)).decode()) for part in (change.caller, change.target))
    space.connection.execute(
        "INSERT INTO audit (at_ms, method, outcome, caller, target) VALUES (?, ?, ?, ?, ?)",
        [change.at.wall_ms, change.method, change.outcome, caller, target],
    )


def prune(change: removal_changes.PruneAudit, space: Workspace) -> int:
    cursor = space.connection.execute(
        "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at_ms < ? ORDER BY at_ms LIMIT ?)",
        [change.before_ms, change.limit],
    )
    return cursor.rowcount
