"""Clients are started and stopped one after the other, and not in the moment in which another is asked something.

neonize keeps its clients in Go maps without a lock: two that start or stop at once, or one that does while another is
looked up, can end the process (``fatal error: concurrent map writes``). A call looks its client up when it begins; so a
start or a stop holds back new calls and waits until those that run have been running for a moment.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

SETTLED_S = 0.05


class Gate:
    """One a process."""

    def __init__(self) -> None:
        self._alone = trio.Lock()
        self._calls: dict[object, float] = {}
        self._is_open = trio.Event()
        self._is_open.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """For what writes neonize's maps: starts and stops."""
        async with self._alone:
            self._is_open = trio.Event()
            try:
                await self._settle()
                yield
            finally:
                self._is_open.set()

    async def _settle(self) -> None:
        """No call begins meanwhile, so the youngest is all that has to be waited for."""
        if self._calls:
            await trio.sleep_until(max(self._calls.values()) + SETTLED_S)

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """For everything else that a client is asked."""
        while not self._is_open.is_set():
            await self._is_open.wait()
        token = object()
        self._calls[token] = trio.current_time()
        try:
            yield
        finally:
            del self._calls[token]
