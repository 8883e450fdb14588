"""How late the trio loop wakes its tasks: what every session feels when one piece of code holds the loop."""

from collections.abc import Callable

import trio

# A hold of the loop that is longer than this is always seen; a shorter one, now and then.
INTERVAL_S = 0.1


async def measure_loop_lag(observe: Callable[[float], None], interval_s: float = INTERVAL_S) -> None:
    """Sleep a short interval, again and again, and hand over how many seconds too late it ended. Never returns."""
    while True:
        due = trio.current_time() + interval_s
        await trio.sleep_until(due)
        observe(max(0.0, trio.current_time() - due))
