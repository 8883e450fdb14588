"""A world on the simulator, with its time jumped."""

from collections.abc import AsyncIterator, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from trio.testing import MockClock

from tests.fakes.rooms import World
from tests.service.world import simulated


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """What was logged."""
    with capture_logs() as captured:
        yield captured


@pytest.fixture
async def world(tmp_path: Path, autojump_clock: MockClock) -> AsyncIterator[World]:
    async with simulated(tmp_path) as built:
        yield built
