"""Whatever a file holds, it is read or refused with reasons; nothing else ever comes out."""

import string
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import settings as run_with
from hypothesis import strategies as st
from pydantic import ValidationError

from pombal.config.errors import ConfigError
from pombal.config.keys import all_keys, sections
from pombal.config.load import parse
from pombal.config.problems import problems_of
from pombal.config.settings import Settings

FILE = Path("config.toml")
NAMES = sorted({key.partition(".")[2] for key in all_keys()} | {"median", "p99"})
WORDS = st.one_of(st.sampled_from(NAMES), st.text(string.printable, max_size=12))
SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.dates(),
    st.datetimes(),
    st.times(),
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3))
TABLES = st.one_of(VALUES, st.dictionaries(WORDS, VALUES, max_size=5))
DATA = st.dictionaries(st.one_of(st.sampled_from(sorted(sections())), WORDS), TABLES, max_size=4)


# How long it takes to make the data says something of the machine, and nothing of what is tested.
@run_with(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(DATA)
def test_any_data(data: dict[str, Any]) -> None:
    said = []
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        settings, said = None, problems_of(error, data)
    assert (settings is None) == bool(said)
    assert all(": " in line and len(line) < 600 for line in said)


@given(
    st.one_of(
        st.text(), st.lists(st.sampled_from(["[outbox]\n", "window = ", "3", '"', "[", "]", "{", "\n"])).map("".join)
    )
)
def test_any_text(text: str) -> None:
    said: tuple[str, ...] = ()
    try:
        settings = parse(text, FILE)
    except ConfigError as error:
        settings, said = None, error.problems
    assert (settings is None) == bool(said)
