"""What drives the simulated network: one task that carries out all timers, and WhatsApp's own clock."""

import math

import trio

from pombal.link.simulator.schedule import Action, Schedule, Timer
from pombal.model.clock import Clock


class Engine:
    """The network's time. Timers go by trio's clock; stamps come from a clock that no step of the host's moves."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.started = clock()
        self.wakeups = 0
        self._schedule = Schedule()
        self._sleeps_until_s = -math.inf
        self._sooner = trio.Event()

    @property
    def whatsapp_ms(self) -> int:
        """What time WhatsApp thinks it is: the wall clock when the network started, and a monotonic clock since."""
        return self.started.offset_ms + self.clock().mono_ms

    @property
    def whatsapp_s(self) -> int:
        """As WhatsApp stamps messages: whole seconds."""
        return self.whatsapp_ms // 1000

    @property
    def timers(self) -> int:
        return len(self._schedule)

    def after_ms(self, delay_ms: float, action: Action) -> Timer:
        """Have action called by the network's task, delay_ms from now."""
        timer = self._schedule.add(trio.current_time(), delay_ms / 1000, action)
        if timer.at_s < self._sleeps_until_s:
            self._sooner.set()
        return timer

    async def run(self) -> None:
        """Carry out timers, for ever."""
        while True:
            for timer in self._schedule.take_due(trio.current_time()):
                action, timer.action = timer.action, None
                if action is not None:
                    action()
            await self._sleep()

    async def _sleep(self) -> None:
        self._sooner = trio.Event()
        self._sleeps_until_s = self._schedule.next_at_s
        with trio.move_on_at(self._sleeps_until_s):
            await self._sooner.wait()
        self._sleeps_until_s = -math.inf
        self.wakeups += 1
