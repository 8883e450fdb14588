"""How results look: JSON for programs, plain columns for people; times, durations, sizes and colours of states."""

import json
import os
import re
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

NOTHING = "–"
# Wide enough that nothing wraps when nobody looks: a line of a pipe must hold its whole row.
PIPED_WIDTH = 4096
# What could move the cursor, colour the terminal or turn the reading direction: message texts come from strangers.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LINE_BREAK = re.compile(r"\r\n|[\n\r\u2028\u2029]")

COLOURS = {
    "ready": "green",
    "authenticated": "cyan",
    "connecting": "cyan",
    "qrcode": "yellow",
    "disconnected": "yellow",
    "error": "bold red",
    "read": "green",
    "delivered": "green",
    "sent": "cyan",
    "queued": "yellow",
    "uncertain": "bold yellow",
    "failed": "bold red",
    "running": "green",
    "starting": "cyan",
    "backing_off": "bold yellow",
    "cooling_down": "bold red",
    "stopped": "dim",
    "wanted": "yellow",
    "scrubbing": "cyan",
    "done": "green",
}


def console(*, stderr: bool = False) -> Console:
    """A console on stdout or stderr as they are now; without colours where it is no terminal or NO_COLOR is set."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def show(renderable: RenderableType) -> None:
    """Print to stdout, without the blanks that tables put at the end of a line."""
    target = console()
    if target.is_terminal:
        target.print(renderable, soft_wrap=isinstance(renderable, str | Text))
        return
    with target.capture() as capture:
        target.print(renderable, soft_wrap=isinstance(renderable, str | Text))
    print("\n".join(line.rstrip() for line in capture.get().splitlines()))


def note(text: str) -> None:
    """A remark on stderr, beside the result and not part of it."""
    console(stderr=True).print(Text(text), soft_wrap=True)


def print_json(value: Any) -> None:
    """One object a line, as the daemon gave it; flushed, for whoever reads along."""
    plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    print(json.dumps(value, ensure_ascii=plain), flush=True)


def emit(result: dict[str, Any], as_json: bool, render: Callable[[dict[str, Any]], RenderableType]) -> None:
    """The result object itself with --json, else what render makes of it."""
    if as_json:
        print_json(result)
    else:
        show(render(result))


def facts(pairs: Iterable[tuple[str, RenderableType | None]]) -> Table:
    """Names and values below each other; pairs without a value are left out."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        if value is not None:
            table.add_row(name, Text(harmless(value)) if isinstance(value, str) else value)
    return table


def harmless(text: str) -> str:
    """Text of strangers without what a terminal would obey; its line breaks stay."""
    return "\n".join(_CONTROL.sub("\ufffd", line) for line in _LINE_BREAK.split(text.replace("\t", " ")))


def one_line(text: str) -> str:
    return harmless(text).replace("\n", " ⏎ ")


def state(status: str | None, reason: str | None = None) -> Text:
    """A status in its colour, with its reason behind a slash where there is one."""
    shown = "/".join(part for part in (status, reason) if part)
    return Text(one_line(shown) or NOTHING, style=COLOURS.get(status or "", ""))


def yes_no(value: bool | None) -> Text | None:
    if value is None:
        return None
    return Text("yes", style="green") if value else Text("no", style="yellow")


def moment(iso: str | None) -> str | None:
    """'2026-01-31T12:00:00.123Z' → '2026-01-31 12:00:00Z': as exact as people read, and --since takes it back."""
    return None if iso is None else f"{iso[:10]} {iso[11:19]}Z"


def clock(iso: str | None) -> str | None:
    """The time of day with milliseconds, UTC."""
    return None if iso is None else iso[11:23]


def ago(iso: str | None, now: datetime | None = None) -> str | None:
    """How long since, in one unit or two: '12 s', '3 min', '2 h 5 min', '4 d'."""
    if iso is None:
        return None
    elapsed = (now or datetime.now(UTC)) - datetime.fromisoformat(iso)
    return duration(max(0.0, elapsed.total_seconds()))


def duration(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86_400)
    if minutes < 60:
        return f"{minutes} min"
    if hours < 24:
        return f"{hours} h {minutes % 60} min"
    return f"{days} d {hours % 24} h"


def milliseconds(value: float | None) -> str | None:
    """Three digits of it, in the unit that people would say."""
    if value is None:
        return None
    if value < 1000:
        return f"{value:.0f} ms"
    return f"{value / 1000:.2f} s" if value < 60_000 else duration(value / 1000)


def size(count: int | None) -> str | None:
    """Bytes in binary units."""
    if count is None:
        return None
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def percent(share: float | None) -> str | None:
    return None if share is None else f"{share * 100:.2f} %"


def count(number: int | None, one: str, many: str) -> str:
    """'1 session', '2 sessions'."""
    return f"{number} {one if number == 1 else many}"
