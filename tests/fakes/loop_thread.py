"""A trio loop in a thread of its own, for tests that are told step by step what happens: hypothesis' state machines."""

import threading
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, TypeVar

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

Inside = TypeVar("Inside")
T = TypeVar("T")
START_TIMEOUT_S = 120.0


class LoopThread(Generic[Inside]):
    """Enters a context and keeps it open; ``do`` runs something inside. Time stands still but for ``pass_time``."""

    def __init__(self, enter: Callable[[], AbstractAsyncContextManager[Inside]]) -> None:
        self._enter = enter
        self._clock = MockClock()
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="loop of a test")
        self._thread.start()
        assert self._ready.wait(START_TIMEOUT_S)
        self.do(trio.lowlevel.checkpoint)

    def _run(self) -> None:
        try:
            trio.run(self._main, clock=self._clock)
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._end = trio.Event()
        async with self._enter() as self.inside:
            self._ready.set()
            await self._end.wait()

    def do(self, work: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """The result, once nothing more happens without time passing."""

        async def settled() -> T:
            result = await work(*arguments)
            await wait_all_tasks_blocked()
            return result

        self._check()
        return trio.from_thread.run(settled, trio_token=self._token)

    def pass_time(self, seconds: float, step_s: float = 1.0) -> None:
        """In steps, so that timers go off one after the other."""

        async def step() -> None:
            self._clock.jump(step_s)

        for _ in range(round(seconds / step_s)):
            self.do(step)

    def close(self) -> None:
        if self._thread.is_alive():
            trio.from_thread.run_sync(self._end.set, trio_token=self._token)
            self._thread.join()
        self._check()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
