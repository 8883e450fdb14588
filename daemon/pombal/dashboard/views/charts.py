"""Charts as numbers: where lines, bars and ticks lie. Templates draw them as SVG, in the colours of the theme."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 1080.0, 200.0  # a little room for the labels beside it, and it is as wide as a page
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
_NICE = (1, 2, 5, 10)


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: where it lies, and the value that stands there."""

    at: float
    value: float


@dataclass(frozen=True, slots=True)
class Bar:
    """``place``: the index of the value that it stands for."""

    x: float
    y: float
    width: float
    height: float
    place: int


@dataclass(frozen=True, slots=True)
class Line:
    """``path``: SVG, with gaps where there is no value; ``dots``: values that stand alone, which no path shows."""

    name: str
    path: str
    dots: list[tuple[float, float]]


def nice_top(value: float) -> float:
    """The smallest of 1, 2, 5 × 10ⁿ that is not below value."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(nice * power for nice in _NICE if nice * power >= value * 0.999999)


def nice_top_ms(value_ms: float) -> float:
    """As nice_top, in the unit that a duration of that length is told in: seconds, minutes or hours."""
    unit_ms = next((unit for unit in (HOUR_MS, MINUTE_MS) if value_ms >= unit), 1)
    return nice_top(value_ms / unit_ms) * unit_ms


def ticks_to(top: float, height: float = HEIGHT, count: int = 4) -> list[Tick]:
    """From the bottom up, for an axis that ends at top."""
    return [Tick(round(height - height * part / count, 2), top * part / count) for part in range(count + 1)]


def line_of(name: str, values: Sequence[tuple[float, float | None]], top: float) -> Line:
    """values: (place between 0 and 1, value)."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for place, value in values:
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append((round(place * WIDTH, 1), round(HEIGHT - min(value / top, 1) * HEIGHT, 1)))
    path = " ".join("M" + " L".join(f"{x:g} {y:g}" for x, y in piece) for piece in pieces if len(piece) > 1)
    return Line(name, path, [piece[0] for piece in pieces if len(piece) == 1])


def bars_of(values: Sequence[tuple[float, float]], top: float, width: float, height: float = HEIGHT) -> list[Bar]:
    """values: (left edge between 0 and 1, value); what is nothing has no bar, and the least has one to be seen."""
    shown = []
    for place, (left, value) in enumerate(values):
        if value > 0:
            tall = round(max(min(value / top, 1) * height, 1.5), 1)
            shown.append(Bar(round(left * WIDTH, 1), round(height - tall, 1), round(width, 1), tall, place))
    return shown
