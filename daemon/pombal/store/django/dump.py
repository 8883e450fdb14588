"""Reading what `manage.py dumpdata` wrote, row by row: a dump may be larger than memory, and damaged in places.

A list of objects, or an object a line (`--format jsonl`); plain, or compressed as Django does it by the file's name.
A row that cannot be read is told as such, and reading goes on with the next.
"""

import bz2
import gzip
import io
import json
import lzma
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

CHUNK_CHARACTERS = 1_048_576
ROW_MAX_CHARACTERS = 8_388_608  # the longest text of WhatsApp's, all of it escaped, takes a tenth of that
_UNZIP: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open, ".lzma": lzma.open}
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # what PowerShell makes of a redirected output
_BETWEEN_ROWS = re.compile(r"[\s,\[\]]*")
# Django writes the model first. Inside of a string the quotes would be escaped, so this never lies within one.
_NEXT_ROW = re.compile(r'\{\s*"model"\s*:')
_LONGEST_MATCH = 256
# Where the decoder gives up this near to the end of what has been read, the rest may mend it (a number, a literal).
_TOKEN_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class DumpRow:
    """One object of the dump, and the line it begins on."""

    line: int
    value: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """What stands where a row should, and is none."""

    line: int
    detail: str


class Dump:
    """A dump file, open. Holds at most ROW_MAX_CHARACTERS and one chunk of it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        try:
            self.size_bytes = path.stat().st_size
            self._text = _as_text(path, self._file)
        except BaseException:
            self._file.close()
            raise
        self._decoder = json.JSONDecoder()
        self._buffer = ""
        self._at = 0
        self._line = 1
        self._is_all_read = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def read_bytes(self) -> int:
        """How far into the file it has been read."""
        return self._file.tell()

    def rows(self) -> Iterator[DumpRow | BrokenRow]:
        """Each row in turn. Raises OSError or EOFError where the file, or its compression, cannot be read."""
        while self._find_row():
            yield self._take_row()

    def _find_row(self) -> bool:
        """Go to where the next row begins; False at the end of the file."""
        while True:
            found = _BETWEEN_ROWS.match(self._buffer, self._at)
            self._move_to(self._at if found is None else found.end())
            if self._at < len(self._buffer):
                return True
            if not self._read_more():
                return False

    def _take_row(self) -> DumpRow | BrokenRow:
        line = self._line
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
            except (ValueError, RecursionError) as error:
                if self._may_be_cut(error) and self._read_more():
                    continue
                return self._skip_broken(line, error)
            self._move_to(end)
            if not isinstance(value, dict):
                return self._skip_broken(line, ValueError(f"a {type(value).__name__}, not an object"))
            return DumpRow(line, value)

    def _may_be_cut(self, error: Exception) -> bool:
        """Whether the row only goes on beyond what has been read."""
        if not isinstance(error, json.JSONDecodeError) or len(self._buffer) - self._at > ROW_MAX_CHARACTERS:
            return False
        return error.pos + _TOKEN_CHARACTERS > len(self._buffer) or error.msg.startswith("Unterminated string")

    def _skip_broken(self, line: int, error: Exception) -> BrokenRow:
        """Go on at what looks like the next row."""
        detail = error.msg if isinstance(error, json.JSONDecodeError) else str(error) or type(error).__name__
        self._move_to(min(self._at + 1, len(self._buffer)))
        while (found := _NEXT_ROW.search(self._buffer, self._at)) is None:
            self._move_to(max(self._at, len(self._buffer) - _LONGEST_MATCH))
            if not self._read_more():
                self._move_to(len(self._buffer))
                return BrokenRow(line, detail)
        self._move_to(found.start())
        return BrokenRow(line, detail)

    def _move_to(self, place: int) -> None:
        self._line += self._buffer.count("\n", self._at, place)
        self._at = place

    def _read_more(self) -> bool:
        """Read on and forget what has been taken; False at the end of the file."""
        if self._is_all_read:
            return False
        # As much again as is held: a long row is then tried a few times and not once a chunk.
        more = self._text.read(max(CHUNK_CHARACTERS, len(self._buffer) - self._at))
        self._is_all_read = not more
        self._buffer, self._at = self._buffer[self._at :] + more, 0
        return bool(more)


def _as_text(path: Path, file: IO[bytes]) -> io.TextIOWrapper:
    """Bytes that are no UTF-8 become U+FFFD, as in any other text from outside."""
    unzip = _UNZIP.get(path.suffix)
    encoding = "utf-16" if unzip is None and file.read(2) in _UTF_16 else "utf-8-sig"
    file.seek(0)
    content: IO[bytes] = file if unzip is None else unzip(file, "rb")
    return io.TextIOWrapper(content, encoding=encoding, errors="replace")
