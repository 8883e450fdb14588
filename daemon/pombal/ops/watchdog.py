"""Feeding systemd's watchdog: a sign of life as long as there is life.

That the loop turns needs no check: a loop that stands still feeds nothing. The caller's is_healthy adds what the loop
cannot see, above all a writer thread that does not come back.
"""

from collections.abc import Callable

import structlog
import trio

log = structlog.get_logger()


async def feed_watchdog(feed: Callable[[], None], interval_s: float, is_healthy: Callable[[], bool]) -> None:
    """Call feed at half the interval, as sd_watchdog_enabled(3) advises, while is_healthy() says yes. Never returns."""
    was_healthy = True
    while True:
        healthy = is_healthy()
        if healthy:
            feed()
        if was_healthy and not healthy:
            log.error("watchdog no longer fed", restart_in_s=interval_s)
        elif healthy and not was_healthy:
            log.info("watchdog fed again")
        was_healthy = healthy
        await trio.sleep(interval_s / 2)
