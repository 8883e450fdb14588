"""ISO 8601 outside, milliseconds inside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pombal.model.errors import Kind, PombalError
from pombal.model.times import LATEST_MS, iso, parse_time

NOW = 1_700_000_000_123


@given(st.integers(0, LATEST_MS))
def test_round_trip(at_ms: int) -> None:
    assert parse_time(iso(at_ms), NOW) == at_ms


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_stored_integer_can_be_shown(at_ms: int) -> None:
    """A far-off `status_until` from a link, or the end of a widened range, must not break whole lists."""
    shown = iso(at_ms)
    assert len(shown) == 24
    assert parse_time(shown, NOW) == min(max(0, at_ms), LATEST_MS)


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("15m", NOW - 900_000),
        (" 2h ", NOW - 7_200_000),
        ("7d", NOW - 604_800_000),
        ("1w", NOW - 604_800_000),
        ("250ms", NOW - 250),
        ("999999999w", 0),
        ("2023-11-14T22:13:20.123Z", NOW),
        ("2023-11-14T22:13:20.123", NOW),
        ("2023-11-14T19:13:20.123-03:00", NOW),
        ("2023-11-14T22:13:20.123999Z", NOW),
        ("1969-12-31", 0),
        ("9999-12-31T23:59:59.999-14:00", LATEST_MS),
    ],
)
def test_times_and_ages(text: str, at_ms: int) -> None:
    assert parse_time(text, NOW) == at_ms


@pytest.mark.parametrize("text", ["", "yesterday", "-5m", "1.5h", "5 m", "10000-01-01", "2023-13-01", "m", "\0"])
def test_what_is_no_time_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(PombalError, match="use ISO 8601") as caught:
        parse_time(text, NOW)
    assert caught.value.kind == Kind.INVALID
