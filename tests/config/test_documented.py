"""`config.toml`, docs/configuration.md and the built-in defaults say the same."""

import re
from pathlib import Path

import pytest
import tomli

from pombal.config.keys import all_keys, by_key
from pombal.config.load import load
from pombal.config.reload import is_live
from pombal.config.settings import Settings

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config.toml"
DEFAULTS = by_key(Settings())
ROW = re.compile(
    r"\| `(?P<key>[a-z]+\.[a-z_]+)` \| (?P<default>[^|]+) \| (?P<unit>[^|]+) "
    r"\| (?P<meaning>[^|]+) \| (?P<reload>yes|no) \|"
)
ROWS = {row["key"]: row for row in ROW.finditer((ROOT / "docs/configuration.md").read_text())}


def _section_texts() -> dict[str, str]:
    parts = re.split(r"^\[([a-z]+)\]$", CONFIG.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_file_is_valid_and_changes_nothing() -> None:
    assert load(CONFIG) == Settings()


def test_the_file_holds_every_key_in_order_and_no_other() -> None:
    keys = [
        f"{section}.{name}"
        for section, text in _section_texts().items()
        for name in re.findall(r"^#?([a-z_]+) = ", text, flags=re.MULTILINE)
    ]
    assert keys == all_keys()


def test_what_has_no_default_is_commented_out_with_an_example_that_is_valid(tmp_path: Path) -> None:
    text = CONFIG.read_text()
    unset = [key for key, value in DEFAULTS.items() if value is None]
    commented = re.findall(r"^#([a-z_]+) = ", text, flags=re.MULTILINE)
    assert commented == [key.partition(".")[2] for key in unset]
    path = tmp_path / "config.toml"
    path.touch(0o600)  # the example of a proxy has a password in it
    path.write_text(re.sub(r"^#([a-z_]+ = )", r"\1", text, flags=re.MULTILINE))
    given = by_key(load(path))
    assert all(given[key] is not None for key in unset)


def test_each_key_of_the_file_has_its_value_and_a_comment() -> None:
    written = tomli.loads(CONFIG.read_text())
    for section, text in _section_texts().items():
        for comment, name in re.findall(r"((?:^# .*\n)*)^#?([a-z_]+) = ", text, flags=re.MULTILINE):
            key = f"{section}.{name}"
            assert comment, f"{key} has no comment"
            assert written[section].get(name) == DEFAULTS[key]


def test_the_page_has_a_row_for_every_key_in_order_and_no_other() -> None:
    assert list(ROWS) == all_keys()


@pytest.mark.parametrize("key", all_keys())
def test_the_row_says_the_default_and_whether_a_reload_is_enough(key: str) -> None:
    row = ROWS[key]
    value = DEFAULTS[key]
    if value is None:
        assert row["default"] == "unset"
    else:
        assert tomli.loads(f"value = {row['default'].strip('`')}")["value"] == value
    assert row["unit"].strip()
    assert len(row["meaning"]) > 15
    assert row["reload"] == ("yes" if is_live(key) else "no")
