"""The service manager: starts the daemon, and again whenever it has ended; kills one whose watchdog is not fed."""

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property

import trio

from tests.daemon.harness import Home, Running
from tests.faults.changes import Changes

RESTART_S = 0.1
WATCHDOG_S = 2.0
START_S = 60.0


class Life:
    """One life of the daemon. code: with which it ended, negative for a signal; None while it runs.

    was_bitten: by the watchdog, at which Python writes down where its threads were.
    """

    def __init__(self, running: Running, number: int) -> None:
        self.running = running
        self.number = number
        self.is_ready = False
        self.code: int | None = None
        self.may_end = False
        self.was_bitten = False
        self.fed_at_s = trio.current_time()

    @cached_property
    def url(self) -> str:
        return self.running.url


class Keeper:
    """``lives[-1]`` is the present one."""

    def __init__(self, home: Home, environ: Mapping[str, str]) -> None:
        self.lives: list[Life] = []
        self._home = home
        self._environ = {**environ, "WATCHDOG_USEC": str(int(WATCHDOG_S * 1_000_000))}
        self._changes = Changes()
        self._is_held = False
        self._guarded: Life | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._changes.until(lambda: not self._is_held, START_S, "the keeper to be let go")
            async with self._home.process(env=dict(self._environ)) as running:
                life = Life(running, len(self.lives))
                self.lives.append(life)
                await self._live(life)
            self._changes.tell()
            await trio.sleep(RESTART_S)

    async def _live(self, life: Life) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hear, life)
            nursery.start_soon(self._guard, life)
            life.code = await life.running.process.wait()
            nursery.cancel_scope.cancel()

    async def _hear(self, life: Life) -> None:
        while True:
            told = await life.running.notify.hear()
            if "WATCHDOG" in told:
                life.fed_at_s = trio.current_time()
            if "READY" in told:
                life.is_ready = True
            self._changes.tell()

    async def _guard(self, life: Life) -> None:
        """As systemd does: SIGABRT when the watchdog was not fed in time, and SIGKILL where that does not help."""
        while True:
            await self._changes.until(lambda: self._guarded is life, float("inf"), "")
            if (left_s := life.fed_at_s + WATCHDOG_S - trio.current_time()) > 0:
                await trio.sleep(left_s)
                continue
            life.running.signal(signal.SIGABRT)
            await trio.sleep(0.5)
            life.running.process.kill()
            await trio.sleep_forever()

    # For faults

    async def ready(self) -> Life:
        """The present life, once it is up."""

        def up() -> Life | None:
            life = self.lives[-1] if self.lives else None
            return life if life is not None and life.is_ready and life.code is None and not life.may_end else None

        try:
            return await self._changes.until(up, START_S, "the daemon is up again")
        except AssertionError as error:
            raise AssertionError(f"{error}:\n{self.lives[-1].running.output[-4000:]}") from None

    async def end(self, number: signal.Signals) -> int:
        """End the present life, with the code that it ends with."""
        life = self.lives[-1]
        life.may_end = True
        life.running.signal(number)
        return await self.ended(life)

    async def ended(self, life: Life) -> int:
        life.may_end = True
        with trio.fail_after(START_S):
            return await life.running.process.wait()

    @contextmanager
    def held(self) -> Iterator[None]:
        """What ends in this block is not started again before its end."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
            self._changes.tell()

    async def bitten(self, life: Life) -> int:
        """Let the watchdog bite, and wait until it has."""
        life.may_end = life.was_bitten = True
        life.fed_at_s = trio.current_time()
        self._guarded = life
        self._changes.tell()
        return await self.ended(life)

    def unexpected(self) -> list[str]:
        """Lives that ended by themselves."""
        return [
            f"life {life.number} of the daemon ended with {life.code}:\n{life.running.output[-4000:]}"
            for life in self.lives
            if life.code is not None and not life.may_end
        ]
