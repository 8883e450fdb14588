"""Reading the erasures: those that are wanted and not done, and one by its id."""

import sqlite3
from typing import Any

from pydantic_core import from_json

from pombal.model.erasure import ErasureRow, ErasureState
from pombal.model.person import Person

_COLUMNS = "id, wanted_at, state, masked, person, up_to, done_at, receipt"


def unfinished_erasures(connection: sqlite3.Connection) -> list[ErasureRow]:
    """Oldest first."""
    sql = f"SELECT {_COLUMNS} FROM erasures WHERE state <> 'done' ORDER BY wanted_at, id"
    return [_row(values) for values in connection.execute(sql)]


def erasure_by_id(connection: sqlite3.Connection, erasure: str) -> ErasureRow | None:
    values = connection.execute(f"SELECT {_COLUMNS} FROM erasures WHERE id = ?", [erasure]).fetchone()
    return None if values is None else _row(values)


def _row(values: tuple[Any, ...]) -> ErasureRow:
    row_id, wanted_at, state, masked, person, up_to, done_at, receipt = values
    told = None if person is None else from_json(person)
    whom = None if told is None else Person(frozenset(told["numbers"]), frozenset(told["lids"]))
    media = () if told is None else tuple(told.get("media", ()))
    return ErasureRow(row_id, wanted_at, ErasureState(state), masked, whom, media, up_to, done_at, from_json(receipt))
