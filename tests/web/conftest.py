"""A fake WhatsApp network, and a home for daemons that meet it; the marker that they need neonize's library."""

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.daemon.harness import Settings
from tests.fakes.whatsapp_driver import FakeWhatsApp, fake_whatsapp
from tests.web.world import World


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A path short enough for a Unix socket."""
    with tempfile.TemporaryDirectory(prefix="pombal-") as directory:
        yield Path(directory)


@pytest.fixture
async def fake(short_path: Path) -> AsyncIterator[FakeWhatsApp]:
    async with fake_whatsapp(short_path / "fake") as running:
        yield running


@pytest.fixture
def world_with(short_path: Path, fake: FakeWhatsApp) -> Callable[[Settings], World]:
    return lambda settings: World(short_path, fake, settings)


@pytest.fixture
def world(short_path: Path, fake: FakeWhatsApp) -> World:
    return World(short_path, fake, {})
