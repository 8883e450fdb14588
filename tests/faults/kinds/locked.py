"""Another process that holds the database, as a careless person with the sqlite3 shell would."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.daemon.harness import WAIT_S
from tests.faults.kinds.kind import Kind
from tests.faults.kinds.store_trouble import check_trouble
from tests.faults.world import World


@contextmanager
def held(database: Path) -> Iterator[None]:
    with closing(sqlite3.connect(database, isolation_level=None, timeout=WAIT_S)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


async def inflict(world: World) -> None:
    with world.prober.excusing("store"):
        with held(world.home.database):
            await check_trouble(world, "locked")
        await world.prober.until_well()


KIND = Kind("locked", inflict)
