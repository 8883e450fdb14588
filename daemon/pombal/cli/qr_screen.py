"""A QR code in characters: two modules above each other in one cell, drawn anew in place on a terminal."""

import sys
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.style import Style
from rich.text import Text

from pombal.cli.output import PIPED_WIDTH, moment, note

QUIET_ZONE = 2  # modules around the code; the standard wants 4, phones are content with 2, and terminals are small
# Both colours are said, so that it does not matter whether the terminal is dark or light.
BLACK_ON_WHITE = Style(color="#000000", bgcolor="#ffffff")
_DARK_INK = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}
_LIGHT_INK = {(True, True): " ", (True, False): "▄", (False, True): "▀", (False, False): "█"}
REMARK_ROWS = 3  # on a terminal that is just as wide as the code
HOW_TO = "On the phone: WhatsApp, Settings, Linked devices, Link a device"


class QrScreen:
    """Where codes and remarks appear; a context manager. In a pipe each code is printed below the one before."""

    def __init__(self, invert: bool) -> None:
        self._invert = invert
        self._is_terminal = sys.stdout.isatty()
        # NO_COLOR is about adornment; a QR code without its two colours may be one that phones cannot read.
        self._console = Console(
            file=sys.stdout, no_color=False, highlight=False, width=None if self._is_terminal else PIPED_WIDTH
        )
        self._live = Live(console=self._console, auto_refresh=False, transient=True, vertical_overflow="visible")

    def __enter__(self) -> Self:
        if self._is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def draw(self, code: dict[str, Any]) -> None:
        """code is the result of session.qr or the data of its event; the code is null once it has expired."""
        if code["code"] is None:
            self.say("this QR code has expired; the next one comes")
            return
        lines = qr_lines(code["code"], dark_ink=self._has_colours or self._invert)
        if len(lines[0]) > self._console.width:
            self.say(
                f"the terminal has {self._console.width} columns and the QR code needs {len(lines[0])}: "
                "make it wider, or take the code from --json"
            )
            return
        style = BLACK_ON_WHITE if self._has_colours else ""
        picture = Text("\n".join(lines), style=style, no_wrap=True)
        remark = f"{HOW_TO}. Valid until {moment(code['expires_at'])}.{self._cut_off(len(lines))}"
        self._show(Group(picture, Text(remark)))

    def say(self, remark: str) -> None:
        """A remark in place of a code; beside the output where that is a pipe."""
        if self._is_terminal:
            self._show(Text(remark))
        else:
            note(remark)

    def _cut_off(self, rows: int) -> str:
        """What to say where the top of the code has scrolled out of sight: no phone reads the rest."""
        needed = rows + REMARK_ROWS
        if not self._is_terminal or self._console.height >= needed:
            return ""
        return f" The terminal has {self._console.height} rows and this needs {needed}: make it taller."

    @property
    def _has_colours(self) -> bool:
        return self._console.color_system is not None

    def _show(self, renderable: RenderableType) -> None:
        if self._is_terminal:
            self._live.update(renderable, refresh=True)
        else:
            self._console.print(renderable)


def qr_lines(code: str, *, dark_ink: bool) -> list[str]:
    """The code as lines of half blocks. dark_ink: characters are the dark modules, for a light ground."""
    import segno

    # The lowest error correction: a screen has no dirt on it, and the code stays small.
    symbol = segno.make_qr(code, error="l", boost_error=False)
    rows = [[bool(module) for module in row] for row in symbol.matrix_iter(border=QUIET_ZONE)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    ink = _DARK_INK if dark_ink else _LIGHT_INK
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return ["".join(ink[above, below] for above, below in zip(*pair, strict=True)) for pair in pairs]
