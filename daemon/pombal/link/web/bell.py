"""A bell: wakes all who wait for it now."""

import trio


class Bell:
    """Whoever waits looks first whether there is anything to wait for: a ring that nobody hears is forgotten."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event: trio.Event | None = None

    def ring(self) -> None:
        if self._event is not None:
            event, self._event = self._event, None
            event.set()

    async def wait(self) -> None:
        if self._event is None:
            self._event = trio.Event()
        await self._event.wait()
