"""Rows under headings, one line each, in as many columns as the terminal has room for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from pombal.cli.output import NOTHING, one_line

GAP = 2
CUT_TO = 12
"""Characters that a column which may be cut keeps before others are left out."""


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    is_right: bool = False
    may_be_cut: bool = False
    is_optional: bool = False


class Columns:
    """A table without lines: easy to read, and to cut up with awk. Where it is too wide, optional columns go first,
    from the right; then the one that may be cut is cut."""

    def __init__(self, headings: Sequence[str], rows: Iterable[Sequence[str | Text | None]]) -> None:
        """A heading may end in flags: '>' to the right, '~' may be cut, '?' may be left out on a narrow terminal."""
        self._columns = [_column(heading) for heading in headings]
        self._rows = [[_cell(value) for value in row] for row in rows]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        there = self._that_fit(options.max_width)
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
        for index in there:
            column = self._columns[index]
            justify: Literal["left", "right"] = "right" if column.is_right else "left"
            # Not no_wrap for the one that may be cut: rich takes room from the others only after such columns.
            table.add_column(column.title, justify=justify, no_wrap=not column.may_be_cut, overflow="ellipsis")
        for row in self._rows:
            table.add_row(*(row[index] for index in there))
        yield table

    def _that_fit(self, width: int) -> list[int]:
        """Indexes of the columns to show."""
        widths = [self._least_width(index) for index in range(len(self._columns))]
        there = list(range(len(self._columns)))
        for index in reversed(range(len(self._columns))):
            if sum(widths[shown] + GAP for shown in there) - GAP <= width:
                break
            if self._columns[index].is_optional:
                there.remove(index)
        return there

    def _least_width(self, index: int) -> int:
        column = self._columns[index]
        natural = max([cell_len(column.title), *(row[index].cell_len for row in self._rows)])
        return min(natural, CUT_TO) if column.may_be_cut else natural


def _column(heading: str) -> Column:
    title = heading.rstrip(">~?")
    flags = heading[len(title) :]
    return Column(title.upper(), is_right=">" in flags, may_be_cut="~" in flags, is_optional="?" in flags)


def _cell(value: str | Text | None) -> Text:
    """A string becomes one harmless line; None becomes a dash."""
    if value is None:
        value = Text(NOTHING, style="dim")
    text = Text(one_line(value)) if isinstance(value, str) else value
    text.no_wrap, text.overflow = True, "ellipsis"
    return text
