"""The network's own side on disk, so that it and the daemon's can be held together after the process was killed.

`simulator.db`, SQLite in WAL mode with `synchronous=NORMAL`: only the process dies in such tests, not the machine.
Times are epoch milliseconds of the network's own clock. Rows are kept until their session is deleted.

`accounts` – one row a session: `session_id`, `name`, `number` (E.164 digits; its identity), `is_paired`, `next_seq`
(one past the last delivery acknowledged).

`inbound` – what people wrote to us: `session_id`, `seq` (1, 2, … in the order of arrival, of inbound messages alone),
`link_id`, `chat_id`, `text` (made storable), `injected_at`, `acknowledged` (0 or 1), `message` (the whole
IncomingMessage as JSON). A row is committed before the message is handed over and before `inject` answers;
`acknowledged` is set after the daemon said so. After a restart everything with `acknowledged = 0` comes again under its
old link_id.

`received_sends` – what we wrote to people: `session_id`, `link_id`, `chat_id` (to whom), `text`, `received_at`,
`times_received` (how often the recipient got it: 1, but on a network told not to deduplicate), `times_sent` (how often
it was handed to the network), `settled` (1 once its last receipt was acknowledged; until then receipts come again after
a restart). A row is committed before the send is called sent.
"""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from pombal.link.base import IncomingMessage
from pombal.model.errors import Kind, PombalError
from pombal.model.message import Direction, MessageType, Origin
from pombal.model.person import Person

BUSY_TIMEOUT_S = 1.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
    session_id TEXT PRIMARY KEY, name TEXT NOT NULL, number TEXT NOT NULL, is_paired INTEGER NOT NULL,
    next_seq INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS inbound (
    session_id TEXT, seq INTEGER, link_id TEXT NOT NULL, chat_id TEXT NOT NULL, text TEXT, injected_at INTEGER NOT NULL,
    message TEXT NOT NULL, acknowledged INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (session_id, seq)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS inbound_waiting ON inbound (session_id, seq) WHERE acknowledged = 0;
CREATE TABLE IF NOT EXISTS received_sends (
    session_id TEXT, link_id TEXT, chat_id TEXT NOT NULL, text TEXT, received_at INTEGER NOT NULL,
    times_received INTEGER NOT NULL DEFAULT 1, times_sent INTEGER NOT NULL DEFAULT 1,
    settled INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (session_id, link_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS received_sends_unsettled ON received_sends (session_id, received_at) WHERE settled = 0;
"""

# One statement for all rows of a kind: executemany would give the GIL away and wait for it again at every row.
_KEEP_ACCOUNTS = """
INSERT INTO accounts (session_id, name, number, is_paired, next_seq)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4 FROM json_each(?) WHERE true
ON CONFLICT (session_id) DO UPDATE SET number = excluded.number, is_paired = excluded.is_paired
"""
_KEEP_INBOUND = """
INSERT INTO inbound (session_id, seq, link_id, chat_id, text, injected_at, message)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6 FROM json_each(?)
"""
_KEEP_SENDS = """
INSERT INTO received_sends (session_id, link_id, chat_id, text, received_at)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4 FROM json_each(?) WHERE true
ON CONFLICT (session_id, link_id) DO UPDATE SET times_sent = times_sent + 1
"""
_RECEIVE_AGAIN = """
UPDATE received_sends SET times_received = times_sent FROM json_each(?) AS said
WHERE received_sends.session_id = said.value->>0 AND received_sends.link_id = said.value->>1
"""
_ACKNOWLEDGE = """
UPDATE inbound SET acknowledged = 1 FROM json_each(?) AS said
WHERE inbound.session_id = said.value->>0 AND inbound.seq <= said.value->>1 AND inbound.acknowledged = 0
"""
_KEEP_NEXT_SEQ = """
UPDATE accounts SET next_seq = said.value->>2 FROM json_each(?) AS said WHERE accounts.session_id = said.value->>0
"""
_SETTLE = """
UPDATE received_sends SET settled = 1 FROM json_each(?) AS said
WHERE received_sends.session_id = said.value->>0 AND received_sends.link_id = said.value->>1
"""
_ERASE = (
    "DELETE FROM inbound WHERE names(chat_id) OR names(message)",
    "DELETE FROM received_sends WHERE names(chat_id) OR names(text)",
)
_FORGET = "DELETE FROM {} WHERE session_id IN (SELECT value FROM json_each(?))"


@dataclass(slots=True)
class Batch:
    """What is written next, in one transaction. Rows are tuples in the order of the statements above."""

    accounts: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    inbound: list[tuple[Any, ...]] = field(default_factory=list)
    sends: list[tuple[Any, ...]] = field(default_factory=list)
    repeated: list[tuple[str, str]] = field(default_factory=list)
    acknowledged: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    settled: list[tuple[str, str]] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    when_done: list[Callable[[], None]] = field(default_factory=list)
    done: trio.Event = field(default_factory=trio.Event)


@dataclass(frozen=True, slots=True)
class SavedAccount:
    """One account as it was left: messages not acknowledged, by arrival number, and sends that lack their receipts."""

    session_id: str
    name: str
    number: str
    is_paired: bool
    next_seq: int
    arrivals: int
    messages: list[tuple[int, IncomingMessage]]
    unsettled: list[str]


@dataclass(frozen=True, slots=True)
class Saved:
    accounts: list[SavedAccount]
    sends: list[tuple[str, str]]


def open_ledger(path: Path) -> sqlite3.Connection:
    """The file, made where there is none. Raises PombalError (unavailable) when it cannot be this database."""
    connection = None
    try:
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_SCHEMA)
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        reason = f"{path} cannot be used as the simulator's database: {error}"
        raise PombalError(Kind.UNAVAILABLE, reason) from error
    return connection


def commit(connection: sqlite3.Connection, batch: Batch) -> None:
    """Write a batch in one transaction. Raises sqlite3.OperationalError; then nothing of it is written."""
    acknowledged = list(batch.acknowledged.values())
    statements: list[tuple[str, list[Any]]] = [
        (_KEEP_ACCOUNTS, list(batch.accounts.values())),
        (_KEEP_INBOUND, batch.inbound),
        (_KEEP_SENDS, batch.sends),
        (_RECEIVE_AGAIN, batch.repeated),
        (_ACKNOWLEDGE, acknowledged),
        (_KEEP_NEXT_SEQ, acknowledged),
        (_SETTLE, batch.settled),
        *((_FORGET.format(table), batch.forgotten) for table in ("accounts", "inbound", "received_sends")),
    ]
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement, rows in statements:
            if rows:
                connection.execute(statement, (json.dumps(rows),))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite has rolled back by itself after some errors
            connection.execute("ROLLBACK")
        raise


def erase(connection: sqlite3.Connection, person: Person) -> int:
    """How many rows of a person were removed; nothing of them is left in the file or its log then.

    Raises sqlite3.OperationalError: then it is to be done again.
    """
    connection.create_function("names", 1, lambda text: text is not None and person.is_in(text))
    removed = 0
    for statement in _ERASE:
        removed += connection.execute(statement).rowcount
    connection.execute("VACUUM")
    (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if is_busy:
        raise sqlite3.OperationalError("somebody reads the simulator's database")
    return removed


def load(connection: sqlite3.Connection, remembered_sends: int) -> Saved:
    """Everything that a network has to know of its former life, of its sends the newest."""
    rows = connection.execute("SELECT session_id, name, number, is_paired, next_seq FROM accounts ORDER BY session_id")
    newest = "SELECT session_id, link_id FROM received_sends ORDER BY received_at DESC LIMIT ?"
    return Saved(
        [_saved_account(connection, row) for row in rows],
        connection.execute(newest, (remembered_sends,)).fetchall()[::-1],
    )


def _saved_account(connection: sqlite3.Connection, row: tuple[Any, ...]) -> SavedAccount:
    session_id, name, number, is_paired, next_seq = row
    newest = connection.execute("SELECT max(seq) FROM inbound WHERE session_id = ?", (session_id,))
    unsettled = connection.execute(
        "SELECT link_id FROM received_sends WHERE session_id = ? AND settled = 0 ORDER BY received_at, link_id",
        (session_id,),
    )
    return SavedAccount(
        session_id,
        name,
        number,
        is_paired=bool(is_paired),
        next_seq=next_seq,
        arrivals=newest.fetchone()[0] or 0,
        messages=_waiting(connection, session_id),
        unsettled=[link_id for (link_id,) in unsettled],
    )


def _waiting(connection: sqlite3.Connection, session_id: str) -> list[tuple[int, IncomingMessage]]:
    rows = connection.execute(
        "SELECT seq, message FROM inbound WHERE session_id = ? AND acknowledged = 0 ORDER BY seq", (session_id,)
    )
    return [(seq, _incoming(json.loads(message))) for seq, message in rows]


def _incoming(fields: dict[str, Any]) -> IncomingMessage:
    enums = {
        "message_type": MessageType(fields["message_type"]),
        "direction": Direction(fields["direction"]),
        "origin": Origin(fields["origin"]),
    }
    return IncomingMessage(**(fields | enums))
