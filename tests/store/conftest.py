"""A database in a file of its own for every test that asks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.building import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    built = Store(tmp_path / "pombal.db")
    yield built
    built.close()
