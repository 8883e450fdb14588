"""Reading a dump: every row once with its line, whatever stands between, and the good rows beside the broken ones."""

import bz2
import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pombal.store.django import dump as module
from pombal.store.django.dump import BrokenRow, Dump, DumpRow
from tests.store.django.dumps import message, session, written


def read(path: Path) -> list[DumpRow | BrokenRow]:
    with Dump(path) as dump:
        rows = list(dump.rows())
        assert 0 <= dump.read_bytes <= dump.size_bytes
    return rows


def values(path: Path) -> list[Any]:
    return [row.value if isinstance(row, DumpRow) else "broken" for row in read(path)]


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that rows lie across them."""
    monkeypatch.setattr(module, "CHUNK_CHARACTERS", 7)


@pytest.mark.parametrize("indent", [None, 0, 2])
def test_each_row_with_its_line(tmp_path: Path, small_chunks: None, indent: int | None) -> None:
    rows = [session(), message(1, text_content=']},{\n"\\ {'), message(2)]
    found = read(written(tmp_path / "d.json", *rows, indent=indent))
    assert [row.value for row in found if isinstance(row, DumpRow)] == rows
    lines = (tmp_path / "d.json").read_text().splitlines()
    assert all("{" in lines[row.line - 1] for row in found)
    assert [row.line for row in found] == ([1, 2, 3] if indent is None else [row.line for row in found])


def test_a_row_a_line(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in (session(), message())))
    assert [(row.line, type(row)) for row in read(tmp_path / "d.jsonl")] == [(1, DumpRow), (2, DumpRow)]


@pytest.mark.parametrize(
    ("suffix", "zipped"),
    [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress), (".lzma", lzma.compress)],
)
def test_compressed_as_django_does_it(tmp_path: Path, suffix: str, zipped: Any) -> None:
    path = tmp_path / f"d.json{suffix}"
    path.write_bytes(zipped(json.dumps([message(text_content="Olá")], ensure_ascii=False).encode()))
    assert values(path) == [message(text_content="Olá")]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_as_windows_writes_it(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "d.json").write_text(json.dumps([message(text_content="Olá")], ensure_ascii=False), encoding=encoding)
    assert values(tmp_path / "d.json") == [message(text_content="Olá")]


def test_bytes_that_are_no_utf_8_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_bytes(b'[{"model": "a", "pk": "\xff"}]')
    assert values(tmp_path / "d.json") == [{"model": "a", "pk": "\ufffd"}]


@pytest.mark.parametrize(
    "broken",
    [
        '{"model": "m", "pk": }',
        '{"model": "m", "pk": 1, "fields": {"text": "cut',
        '{"model": "m" "pk": 1}',
        '{"model": "m", "pk": 1, "fields": {}',
        "nonsense",
        '"a string"',
        "17",
        "}",
    ],
)
def test_a_broken_row_leaves_the_others(tmp_path: Path, broken: str) -> None:
    for ending in ("]", ""):
        text = ",\n".join([json.dumps(session()), broken, json.dumps(message(1)), json.dumps(message(2))])
        (tmp_path / "d.json").write_text(f"[{text}{ending}")
        found = read(tmp_path / "d.json")
        assert [row.value for row in found if isinstance(row, DumpRow)] == [session(), message(1), message(2)]
        assert [row.line for row in found if isinstance(row, BrokenRow)] == [2]


def test_a_file_that_was_cut(tmp_path: Path) -> None:
    whole = json.dumps([session(), message()])
    (tmp_path / "d.json").write_text(whole[:-10])
    assert values(tmp_path / "d.json") == [session(), "broken"]


def test_nested_without_end(tmp_path: Path) -> None:
    deep = '{"model": "m", "pk": ' + "[" * 200_000 + "]" * 200_000 + "}"
    (tmp_path / "d.json").write_text(f"[{deep},\n{json.dumps(message())}]")
    assert values(tmp_path / "d.json") == ["broken", message()]


def test_a_row_that_never_ends_is_not_held_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_CHARACTERS", 1000)
    monkeypatch.setattr(module, "ROW_MAX_CHARACTERS", 5000)
    text = '[{"model": "m", "pk": "' + "x" * 100_000 + '"},' + json.dumps(message()) + "]"
    (tmp_path / "d.json").write_text(text)
    with Dump(tmp_path / "d.json") as dump:
        found = []
        for row in dump.rows():
            found.append(row)
            assert len(dump._buffer) < 15_000
    assert [type(row) for row in found] == [BrokenRow, DumpRow]


@pytest.mark.parametrize("content", ["", "[]", " \n[\n]\n", "\ufeff[]"])
def test_an_empty_one(tmp_path: Path, content: str) -> None:
    (tmp_path / "d.json").write_text(content)
    assert read(tmp_path / "d.json") == []


def test_a_damaged_archive_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "d.json.gz").write_bytes(gzip.compress(b"[" + b" " * 10_000 + b"]")[:-9])
    with pytest.raises(EOFError):
        read(tmp_path / "d.json.gz")


json_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    rows=st.lists(st.dictionaries(st.text(), json_values, max_size=4), max_size=8),
    indent=st.sampled_from([None, 1]),
    is_ascii=st.booleans(),
    chunk=st.integers(1, 40),
)
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], indent: int | None, is_ascii: bool, chunk: int
) -> None:
    path = tmp_path_factory.mktemp("dump") / "d.json"
    text = json.dumps(rows, indent=indent, ensure_ascii=is_ascii)
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "CHUNK_CHARACTERS", chunk)
        found = values(path)
    if is_ascii:
        assert found == rows
    else:  # a lone surrogate is no UTF-8
        assert len(found) == len(rows)


@given(content=st.binary(max_size=300) | st.text(alphabet='{}[]",:\\ \nmodelpk1', max_size=300).map(str.encode))
def test_no_file_is_too_strange(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("dump") / "d.json"
    path.write_bytes(content)
    assert all(row.line >= 1 for row in read(path))
