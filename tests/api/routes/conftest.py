"""A platform with the simulator beneath, with its time jumped."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from trio.testing import MockClock

from tests.api.client import Http, Platform, platform


@pytest.fixture
async def dx(tmp_path: Path, autojump_clock: MockClock) -> AsyncIterator[Platform]:
    async with platform(tmp_path) as made:
        yield made


@pytest.fixture
def ana(dx: Platform) -> Http:
    return dx.client("ana")


@pytest.fixture
def bia(dx: Platform) -> Http:
    return dx.client("bia")
