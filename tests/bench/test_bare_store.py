"""The bare loop writes what the daemon wrote: else the ratio to it would say nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path

from pombal.bench.bare_store import bare_seconds
from pombal.bench.past import fill
from pombal.bench.prepared import prepare_sessions

_MESSAGES = "SELECT * FROM messages ORDER BY id"
_EVENTS = "SELECT message, type, data FROM events WHERE message IS NOT NULL ORDER BY message, seq"
_CHATS = "SELECT * FROM chats ORDER BY session_key, chat_id"
_FOUND = "SELECT rowid FROM messages_search WHERE messages_search MATCH 'pedido' ORDER BY rowid"
_ROLLUPS = "SELECT * FROM latency_rollups ORDER BY session_key, span_s, starts_at, measure"
_HISTOGRAMS = "SELECT * FROM latency_histograms ORDER BY session_key, span_s, starts_at, measure, bucket"


def test_it_writes_the_same_messages_events_chats_rollups_and_search(tmp_path: Path) -> None:
    source, target = tmp_path / "source.db", tmp_path / "target.db"
    fill(source, messages=600, sessions=3, days=1)
    assert bare_seconds(source, target, batch_rows=100) > 0
    for question in (_MESSAGES, _EVENTS, _CHATS, _FOUND, _ROLLUPS, _HISTOGRAMS):
        assert _rows(source, question) == _rows(target, question) != []


def test_sessions_are_prepared_as_paired_and_active(tmp_path: Path) -> None:
    prepare_sessions(tmp_path / "state", 3)
    found = _rows(tmp_path / "state" / "pombal.db", "SELECT name, is_active, identity IS NOT NULL FROM sessions")
    assert found == [("s00000", 1, 1), ("s00001", 1, 1), ("s00002", 1, 1)]


def _rows(database: Path, question: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return list(connection.execute(question))
