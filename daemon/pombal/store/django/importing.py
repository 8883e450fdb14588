"""Taking a dump in: sessions first, then messages, in transactions of many rows, each row once however often it comes.

The database must be nobody else's meanwhile. Killed at any point, what was committed stays, whole rows all of it, and
the next run adds the rest.
"""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

from pombal.config.settings import RecorderSettings, StoreSettings
from pombal.model.changes import Change, Imported, ImportMessage, ImportSession
from pombal.model.clock import system_clock
from pombal.model.errors import PombalError
from pombal.model.removal_changes import PruneRollups
from pombal.store.connection import StoreError, open_writer
from pombal.store.django.dump import BrokenRow, Dump, DumpRow
from pombal.store.django.fields import RowRefused, key_of
from pombal.store.django.report import ImportReport, OnRefused
from pombal.store.django.rows import (
    KNOWN_FIELDS,
    MESSAGE_MODEL,
    SESSION_MODEL,
    Origins,
    message_change,
    session_change,
    session_id,
)
from pombal.store.latency_stats import MINUTES_KEPT_MS
from pombal.store.rollups import EVERY_SESSION
from pombal.store.writer import PartlyCommitted, StoreUnavailable, Writer

SESSIONS_REMEMBERED = 100_000
SESSIONS_AT_ONCE = 100
Progress = Callable[[int, int], None]
"""Hears how many bytes are done, and how many there are; the file is read twice."""


def import_dump(
    path: Path, database: Path, origins: Origins, *, progress: Progress, on_refused: OnRefused
) -> ImportReport:
    """Take the dump at path in; what was added, and what was refused and why. Makes the database where there is none.

    Raises StoreError where the file or the database cannot be used; what was committed by then stays.
    """
    if not database.exists():
        os.close(os.open(database, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    recorder = RecorderSettings()
    with closing(open_writer(database, recorder, StoreSettings())) as connection:
        # Latencies of history are never judged, so what would be acceptable does not matter.
        writer = Writer(connection, system_clock, acceptable_ms=1)
        report = ImportReport(on_refused)
        importer = _Importer(connection, writer, origins, report, recorder.max_batch_rows)
        try:
            _take_in(path, importer, progress)
            importer.forget_minutes()
            writer.checkpoint()
        except (StoreUnavailable, PartlyCommitted, sqlite3.Error) as error:
            raise StoreError(f"{database}: {error}; what was taken in stays, so run the import again") from error
        except (OSError, EOFError) as error:
            raise StoreError(f"{path} cannot be read: {error}") from error
    return report


def _take_in(path: Path, importer: "_Importer", progress: Progress) -> None:
    for number, take in enumerate((importer.take_session, importer.take_message)):
        with Dump(path) as dump:
            for row in dump.rows():
                take(row)
                progress(number * dump.size_bytes + dump.read_bytes, 2 * dump.size_bytes)
            importer.commit()


class _Importer:
    """One import: what waits to be committed, and which sessions it has met."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        writer: Writer,
        origins: Origins,
        report: ImportReport,
        batch_rows: int,
    ) -> None:
        self._connection = connection
        self._writer = writer
        self._origins = origins
        self._report = report
        self._batch_rows = batch_rows
        self._waiting: list[tuple[int, str, Any, Change]] = []
        self._session_keys: dict[str, int | None] = {}

    def take_session(self, row: DumpRow | BrokenRow) -> None:
        """The first reading: sessions, wherever in the dump they stand. All else is told of by the second."""
        with suppress(RowRefused):
            parts = _parts(row)
            if parts.model == SESSION_MODEL:
                self._check_in(row.line, parts, self._session)

    def take_message(self, row: DumpRow | BrokenRow) -> None:
        """The second reading: messages."""
        try:
            parts = _parts(row)
        except RowRefused as refused:
            self._report.refuse(row.line, "", None, refused.reason, refused.detail)
            return
        if parts.model == MESSAGE_MODEL:
            self._check_in(row.line, parts, self._message)
        elif parts.model != SESSION_MODEL:
            self._report.ignore(self._report.ignored_models, parts.model)

    def commit(self) -> None:
        """Write what waits. Raises StoreUnavailable or PartlyCommitted."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        answers = self._writer.commit([change for *_, change in waiting]).answers
        for (line, model, pk, _), answer in zip(waiting, answers, strict=True):
            match answer:
                case PombalError():
                    self._report.refuse(line, model, pk, answer.message)
                case Imported():
                    self._report.messages[answer] += 1
                case (outcome, _session):
                    self._report.sessions[outcome] += 1

    def forget_minutes(self) -> None:
        """Latencies by minute are kept for a week; of a history of years the daemon's next round would have to remove
        them all at once."""
        self._writer.spread_rollups()
        now = system_clock()
        keys = [EVERY_SESSION, *(key for (key,) in self._connection.execute("SELECT key FROM sessions"))]
        for start in range(0, len(keys), SESSIONS_AT_ONCE):
            part = tuple(keys[start : start + SESSIONS_AT_ONCE])
            self._writer.commit([PruneRollups(at=now, session_keys=part, before_ms=now.wall_ms - MINUTES_KEPT_MS)])

    def _check_in(self, line: int, parts: "_Parts", change: Callable[[Any, dict[str, Any]], Change]) -> None:
        for name in parts.fields.keys() - KNOWN_FIELDS[parts.model]:
            self._report.ignore(self._report.ignored_fields, f"{parts.model}.{name}")
        try:
            self._waiting.append((line, parts.model, parts.pk, change(parts.pk, parts.fields)))
        except RowRefused as refused:
            self._report.refuse(line, parts.model, parts.pk, refused.reason, refused.detail)
        if len(self._waiting) >= self._batch_rows:
            self.commit()

    def _session(self, pk: Any, fields: dict[str, Any]) -> ImportSession:
        return session_change(pk, fields, self._origins, system_clock())

    def _message(self, pk: Any, fields: dict[str, Any]) -> ImportMessage:
        session_key = self._session_key(fields.get("session"))
        return message_change(pk, fields, session_key, self._origins, system_clock(), self._report.remark)

    def _session_key(self, named: Any) -> int:
        key = key_of(named, "session")
        if key is None:
            raise RowRefused("it names no session")
        if key not in self._session_keys:
            if len(self._session_keys) >= SESSIONS_REMEMBERED:
                self._session_keys.clear()
            wanted = session_id(self._origins.source, key)
            found = self._connection.execute("SELECT key FROM sessions WHERE id = ?", [wanted]).fetchone()
            self._session_keys[key] = found[0] if found else None
        session_key = self._session_keys[key]
        if session_key is None:
            raise RowRefused("its session is neither in this dump nor imported before", key)
        return session_key


class _Parts(NamedTuple):
    model: str
    pk: Any
    fields: dict[str, Any]


def _parts(row: DumpRow | BrokenRow) -> _Parts:
    """What every row of Django's has. Raises RowRefused."""
    if isinstance(row, BrokenRow):
        raise RowRefused("it is no JSON", row.detail)
    model, fields = row.value.get("model"), row.value.get("fields")
    if not isinstance(model, str) or not isinstance(fields, dict):
        raise RowRefused("it is no row of Django's: model and fields are missing")
    return _Parts(model.lower(), row.value.get("pk"), fields)
