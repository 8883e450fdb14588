"""SQLite's statistics of memory are off in a process that switches them off in time; too late is no harm."""

import subprocess
import sys

import pytest

# After what `pombal serve` imports before.
TOLD = """
import sys
import pombal.cli.main, pombal.config.load
from pombal.store.sqlite_library import SET, keep_no_memory_statistics
assert "_sqlite3" not in sys.modules
first = keep_no_memory_statistics()
import sqlite3
sqlite3.connect(":memory:").execute("CREATE TABLE birds (name)")
again = keep_no_memory_statistics()
print("none" if first is None else first == SET and again != SET)
"""


def test_it_is_set_before_the_first_database_and_refused_afterwards() -> None:
    run = subprocess.run([sys.executable, "-c", TOLD], capture_output=True, text=True, check=True)
    if run.stdout.strip() == "none":
        pytest.skip("this Python's SQLite hides its functions")
    assert run.stdout.strip() == "True"
