"""The watchdog is fed while there is life, and only then."""

import structlog
import trio
from trio.testing import MockClock

from pombal.ops.watchdog import feed_watchdog

INTERVAL_S = 30.0


async def test_it_is_fed_twice_an_interval(autojump_clock: MockClock) -> None:
    fed: list[float] = []
    start = trio.current_time()
    with trio.move_on_after(INTERVAL_S + 1):
        await feed_watchdog(lambda: fed.append(trio.current_time() - start), INTERVAL_S, lambda: True)
    assert fed == [0, 15, 30]


async def test_a_hung_writer_starves_it_and_is_told_once(autojump_clock: MockClock) -> None:
    fed: list[float] = []
    start = trio.current_time()

    def is_healthy() -> bool:
        return not 20 < trio.current_time() - start < 80

    with structlog.testing.capture_logs() as logs, trio.move_on_after(100):
        await feed_watchdog(lambda: fed.append(trio.current_time() - start), INTERVAL_S, is_healthy)
    assert fed == [0, 15, 90]
    assert [(each["log_level"], each["event"]) for each in logs] == [
        ("error", "watchdog no longer fed"),
        ("info", "watchdog fed again"),
    ]
