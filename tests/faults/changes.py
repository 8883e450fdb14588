"""Waiting for what somebody else's task brings about, without asking again and again."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

T = TypeVar("T")
LOOK_S = 0.05


class Changes:
    """Whoever changes something says so, and whoever waits looks again."""

    def __init__(self) -> None:
        self._next = trio.Event()

    def tell(self) -> None:
        self._next.set()
        self._next = trio.Event()

    async def until(self, holds: Callable[[], T | None], timeout_s: float, what: str) -> T:
        """The first true answer of holds. Raises AssertionError with what was waited for."""
        with trio.move_on_after(timeout_s):
            while not (found := holds()):
                await self._next.wait()
            return found
        raise AssertionError(f"{what}: not within {timeout_s:g} s")


async def asked(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what only asking tells: the state of a database, or of the daemon. The deadline is the caller's."""
    while not await holds():  # noqa: ASYNC110
        await trio.sleep(LOOK_S)
