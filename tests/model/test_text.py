"""What may be stored, what may be sent, and what a person takes for the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from pombal.model.errors import Kind, PombalError
from pombal.model.text import TEXT_MAX_CHARACTERS, fold, sendable, storable

anything = st.text(st.characters(codec=None, exclude_categories=()))


@given(anything)
def test_storable_text_survives_json_and_changes_nothing_else(text: str) -> None:
    stored = storable(text)
    assert from_json(to_json(stored)) == stored
    assert "\0" not in stored
    assert len(stored) == len(text)
    assert all(kept == given or kept == "\ufffd" for kept, given in zip(stored, text, strict=True))
    assert storable(stored) == stored


@given(anything.filter(lambda text: "\0" not in text))
def test_what_is_sent_is_storable(text: str) -> None:
    assert sendable(text) == storable(text)


@pytest.mark.parametrize(("text", "kind"), [("a\0b", Kind.INVALID), ("x" * (TEXT_MAX_CHARACTERS + 1), Kind.TOO_LARGE)])
def test_what_cannot_be_sent_is_refused(text: str, kind: Kind) -> None:
    with pytest.raises(PombalError) as caught:
        sendable(text)
    assert caught.value.kind == kind
    assert text[:50] not in caught.value.message


def test_the_longest_text_is_sent_as_it_is() -> None:
    assert sendable("é" * TEXT_MAX_CHARACTERS) == "é" * TEXT_MAX_CHARACTERS


@pytest.mark.parametrize("text", ["São", "SAO", "sa\u0303o", "ＳＡＯ"])
def test_fold(text: str) -> None:
    assert fold(text) == "sao"
