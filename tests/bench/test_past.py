"""A past that was copied adds up as one that was lived: percentiles over days and weeks are taken from either."""

import sqlite3
from contextlib import closing
from pathlib import Path

from pombal.bench.past import fill
from pombal.store.rollup_checks import rollups_add_up


def test_latencies_of_minutes_hours_days_and_weeks_say_the_same(tmp_path: Path) -> None:
    fill(tmp_path / "pombal.db", messages=900, sessions=3, days=9)
    with closing(sqlite3.connect(tmp_path / "pombal.db")) as connection:
        assert list(rollups_add_up(connection)) == []
