"""What the tests of the store build with: a clock one can turn, a database in a file, and changes with few words."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pombal.config.settings import RecorderSettings, StoreSettings
from pombal.model import changes
from pombal.model.changes import Change
from pombal.model.clock import Stamp
from pombal.model.message import Direction, MessageRow, MessageStatus, MessageType, Origin
from pombal.model.session import LinkKind, SessionRow
from pombal.store.connection import open_writer
from pombal.store.message_queries import message_by_id
from pombal.store.writer import CommitReport, Writer

START_MS = 1_700_000_040_000  # 2023-11-14T22:14:00Z, a whole minute
ACCEPTABLE_MS = 5000
HELD_MESSAGES = 3  # so few that tests meet both: what is held, and what is read again


class TurnedClock:
    """Both clocks, moved by the test alone."""

    def __init__(self) -> None:
        self.wall_ms, self.mono_ms = START_MS, 1_000_000

    def __call__(self) -> Stamp:
        return Stamp(self.wall_ms, self.mono_ms)

    def advance(self, ms: int) -> Stamp:
        self.wall_ms += ms
        self.mono_ms += ms
        return self()

    def step_wall(self, ms: int) -> None:
        """Somebody sets the wall clock."""
        self.wall_ms += ms


@dataclass
class Store:
    """A writer on a database file, and a plain connection to look behind it."""

    path: Path
    clock: TurnedClock = field(default_factory=TurnedClock)
    busy_timeout_ms: int = 0

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        recorder = RecorderSettings(busy_timeout_ms=self.busy_timeout_ms)
        self.connection = open_writer(self.path, recorder, StoreSettings())
        self.writer = Writer(self.connection, self.clock, ACCEPTABLE_MS, HELD_MESSAGES)

    @classmethod
    @contextmanager
    def temporary(cls) -> Iterator["Store"]:
        """For one example of a property."""
        with TemporaryDirectory() as directory:
            store = cls(Path(directory) / "pombal.db")
            try:
                yield store
            finally:
                store.close()

    def close(self) -> None:
        self.connection.close()

    def reopen(self) -> None:
        """What a restart of the daemon does."""
        self.close()
        self.open()

    def commit(self, *batch: Change) -> CommitReport:
        return self.writer.commit(batch)

    def do(self, change: Change) -> Any:
        """Commit one change; its answer, refusals raised."""
        (answer,) = self.commit(change).answers
        if isinstance(answer, Exception):
            raise answer
        return answer

    def rows(self, sql: str, *parameters: Any) -> list[Any]:
        return self.connection.execute(sql, parameters).fetchall()

    def one(self, sql: str, *parameters: Any) -> Any:
        (value,) = self.connection.execute(sql, parameters).fetchone()
        return value

    def message(self, session_key: int, message_id: str) -> MessageRow:
        found = message_by_id(self.connection, session_key, message_id)
        assert found is not None
        return found

    def session(self, name: str = "one", **fields: Any) -> SessionRow:
        row = self.do(create(self.clock(), name, **fields))
        assert isinstance(row, SessionRow)
        return row


def create(at: Stamp, name: str = "one", **fields: Any) -> changes.CreateSession:
    plain: dict[str, Any] = {"id": f"ID-{name}", "owner": "operator", "link": LinkKind.SIMULATOR, "is_active": True}
    return changes.CreateSession(at=at, name=name, **(plain | fields))


def queue(at: Stamp, session_key: int, message_id: str, text: str | None = "hello", **fields: Any) -> Any:
    plain: dict[str, Any] = {
        "link_id": f"L-{message_id}",
        "message_type": MessageType.TEXT,
        "chat_id": "5511999999999@s.whatsapp.net",
        "contact_number": "5511999999999",
        "content": None,
        "quoted_message_id": None,
        "content_hash": f"hash of {text}",
    }
    return changes.QueueMessage(at=at, session_key=session_key, message_id=message_id, text=text, **(plain | fields))


def receive(at: Stamp, session_key: int, link_id: str, text: str | None = "hi", **fields: Any) -> changes.RecordMessage:
    plain: dict[str, Any] = {
        "message_id": f"M-{link_id}",
        "direction": Direction.INBOUND,
        "origin": Origin.API,
        "message_type": MessageType.TEXT,
        "chat_id": "5511888888888@s.whatsapp.net",
        "contact_number": "5511888888888",
        "sent_at_ms": at.wall_ms - at.wall_ms % 1000,
    }
    return changes.RecordMessage(at=at, session_key=session_key, link_id=link_id, text=text, **(plain | fields))


def reach(at: Stamp, session_key: int, message_id: str, status: MessageStatus, **fields: Any) -> changes.Advance:
    return changes.Advance(at=at, session_key=session_key, link_id=f"L-{message_id}", status=status, **fields)


def dump(connection: sqlite3.Connection, tables: Sequence[str]) -> dict[str, list[Any]]:
    """Everything in these tables, for comparing two databases."""
    return {table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr) for table in tables}


TABLES = (
    "sessions", "messages", "events", "latency_recent", "latency_rollups", "latency_histograms", "media", "chats",
    "message_zones",
)  # fmt: skip
