"""A world of the rooms for every test that asks, with its time jumped."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from trio.testing import MockClock

from tests.fakes.rooms import World, running


@pytest.fixture
async def world(tmp_path: Path, autojump_clock: MockClock) -> AsyncIterator[World]:
    async with running(tmp_path) as built:
        yield built
