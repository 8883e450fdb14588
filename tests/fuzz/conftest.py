"""A home for a daemon, in memory: what is tried here is how it takes what it is told, and not what a disk takes."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.harness import Home

MEMORY = Path("/dev/shm")


@pytest.fixture
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="pombal-", dir=MEMORY if MEMORY.is_dir() else None) as directory:
        yield Home(Path(directory))
