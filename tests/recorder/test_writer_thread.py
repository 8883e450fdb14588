"""The recorder on a real database, in a real thread: no clock is jumped here."""

import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from pombal.config.settings import RecorderSettings
from pombal.model.errors import Kind, PombalError
from pombal.model.message import MessageStatus
from pombal.recorder.recorder import Recorder
from pombal.recorder.writer_thread import ThreadedWriter, WriterThread
from pombal.store.writer import CommitReport
from tests.store.building import Store, create, queue, reach, receive


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    built = Store(tmp_path / "pombal.db")
    built.session()
    yield built
    built.close()


@asynccontextmanager
async def recording(store: Store, **changed: Any) -> AsyncIterator[tuple[Recorder, list[CommitReport]]]:
    """A recorder on the store; drained, and its thread stopped, at the end."""
    reports: list[CommitReport] = []
    threaded = ThreadedWriter(store.writer, WriterThread())
    recorder = Recorder(RecorderSettings(**({"retry_max_s": 0.05} | changed)), threaded, reports.append)
    with trio.fail_after(100):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(recorder.run)
            yield recorder, reports
            recorder.close()
        await threaded.thread.stop()


async def test_a_message_is_on_disk_when_it_is_answered(store: Store) -> None:
    other = sqlite3.connect(store.path)
    async with recording(store) as (recorder, _):
        queued = await recorder.commit(queue(store.clock(), 1, "a"))
        assert other.execute("SELECT id, message_id FROM messages").fetchall() == [(queued.message.id, "a")]
    other.close()


async def test_many_callers_share_commits_and_keep_their_order(store: Store) -> None:
    ids: list[int] = []
    async with recording(store) as (recorder, reports), trio.open_nursery() as nursery:

        async def send(number: int) -> None:
            ids.append((await recorder.commit(queue(store.clock(), 1, f"m{number}"))).message.id)

        for number in range(300):
            nursery.start_soon(send, number)
    assert sorted(ids) == list(range(1, 301))
    assert len(reports) <= 3
    seqs = [written.row.seq for report in reports for written in report.events]
    assert seqs == list(range(seqs[0], seqs[0] + 300))


async def test_a_locked_database_refuses_requests_keeps_facts_and_recovers(store: Store) -> None:
    store.do(queue(store.clock(), 1, "a"))
    locker = sqlite3.connect(store.path, isolation_level=None)
    async with recording(store) as (recorder, _):
        locker.execute("BEGIN IMMEDIATE")
        kept: list[Any] = []
        await recorder.submit([receive(store.clock(), 1, "x"), reach(store.clock(), 1, "a", MessageStatus.SENT)])
        await recorder.submit([receive(store.clock(), 1, "y")], kept.extend)
        with pytest.raises(PombalError) as refused:
            await recorder.commit(queue(store.clock(), 1, "b"))
        assert refused.value.kind == Kind.UNAVAILABLE
        assert recorder.unavailable == "the database is locked by another program"
        assert kept == []
        locker.execute("ROLLBACK")
        # The first that comes through: the facts are before it.
        while True:
            try:
                await recorder.commit(create(store.clock(), "two"))
                break
            except PombalError as again:
                assert again.kind == Kind.UNAVAILABLE  # noqa: PT017  # until the next try
                await trio.sleep(0.001)
        assert recorder.unavailable is None
    locker.close()
    assert [row.link_id for row in kept] == ["y"]
    assert store.rows("SELECT link_id, status FROM messages ORDER BY id") == [
        ("L-a", "sent"), ("x", "delivered"), ("y", "delivered"),
    ]  # fmt: skip


async def test_a_row_the_database_refuses_takes_nobody_with_it(store: Store) -> None:
    async with recording(store) as (recorder, _):
        answers: list[Any] = []
        bad = receive(store.clock(), 1, "bad", sent_at_ms=2**70)
        await recorder.submit(
            [receive(store.clock(), 1, "good"), bad, receive(store.clock(), 1, "after")], answers.extend
        )
        await recorder.commit(queue(store.clock(), 1, "a"))
    assert [getattr(answer, "link_id", None) for answer in answers] == ["good", None, "after"]
    assert answers[1].kind == Kind.INVALID
    assert store.one("SELECT count(*) FROM rejected") == 1


async def until_busier_than(busy_s: float, thread: WriterThread) -> None:
    while thread.busy_s <= busy_s:
        await trio.lowlevel.checkpoint()


async def test_what_a_job_raises_is_raised_to_whoever_asked() -> None:
    thread = WriterThread()

    def fail() -> None:
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        await thread.call(fail)
    assert await thread.call(threading.get_ident) != threading.get_ident()
    await thread.stop()


async def test_how_long_the_writer_has_been_at_it() -> None:
    thread = WriterThread()
    release = threading.Event()
    assert thread.busy_s == 0.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(thread.call, release.wait)
        await until_busier_than(0.0, thread)
        await until_busier_than(thread.busy_s, thread)
        release.set()
    assert thread.busy_s == 0.0
    await thread.stop()


async def test_a_cancelled_caller_leaves_the_job_to_finish() -> None:
    thread, done = WriterThread(), list[str]()
    release = threading.Event()

    def job() -> None:
        release.wait()
        done.append("job")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(thread.call, job)
        await until_busier_than(0.0, thread)
        nursery.cancel_scope.cancel()
    release.set()
    await thread.call(lambda: done.append("next"))
    assert done == ["job", "next"]
    await thread.stop()


async def test_the_thread_outlives_a_loop_that_did_not_wait_for_it() -> None:
    """A second SIGTERM ends the loop while the writer is at work; it must not die of that in its thread."""
    release = threading.Event()
    threads: list[WriterThread] = []

    async def main() -> None:
        thread = WriterThread()
        threads.append(thread)
        with trio.move_on_after(0.01):
            await thread.call(release.wait)

    await trio.to_thread.run_sync(trio.run, main)
    release.set()
    threads[0]._jobs.put(None)
    await trio.to_thread.run_sync(threads[0]._thread.join)
    assert not threads[0]._thread.is_alive()


async def test_closing_moves_the_log_into_the_database(store: Store) -> None:
    store.do(queue(store.clock(), 1, "a"))
    threaded = ThreadedWriter(store.writer, WriterThread())
    await threaded.close()
    wal = store.path.with_name("pombal.db-wal")
    assert not wal.exists() or wal.stat().st_size == 0
    assert not threaded.thread._thread.is_alive()


async def test_closing_without_room_for_the_checkpoint_still_closes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    threaded = ThreadedWriter(store.writer, WriterThread())

    def fail() -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(store.writer, "checkpoint", fail)
    await threaded.close()
    assert not threaded.thread._thread.is_alive()
    with pytest.raises(sqlite3.ProgrammingError):
        store.connection.execute("SELECT 1")
