"""docs/dependencies.md lists every dependency of pyproject.toml, with its range and a reason, and no other."""

import re

import pytest
import tomli

from tests.docs.pages import ROOT

PROJECT = tomli.loads((ROOT / "pyproject.toml").read_text())["project"]
TEXT = (ROOT / "docs/dependencies.md").read_text()
ROWS = {
    name: (range_, reason)
    for name, range_, reason in re.findall(r"^\| `([^`]+)` \| (.*?) \| (.*?) \|", TEXT, flags=re.MULTILINE)
}
GIVEN = [*PROJECT["dependencies"], *(each for group in PROJECT["optional-dependencies"].values() for each in group)]
DEPENDENCIES = {re.split(r"[<>=!~]", given)[0]: given for given in GIVEN}


def test_every_dependency_is_listed_and_no_other() -> None:
    assert set(ROWS) == set(DEPENDENCIES)


@pytest.mark.parametrize("name", DEPENDENCIES)
def test_its_range_is_the_one_that_holds_and_it_has_a_reason(name: str) -> None:
    range_, reason = ROWS[name]
    assert range_.strip("`–") == DEPENDENCIES[name].removeprefix(name)
    assert len(reason) > 5
