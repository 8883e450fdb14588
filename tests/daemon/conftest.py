"""A home for a daemon, in a directory with a path short enough for a Unix socket."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.daemon.harness import Home, Settings


@pytest.fixture
def short_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pombal-") as directory:
        yield Path(directory)


@pytest.fixture
def home(short_path: Path) -> Home:
    """Where the simulator is on and quick."""
    return Home(short_path)


@pytest.fixture
def home_with(short_path: Path) -> Callable[[Settings], Home]:
    """The same, with these settings."""
    return lambda settings: Home(short_path, settings)
