"""What WhatsApp brought and the daemon has not committed yet, on disk: one SQLite file a session.

WhatsApp's client acknowledges a message to the server before anybody here has seen it. So its callback does one thing:
it appends to the spool, which is on disk (WAL, ``synchronous=FULL``) before the callback returns. Rows leave when the
daemon says that it has committed them.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import structlog

from pombal.link import base
from pombal.link.base import LinkEvent
from pombal.link.wire.errors import WireError
from pombal.link.wire.events import event_from_wire, event_to_wire

log = structlog.get_logger()

EVENT_MAX_BYTES = 900_000  # of a frame's 1 MiB: its number and its type need room beside it
RAW_MAX_CHARACTERS = 20_000
BUSY_TIMEOUT_S = 5.0
RETRY_S = 0.5  # between tries while the file cannot be written
RECENT_KEPT = 5_000  # messages that quotes and reactions find their authors and their words in
RECENT_TRIM_EVERY = 500

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY AUTOINCREMENT, type TEXT NOT NULL, event TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS downloads (
    sha256 TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL, mime_type TEXT NOT NULL, message BLOB NOT NULL,
    state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS recent (
    link_id TEXT PRIMARY KEY, author TEXT NOT NULL, is_ours INTEGER NOT NULL, message BLOB NOT NULL, sent_s INTEGER
);
CREATE TABLE IF NOT EXISTS aliases (whatsapp_id TEXT PRIMARY KEY, link_id TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS aliases_link_id ON aliases (link_id);
"""

# Told anew to each connection as things stand then; what was told before is of no use to anybody.
_PASSING = ("qr", "pair_code", "authenticated", "ready")


class SpoolClosed(Exception):
    """The session is no longer served here."""


class DownloadState(StrEnum):
    WAITING = "waiting"
    READY = "ready"


@dataclass(frozen=True, slots=True)
class Download:
    """A file that WhatsApp keeps for us; message is the protobuf that its download needs."""

    sha256: str
    size_bytes: int
    mime_type: str
    message: bytes
    state: DownloadState = DownloadState.WAITING
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Recent:
    """A message that may be quoted. author: its address, empty for ours; message: the serialized protobuf, or nothing.

    sent_s: for ours, WhatsApp's stamp on its acknowledgement.
    """

    link_id: str
    author: str
    is_ours: bool
    message: bytes = b""
    sent_s: int | None = None


class Spool:
    """Safe to use from any thread; every method may block on the disk."""

    def __init__(self, path: Path, *, max_events: int) -> None:
        """max_events: unacknowledged events beyond which ``append`` waits."""
        self._connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.executescript(_SCHEMA)
        path.chmod(0o600)
        self._max_events = max_events
        self._changed = threading.Condition()
        self._is_full = False
        self._is_draining = False
        self._is_closed = False
        self._count: int = self._connection.execute("SELECT count(*) FROM events").fetchone()[0]

    # Events

    def append(
        self, event: LinkEvent, *, download: Download | None = None, recent: Recent | None = None, waits: bool = True
    ) -> int:
        """The event's number, once it is on disk. download: a file that the event speaks of, recent: the message.

        waits: hold the caller back while the spool is full, and until the disk takes it. Raises sqlite3.Error where
        it does not wait; SpoolClosed.
        """
        kind, text = _written(event)
        with self._changed:
            if waits:
                self._changed.wait_for(self._has_room)
            while True:
                if self._is_closed:
                    raise SpoolClosed
                try:
                    return self._insert(kind, text, download, recent)
                except sqlite3.Error as error:
                    if not waits:
                        raise
                    log.error("the spool cannot be written, waiting", reason=str(error))  # noqa: TRY400
                    self._changed.wait(RETRY_S)

    def _has_room(self) -> bool:
        has_room = self._count < self._max_events or self._is_draining
        if has_room == self._is_full:
            self._is_full = not has_room
            log.warning(
                "the spool is full, WhatsApp waits" if self._is_full else "the spool has room again",
                unacknowledged=self._count,
            )
        return has_room

    def _insert(self, kind: str, text: str, download: Download | None, recent: Recent | None) -> int:
        seq = 0
        with self._transaction() as connection:
            cursor = connection.execute("INSERT INTO events (type, event) VALUES (?, ?)", (kind, text))
            seq = cursor.lastrowid or 0
            if download is not None:
                connection.execute(
                    "INSERT INTO downloads (sha256, size_bytes, mime_type, message, state) VALUES (?, ?, ?, ?, ?)"
                    " ON CONFLICT (sha256) DO UPDATE SET message = excluded.message, attempts = 0",
                    (download.sha256, download.size_bytes, download.mime_type, download.message, download.state),
                )
            if recent is not None:
                _remember(connection, recent, trims=seq % RECENT_TRIM_EVERY == 0)
        self._count += 1
        return seq

    def read(self, after: int, limit: int) -> list[tuple[int, LinkEvent]]:
        """The oldest events past after, at most limit."""
        with self._changed:
            rows = self._connection.execute(
                "SELECT seq, event FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
            ).fetchall()
        return [(seq, event_from_wire(json.loads(text))) for seq, text in rows]

    def acknowledge(self, seq: int) -> None:
        """Everything up to seq is committed by the daemon, and leaves.

        Not through fsync: what comes again after a power cut is recorded once all the same.
        """
        with self._changed:
            with self._hurried():
                self._forget("seq <= ?", (seq,))
            self._changed.notify_all()

    def drop_passing(self) -> None:
        """Forget what only told how things stood: codes to scan, that the session was ready."""
        with self._changed, self._hurried():
            self._forget(f"type IN ({', '.join('?' * len(_PASSING))})", _PASSING)

    def _forget(self, condition: str, values: tuple[object, ...]) -> None:
        with self._transaction() as connection:
            gone = connection.execute(f"DELETE FROM events WHERE {condition}", values).rowcount  # noqa: S608
        self._count -= gone

    @property
    def unacknowledged(self) -> int:
        return self._count

    def drain(self) -> None:
        """From now on nobody waits for room: what the client still holds is to be on disk before the process ends."""
        with self._changed:
            self._is_draining = True
            self._changed.notify_all()

    def holds(self, kind: str) -> bool:
        """Whether an event of this type has not been acknowledged."""
        with self._changed:
            return self._connection.execute("SELECT 1 FROM events WHERE type = ?", (kind,)).fetchone() is not None

    # Messages that may be quoted, or sent again

    def recent(self, link_id: str) -> Recent | None:
        with self._changed:
            row = self._connection.execute(
                "SELECT author, is_ours, message, sent_s FROM recent WHERE link_id = ?", (link_id,)
            ).fetchone()
        return None if row is None else Recent(link_id, row[0], bool(row[1]), row[2], row[3])

    # Marks: small facts that outlive the process

    def mark(self, name: str, value: str | None) -> None:
        """Set, or with None remove."""
        with self._changed, self._transaction() as connection:
            if value is None:
                connection.execute("DELETE FROM marks WHERE name = ?", (name,))
            else:
                connection.execute("INSERT OR REPLACE INTO marks VALUES (?, ?)", (name, value))

    def marked(self, name: str) -> str | None:
        with self._changed:
            row = self._connection.execute("SELECT value FROM marks WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    # Downloads

    def downloads(self, state: DownloadState, limit: int) -> list[Download]:
        """The oldest in this state."""
        with self._changed:
            rows = self._connection.execute(
                "SELECT sha256, size_bytes, mime_type, message, state, attempts FROM downloads WHERE state = ?"
                " ORDER BY attempts, rowid LIMIT ?",
                (state, limit),
            ).fetchall()
        return [
            Download(sha256, size_bytes, mime_type, message, DownloadState(where), attempts)
            for sha256, size_bytes, mime_type, message, where, attempts in rows
        ]

    def downloaded(self, sha256: str, size_bytes: int) -> None:
        """The file is here, under its own name."""
        with self._changed, self._transaction() as connection:
            connection.execute(
                "UPDATE downloads SET state = ?, size_bytes = ? WHERE sha256 = ?",
                (DownloadState.READY, size_bytes, sha256),
            )

    def download_failed(self, sha256: str) -> int:
        """How many tries that makes."""
        with self._changed, self._transaction() as connection:
            connection.execute("UPDATE downloads SET attempts = attempts + 1 WHERE sha256 = ?", (sha256,))
            row = connection.execute("SELECT attempts FROM downloads WHERE sha256 = ?", (sha256,)).fetchone()
        return 0 if row is None else int(row[0])

    def forget_download(self, sha256: str) -> None:
        with self._changed, self._transaction() as connection:
            connection.execute("DELETE FROM downloads WHERE sha256 = ?", (sha256,))

    # Other ids: where WhatsApp's client would not take ours

    def alias(self, whatsapp_id: str, link_id: str) -> None:
        """What goes under whatsapp_id at WhatsApp is link_id to the daemon."""
        with self._changed, self._transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO aliases VALUES (?, ?)", (whatsapp_id, link_id))

    def link_id_of(self, whatsapp_id: str) -> str:
        with self._changed:
            row = self._connection.execute(
                "SELECT link_id FROM aliases WHERE whatsapp_id = ?", (whatsapp_id,)
            ).fetchone()
        return whatsapp_id if row is None else str(row[0])

    def whatsapp_id_of(self, link_id: str) -> str:
        with self._changed:
            row = self._connection.execute("SELECT whatsapp_id FROM aliases WHERE link_id = ?", (link_id,)).fetchone()
        return link_id if row is None else str(row[0])

    def close(self) -> None:
        """Whoever still appends is told so."""
        with self._changed:
            self._is_closed = self._is_draining = True
            self._connection.close()
            self._changed.notify_all()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _hurried(self) -> Iterator[None]:
        self._connection.execute("PRAGMA synchronous=NORMAL")
        try:
            yield
        finally:
            self._connection.execute("PRAGMA synchronous=FULL")


def _remember(connection: sqlite3.Connection, recent: Recent, *, trims: bool) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO recent (link_id, author, is_ours, message, sent_s) VALUES (?, ?, ?, ?, ?)",
        (recent.link_id, recent.author, recent.is_ours, recent.message, recent.sent_s),
    )
    if trims:
        connection.execute("DELETE FROM recent WHERE rowid <= (SELECT max(rowid) FROM recent) - ?", (RECENT_KEPT,))


def _written(event: LinkEvent) -> tuple[str, str]:
    """(type, JSON). An event that cannot be told as what it is, is told as Garbage: nothing may be lost in silence."""
    try:
        wire = event_to_wire(event)
        text = json.dumps(wire, ensure_ascii=False, separators=(",", ":"))
        if len(text.encode()) <= EVENT_MAX_BYTES:
            return wire["type"], text
        reason = f"an event of {len(text)} characters"
    except (WireError, UnicodeEncodeError) as error:
        reason = f"an event that cannot be written: {type(error).__name__}"
    raw = ascii(event)[:RAW_MAX_CHARACTERS]
    return "garbage", json.dumps(event_to_wire(base.Garbage(raw, reason)))
