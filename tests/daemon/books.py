"""What a daemon has on disk, read from outside. For holding it against what it was told, see tests/faults."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from pombal.store import offline


def rows(path: Path, sql: str, *parameters: object) -> list[dict[str, Any]]:
    """What a statement finds, beside whoever else has the file open."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=10)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql, parameters)]


def messages_in(path: Path, direction: str = "outbound") -> list[dict[str, Any]]:
    sql = "SELECT m.*, s.name AS session FROM messages AS m JOIN sessions AS s ON s.key = m.session_key"
    return rows(path, f"{sql} WHERE direction = ? ORDER BY m.id", direction)


def check_database(path: Path) -> None:
    """Nothing is wrong in it: pages, sequences, counters, rollups, the index; and nothing was refused."""
    assert offline.check_database(path, progress=lambda _: None) == []
    assert rows(path, "SELECT * FROM rejected") == []
