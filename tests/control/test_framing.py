import pytest
from hypothesis import given
from hypothesis import strategies as st

from pombal.control.framing import REQUEST_MAX_BYTES, FrameTooLong, LineReader

LINE = st.binary(min_size=1, max_size=40).map(lambda raw: raw.replace(b"\n", b"x").rstrip(b"\r") or b"x")


@st.composite
def split_lines(draw: st.DrawFn) -> tuple[list[bytes], list[bytes]]:
    """Lines, and the bytes of them cut anywhere."""
    lines = draw(st.lists(LINE, max_size=20))
    ends = draw(st.lists(st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\r\n\r\n"]), min_size=20, max_size=20))
    data = b"".join(line + end for line, end in zip(lines, ends, strict=False))
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=30)))
    return lines, [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@given(split_lines())
def test_lines_come_out_whole_however_the_bytes_come_in(given_lines: tuple[list[bytes], list[bytes]]) -> None:
    lines, pieces = given_lines
    reader = LineReader()
    found = []
    for piece in pieces:
        reader.receive_data(piece)
        found += list(reader.lines())
    assert found == lines


def test_a_thousand_lines_in_one_write() -> None:
    reader = LineReader()
    reader.receive_data(b"".join(b"%d\n" % number for number in range(1000)))
    assert list(reader.lines()) == [b"%d" % number for number in range(1000)]


def test_half_a_line_is_no_line() -> None:
    reader = LineReader()
    reader.receive_data(b'{"a": 1}\n{"b":')
    assert list(reader.lines()) == [b'{"a": 1}']
    assert list(reader.lines()) == []


def test_a_line_of_exactly_the_limit_passes() -> None:
    reader = LineReader()
    reader.receive_data(b"x" * REQUEST_MAX_BYTES + b"\r\n")
    assert [len(line) for line in reader.lines()] == [REQUEST_MAX_BYTES]


@pytest.mark.parametrize("end", [b"\n", b""], ids=["ended", "still going on"])
def test_a_longer_line_is_refused_after_those_before_it(end: bytes) -> None:
    reader = LineReader(max_bytes=10)
    reader.receive_data(b"a\nb\n" + b"x" * 12 + end)
    lines = reader.lines()
    assert [next(lines), next(lines)] == [b"a", b"b"]
    with pytest.raises(FrameTooLong, match="longer than 10 bytes"):
        next(lines)
