"""Every claim of docs/security.md names a test that is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[a-z_/]+\.py)::([a-z_0-9]+)`", PAGE)))
CLAIM = re.compile(r"^\|[^|]+\|[^|]+\|(?P<held>[^|]+)\|$", flags=re.MULTILINE)


@pytest.mark.parametrize(("file", "name"), NAMED, ids=lambda each: each)
def test_the_test_is_there(file: str, name: str) -> None:
    assert re.search(rf"def {name}\(", (ROOT / file).read_text())


def test_what_no_test_holds_says_so() -> None:
    """A dash in the last column, where there is nothing that a test could hold."""
    tables = PAGE[PAGE.index("## Who attacks") :]
    held = [found["held"].strip() for found in CLAIM.finditer(tables)]
    rows = [each for each in held if each not in ("held by", "---")]
    assert len(rows) > 20
    assert all(each == "–" or each.startswith("`tests/") for each in rows)


def test_what_systemd_finds_is_what_the_page_says() -> None:
    """The score, and each directive that is left out."""
    unit = (ROOT / "systemd/pombal.service").read_text()
    for left_out in ("PrivateNetwork", "PrivateUsers", "ProcSubset", "RootDirectory", "IPAddressDeny"):
        assert f"`{left_out}`" in PAGE
        assert not re.search(rf"^{left_out}=", unit, flags=re.MULTILINE)
