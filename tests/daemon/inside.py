"""The daemon in this process, where a test can turn its clock, hang its writer and count what it leaves behind."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from pombal.app.daemon import Daemon
from pombal.config.load import load
from pombal.config.locks import hold_locks
from pombal.config.paths import Paths, ensure
from tests.daemon.harness import WAIT_S, Home
from tests.daemon.notify_socket import NotifySocket, notify_socket


@asynccontextmanager
async def inside(home: Home, **environ: str) -> AsyncIterator[tuple[Daemon, NotifySocket]]:
    """Ready inside the block; drained at its end. The daemon takes what it reads of environ out again by itself."""
    paths = Paths(home.state, home.root / "run")
    ensure(paths)
    async with notify_socket(home.root / "notify") as notify:
        os.environ.update({"NOTIFY_SOCKET": str(notify.path), **environ})
        with hold_locks(paths):
            daemon = Daemon(load(home.config), paths, home.config)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(daemon.run)
                with trio.fail_after(WAIT_S):
                    await notify.until("READY")
                yield daemon, notify
                daemon.drain()
            assert not daemon.has_failed
