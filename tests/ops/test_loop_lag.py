"""How late the loop wakes a task."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pombal.ops.loop_lag import measure_loop_lag


async def test_what_is_measured_is_the_delay_beyond_what_was_asked(mock_clock: MockClock) -> None:
    lags: list[float] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(measure_loop_lag, lags.append, 0.1)
        for passed_s in (0.1, 0.4, 0.1):
            await wait_all_tasks_blocked()
            mock_clock.jump(passed_s)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert lags == pytest.approx([0.0, 0.3, 0.0])
