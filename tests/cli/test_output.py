"""How results look: units, states, and text of strangers."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pombal.cli import output
from pombal.cli.columns import Columns


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, None),
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (7500, "2 h 5 min"),
        (180_000, "2 d 2 h"),
    ],
)
def test_durations(seconds: float | None, shown: str | None) -> None:
    assert output.duration(seconds) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (0, "0 ms"),
        (83.4, "83 ms"),
        (999, "999 ms"),
        (1234, "1.23 s"),
        (59_994, "59.99 s"),
        (61_000, "1 min"),
    ],
)
def test_milliseconds(value: float | None, shown: str | None) -> None:
    assert output.milliseconds(value) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(None, None), (0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**40, "1.0 TiB"), (2**60, "1048576.0 TiB")],
)
def test_sizes(count: int | None, shown: str | None) -> None:
    assert output.size(count) == shown


def test_moments_can_be_given_back_to_since() -> None:
    from pombal.model.times import parse_time

    shown = output.moment("2027-01-15T08:00:00.123Z")
    assert shown == "2027-01-15 08:00:00Z"
    assert parse_time(shown, 0) == 1_800_000_000_000


def test_ago() -> None:
    now = datetime(2027, 1, 15, 8, 3, tzinfo=UTC)
    assert output.ago("2027-01-15T08:00:00.000Z", now) == "3 min"
    assert output.ago("2027-01-15T09:00:00.000Z", now) == "0 s"
    assert output.ago(None) is None


@given(st.text())
def test_no_text_of_a_stranger_reaches_the_terminal_as_a_command(text: str) -> None:
    shown = output.one_line(text)
    assert all(ord(char) >= 0x20 and not 0x7F <= ord(char) <= 0x9F for char in shown)
    assert not set(shown) & set("\u202e\u2066\u2028")
    shown.encode()


def test_line_breaks_stay_visible() -> None:
    assert output.one_line("a\r\nb\nc") == "a ⏎ b ⏎ c"
    assert output.harmless("a\nb\tc") == "a\nb c"


def test_a_pipe_gets_whole_rows_without_colours_or_trailing_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 500
    output.show(
        Columns(["name", "state", "n>", "text~"], [["a", output.state("ready"), "7", long], ["bb", None, "10", ""]])
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "NAME  STATE   N  TEXT"
    assert lines[1] == f"a     ready   7  {long}"
    assert lines[2] == "bb    –      10"


def test_json_is_ascii_where_the_terminal_cannot_take_more(monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import sys

    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="latin-1"))
    output.print_json({"text": "→"})
    assert raw.getvalue() == b'{"text": "\\u2192"}\n'


def test_a_narrow_terminal_loses_optional_columns_from_the_right_then_what_may_be_cut() -> None:
    table = Columns(["name", "kind?", "up>?", "text~"], [["suporte", "session", "1 min", "a long remark about it all"]])
    shown = {}
    for width in (60, 46, 32, 22):
        target = output.console()
        target.width = width
        with target.capture() as capture:
            target.print(table)
        shown[width] = [line.rstrip() for line in capture.get().splitlines()]
    assert shown[60] == ["NAME     KIND        UP  TEXT", "suporte  session  1 min  a long remark about it all"]
    assert shown[46] == ["NAME     KIND        UP  TEXT", "suporte  session  1 min  a long remark about …"]
    assert shown[32] == ["NAME     KIND     TEXT", "suporte  session  a long remark…"]
    assert shown[22] == ["NAME     TEXT", "suporte  a long remar…"]
