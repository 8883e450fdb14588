"""The books held together: what the daemon has on disk, what the network has, and what clients were told."""

import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
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


@dataclass
class Ledger:
    """What clients were told: the link_id of each send that was answered, by (session, message_id); texts injected."""

    sent: dict[tuple[str, str], str] = field(default_factory=dict)
    injected: set[str] = field(default_factory=set)

    def answered(self, answer: Mapping[str, Any]) -> None:
        self.sent[answer["session"], answer["message_id"]] = answer["link_id"]

    def check_sends(self, database: Path) -> None:
        """Every send that was answered is there, and exactly once."""
        stored = messages_in(database)
        names = Counter((row["session"], row["message_id"]) for row in stored)
        assert [name for name, count in names.items() if count > 1] == []
        links = {(row["session"], row["message_id"]): row["link_id"] for row in stored}
        assert {name: links.get(name) for name in self.sent} == self.sent

    def check_injections(self, simulator_db: Path) -> None:
        """Every injection that was answered is kept by the network; one whose answer was lost may be, too."""
        kept = Counter(row["text"] for row in rows(simulator_db, "SELECT text FROM inbound"))
        assert [text for text in self.injected if kept[text] != 1] == []


def check_network(database: Path, simulator_db: Path, *, at_rest: bool) -> None:
    """The network and the store tell the same story: nothing acknowledged is missing here, nothing arrived twice.

    at_rest: nothing is on its way any more, so each send that is not uncertain has arrived, and no uncertain one.
    """
    arrived = rows(simulator_db, "SELECT * FROM received_sends")
    stored = {row["link_id"]: row["status"] for row in messages_in(database)}
    assert [row["link_id"] for row in arrived if row["times_received"] != 1] == []
    assert {row["link_id"] for row in arrived} <= set(stored)
    if at_rest:
        assert {row["link_id"] for row in arrived} == {link for link, status in stored.items() if status == "read"}
    wrote = rows(simulator_db, "SELECT link_id, acknowledged FROM inbound")
    recorded = Counter(row["link_id"] for row in messages_in(database, "inbound"))
    assert [row["link_id"] for row in wrote if row["acknowledged"] and recorded[row["link_id"]] != 1] == []
    assert set(recorded) <= {row["link_id"] for row in wrote}
    assert max(recorded.values(), default=1) == 1
    if at_rest:
        assert len(recorded) == len(wrote)
