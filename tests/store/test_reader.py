"""Reading in threads: read only, one snapshot, ended in time, and bounded."""

import sqlite3
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from pombal.config.settings import StoreSettings
from pombal.model.errors import Kind, PombalError
from pombal.store.reader import Reader
from tests.store.building import Store, queue

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
async def reader(store: Store) -> AsyncIterator[Reader]:
    opened = Reader(store.path, StoreSettings(readers=2, query_timeout_s=0.05), 0)
    yield opened
    opened.close()


def count(connection: sqlite3.Connection) -> int:
    (found,) = connection.execute("SELECT count(*) FROM messages").fetchone()
    return int(found)


async def test_it_reads_what_is_committed(store: Store, reader: Reader) -> None:
    key = store.session().key
    assert await reader.run(count) == 0
    store.do(queue(store.clock(), key, "a"))
    assert await reader.run(count) == 1


async def test_a_query_sees_one_snapshot(store: Store, reader: Reader) -> None:
    key = store.session().key

    def twice(connection: sqlite3.Connection) -> tuple[int, int]:
        first = count(connection)
        store.do(queue(store.clock(), key, "a"))  # the reader's thread stands in for the writer's
        return first, count(connection)

    assert await reader.run(twice) == (0, 0)
    assert await reader.run(count) == 1


async def test_it_cannot_write(reader: Reader) -> None:
    def write(connection: sqlite3.Connection) -> Any:
        return connection.execute("DELETE FROM messages")

    with pytest.raises(PombalError, match="read-only") as caught:
        await reader.run(write)
    assert caught.value.kind == Kind.UNAVAILABLE


async def test_a_slow_query_is_ended_and_the_connection_goes_on(store: Store, reader: Reader) -> None:
    with pytest.raises(PombalError, match=r"took longer than 0\.05 s and was ended; ask for less") as caught:
        await reader.run(lambda connection: connection.execute(ENDLESS).fetchone())
    assert caught.value.kind == Kind.UNAVAILABLE
    assert await reader.run(count) == 0
    assert len(reader._idle) == 1


async def test_a_slow_query_holds_up_no_commit(store: Store, reader: Reader) -> None:
    key, reading = store.session().key, threading.Event()

    def slow(connection: sqlite3.Connection) -> None:
        count(connection)
        reading.set()
        connection.execute(ENDLESS).fetchone()

    async def refused() -> None:
        with pytest.raises(PombalError):
            await reader.run(slow)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(refused)
        await trio.to_thread.run_sync(reading.wait)
        assert store.do(queue(store.clock(), key, "a")).created


async def test_no_more_at_once_than_readers_and_their_connections_are_kept(store: Store, reader: Reader) -> None:
    together, most, lock = 0, 0, threading.Lock()
    both = threading.Barrier(2)

    def query(connection: sqlite3.Connection) -> None:
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
        both.wait(10)
        with lock:
            together -= 1

    async with trio.open_nursery() as nursery:
        for _ in range(6):
            nursery.start_soon(reader.run, query)
    assert most == 2
    assert len(reader._idle) == 2


async def test_what_a_query_raises_is_raised_and_leaves_no_transaction(store: Store, reader: Reader) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        count(connection)
        raise PombalError(Kind.NOT_FOUND, "none")

    with pytest.raises(PombalError, match="none"):
        await reader.run(fail)
    assert not reader._idle[0].in_transaction


async def test_a_store_that_is_gone_is_unavailable(store: Store) -> None:
    gone = Reader(store.path.with_name("none.db"), StoreSettings(), 0)
    with pytest.raises(PombalError, match="the store cannot be read") as caught:
        await gone.run(count)
    assert caught.value.kind == Kind.UNAVAILABLE
