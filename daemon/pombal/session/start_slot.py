"""Connecting is bounded over all sessions, so that thousands that start together do not hinder each other."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio


@asynccontextmanager
async def start_slot(starts: trio.Semaphore) -> AsyncIterator[Callable[[], None]]:
    """Wait for a slot; it is given back by the function that comes of it, at the latest when the block ends."""
    await starts.acquire()
    is_held = True

    def give_back() -> None:
        nonlocal is_held
        if is_held:
            is_held = False
            starts.release()

    try:
        yield give_back
    finally:
        give_back()
