"""docs/simulator.md tells of every setting, fault and durable column of the simulated network."""

import re
from contextlib import closing
from pathlib import Path

from pombal.config.settings import SimulatorSessionSettings
from pombal.link.simulator.faults import FAULTS
from pombal.link.simulator.ledger import open_ledger
from tests.docs.pages import ROOT

TEXT = (ROOT / "docs/simulator.md").read_text()


def first_column(heading: str) -> list[str]:
    """The names in the first column of the table under a heading."""
    section = TEXT.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.+?) \|", section, flags=re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


def test_every_setting_and_no_other() -> None:
    assert sorted(first_column("Settings")) == sorted(SimulatorSessionSettings.model_fields)


def test_every_fault_and_no_other() -> None:
    assert sorted(first_column("Faults")) == sorted(FAULTS)


def test_every_durable_table_and_column(tmp_path: Path) -> None:
    with closing(open_ledger(tmp_path / "simulator.db")) as ledger:
        tables = [name for (name,) in ledger.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {table: {row[1] for row in ledger.execute(f"PRAGMA table_info({table})")} for table in tables}
    assert sorted(first_column("Durable")) == sorted(tables)
    for table in tables:
        row = re.search(rf"^\| `{table}` \|.*\| (.+) \|$", TEXT, flags=re.MULTILINE)
        assert row is not None
        assert set(re.findall(r"`(\w+)`", row[1])) == columns[table]
