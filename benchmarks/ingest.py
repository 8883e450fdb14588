#!/usr/bin/env python3
"""How many inbound messages a second become durable, beside a bare loop that writes the same rows.

Both run in one thread and in turns, batch by batch, each on a database file of its own: the store's writer decides and
commits a batch as the recorder would hand it over, then the bare loop writes the very rows of that batch with the very
statements of the store. So a busy disk or processor slows both alike, and the ratio is what the writer's decisions
cost. Every transaction is synchronous (WAL, synchronous=FULL) on both sides.

    python benchmarks/ingest.py --messages 50000 --batch 500 --directory /var/tmp
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from pombal.config.settings import RecorderSettings, StoreSettings
from pombal.model.changes import CreateSession, RecordMessage
from pombal.model.clock import system_clock
from pombal.model.events import EventRow
from pombal.model.ids import new_ulid
from pombal.model.message import Direction, MessageRow, MessageType, Origin
from pombal.model.session import LinkKind, SessionRow
from pombal.store import statements
from pombal.store.connection import open_writer
from pombal.store.rollups import RollupDeltas
from pombal.store.writer import CommitReport, Writer

TEXT = "Bom dia! O pedido {} ainda não chegou, podem verificar por favor?"


class BareLoop:
    """Writes rows that somebody else has made up, and nothing besides."""

    def __init__(self, path: Path) -> None:
        self._connection = open_writer(path, RecorderSettings(), StoreSettings())

    def write(
        self, messages: list[MessageRow], events: list[EventRow], sessions: list[SessionRow], rollups: RollupDeltas
    ) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        statements.insert_messages(self._connection, messages)
        statements.insert_events(self._connection, events)
        statements.update_sessions(self._connection, sessions)
        rollups.write(self._connection)
        self._connection.execute("COMMIT")

    def create(self, sessions: list[SessionRow]) -> None:
        for session in sessions:
            statements.insert_session(self._connection, session)

    def count(self) -> int:
        (found,) = self._connection.execute("SELECT count(*) FROM messages").fetchone()
        return int(found)

    def close(self) -> None:
        self._connection.close()


def sessions_of(writer: Writer, count: int) -> list[SessionRow]:
    batch = [
        CreateSession(at=system_clock(), id=new_ulid(), name=f"s{number}", owner="bench", link=LinkKind.SIMULATOR,
                      is_active=True)
        for number in range(count)
    ]  # fmt: skip
    return list(writer.commit(batch).answers)


def inbound(first: int, count: int, sessions: int, contacts: int) -> list[RecordMessage]:
    """What session actors hand over: live texts of many sessions, mixed."""
    at = system_clock()
    return [
        RecordMessage(
            at=at, session_key=1 + number % sessions, message_id=new_ulid(), link_id=f"3EB0{number:016X}",
            direction=Direction.INBOUND, origin=Origin.API, message_type=MessageType.TEXT,
            chat_id=f"55119{number % contacts:08}@s.whatsapp.net", contact_number=f"55119{number % contacts:08}",
            contact_name="Maria da Silva", text=TEXT.format(number), sent_at_ms=at.wall_ms - at.wall_ms % 1000,
        )
        for number in range(first, first + count)
    ]  # fmt: skip


def rows_of(report: CommitReport) -> tuple[list[MessageRow], list[EventRow], list[SessionRow], RollupDeltas]:
    """The rows that a commit has written."""
    messages, rollups = list[MessageRow](), RollupDeltas()
    for told in report.events:
        assert told.message is not None
        messages.append(told.message)
        rollups.message(told.message)
        rollups.learnt(None, told.message)
    sessions = {told.session.key: told.session for told in report.events}
    return messages, [told.row for told in report.events], list(sessions.values()), rollups


def run(options: argparse.Namespace, directory: Path) -> Iterator[tuple[int, float, float]]:
    """For each batch: its rows, the writer's seconds, the bare loop's seconds."""
    connection = open_writer(directory / "writer.db", RecorderSettings(), StoreSettings())
    writer, bare = Writer(connection, system_clock, acceptable_ms=5000), BareLoop(directory / "bare.db")
    bare.create(sessions_of(writer, options.sessions))
    for first in range(0, options.messages, options.batch):
        batch = inbound(first, min(options.batch, options.messages - first), options.sessions, options.contacts)
        started = time.perf_counter()
        report = writer.commit(batch)
        committed = time.perf_counter()
        rows = rows_of(report)
        began = time.perf_counter()
        bare.write(*rows)
        yield len(batch), committed - started, time.perf_counter() - began
    assert bare.count() == options.messages
    writer.close()
    bare.close()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=50_000, help="messages in all (%(default)s)")
    parser.add_argument("--batch", type=int, default=500, help="messages a transaction (%(default)s)")
    parser.add_argument("--sessions", type=int, default=50, help="sessions they belong to (%(default)s)")
    parser.add_argument("--contacts", type=int, default=2000, help="people who write (%(default)s)")
    parser.add_argument("--directory", type=Path, default=None, help="where the databases lie for the time being")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        batches = list(run(options, Path(directory)))
    rows = sum(count for count, _, _ in batches)
    writer_s, bare_s = sum(took for _, took, _ in batches), sum(took for _, _, took in batches)
    print(f"{rows} inbound messages, {options.batch} a transaction, {options.sessions} sessions")
    for name, place, seconds in (("writer", 1, writer_s), ("bare loop", 2, bare_s)):
        median_ms = 1000 * statistics.median(batch[place] for batch in batches)
        print(f"{name:>10}: {rows / seconds:9,.0f} messages/s, median commit {median_ms:.1f} ms")
    print(f"{'ratio':>10}: {bare_s / writer_s:9.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
