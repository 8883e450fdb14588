"""The README opens with what Pombal is and with the two commands that everyone needs."""

import pytest

from tests.docs.pages import ROOT

README = (ROOT / "README.md").read_text()
OPENING = README.partition("\n## ")[0]


@pytest.mark.parametrize(
    "command",
    [
        "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/pombal serve --demo",
        "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest",
    ],
)
def test_the_two_commands_stand_on_lines_of_their_own_before_everything_else(command: str) -> None:
    assert command in OPENING.splitlines()


def test_it_says_what_pombal_is_in_three_sentences() -> None:
    title, what, *_ = README.split("\n\n")
    assert title == "# Pombal"
    assert what.replace("\n", " ").count(". ") + 1 == 3


def test_it_leads_to_the_index_of_all_pages() -> None:
    assert "(docs/README.md)" in README
