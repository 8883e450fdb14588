"""A state directory for every test that asks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.care.state import State


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    built = State(tmp_path / "state")
    yield built
    built.store.close()
