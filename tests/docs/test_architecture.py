"""docs/architecture.md names files and rooms that there are."""

import re

from tests.docs.pages import PACKAGE, ROOT

TEXT = (ROOT / "docs/architecture.md").read_text()
FILES = set(re.findall(r"\b[a-z_]+(?:/[a-z_]+)+\.py\b", TEXT))
ROOMS = {folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists()}


def test_the_files_that_it_names_exist() -> None:
    assert len(FILES) > 30
    assert sorted(name for name in FILES if not (PACKAGE / name).is_file()) == []


def test_functions_that_it_finds_in_files_are_there() -> None:
    named = re.findall(r"`([a-z_]+)(?:\(\))?` in `([a-z_/]+\.py)`", TEXT)
    assert len(named) >= 5
    assert [(name, file) for name, file in named if f"def {name}(" not in (PACKAGE / file).read_text()] == []


def test_every_room_has_its_row() -> None:
    table = TEXT.partition("## Rooms and walls")[2].partition("\n## ")[0]
    assert {room for room in ROOMS if not re.search(rf"^\| .*`{room}/`", table, flags=re.MULTILINE)} == set()
