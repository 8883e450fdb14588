"""Numbers, durations and times as people write them."""

from datetime import UTC, datetime

import pytest

from pombal.dashboard.formats import Formats, zone_of
from pombal.dashboard.words import words_of

NOW_MS = int(datetime(2026, 11, 28, 17, 5, 9, 123000, UTC).timestamp() * 1000)
EN, PT = (Formats(words_of(language), UTC, NOW_MS) for language in ("en", "pt-BR"))
HOUR_MS = 3_600_000


def plain(text: str) -> str:
    return text.replace("\u202f", " ")


def test_numbers_are_grouped_as_the_language_does() -> None:
    assert (EN.number(12345.6, 1), PT.number(12345.6, 1), EN.number(None)) == ("12,345.6", "12.345,6", "–")


@pytest.mark.parametrize(
    ("rate", "shown"), [(1.0, "100 %"), (0.99999, "99.9 %"), (0.00001, "0.1 %"), (0.0, "0 %"), (None, "–")]
)
def test_a_percentage_is_never_all_where_it_is_not(rate: float | None, shown: str) -> None:
    assert plain(EN.percent(rate)) == shown


@pytest.mark.parametrize(
    ("value_ms", "shown"),
    [
        (0, "0 ms"),
        (0.04, "<0.1 ms"),
        (0.46, "0.5 ms"),
        (3.0, "3 ms"),
        (9.97, "10 ms"),
        (340.4, "340 ms"),
        (1234, "1.23 s"),
        (5000, "5 s"),
        (12_345, "12.3 s"),
        (90_000, "1 min 30 s"),
        (None, "–"),
    ],
)
def test_milliseconds(value_ms: float | None, shown: str) -> None:
    assert plain(EN.milliseconds(value_ms)) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (200, "3 min 20 s"),
        (7200, "2 h"),
        (7500, "2 h 5 min"),
        (367_200, "4 d 6 h"),
        (None, "–"),
    ],
)
def test_durations(seconds: float | None, shown: str) -> None:
    assert plain(EN.duration(seconds)) == shown


@pytest.mark.parametrize(("size", "shown"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (52_613_349_376, "52.6 GB")])
def test_sizes(size: int, shown: str) -> None:
    assert plain(EN.bytes(size)) == shown


def test_times_are_as_short_as_they_can_be() -> None:
    assert EN.moment(NOW_MS) == "17:05:09"
    assert EN.moment(NOW_MS - 30 * HOUR_MS) == "Yesterday, 11:05"
    assert PT.moment(NOW_MS - 100 * HOUR_MS) == "24 de novembro, 13:05"
    assert EN.day(NOW_MS - 400 * 24 * HOUR_MS) == "24 October 2025"
    assert PT.clock_ms(NOW_MS) == "17:05:09,123"
    assert plain(EN.age(NOW_MS - 3 * HOUR_MS - 60_000)) == "3 h ago"
    assert plain(PT.age(NOW_MS - 500)) == "agora"


def test_a_time_element_says_the_whole_of_it() -> None:
    shown = str(EN.stamp(NOW_MS, "age"))
    assert shown == '<time datetime="2026-11-28T17:05:09.123Z" title="2026-11-28 17:05:09 UTC">now</time>'
    assert EN.stamp(None) == "–"


def test_the_zone_is_the_browsers_where_it_is_one() -> None:
    shown = Formats(words_of("en"), zone_of("America/Sao_Paulo"), NOW_MS).clock(NOW_MS)
    assert shown in ("14:05:09", "17:05:09")  # the second where the system has no time zones
    for name in ("Nowhere/Land", "../../etc/passwd", "/etc/localtime", "é", "x" * 100, "", None):
        assert zone_of(name) is UTC
