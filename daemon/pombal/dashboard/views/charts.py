"""Charts as numbers: where lines, bars and ticks lie. Templates draw them as SVG, in the colours of the theme."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

WIDTH, HEIGHT = 1080.0, 200.0  # across, in units that stretch to the page; upwards, in pixels
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
# Where an axis may end (times a power of ten), and into how many parts that divides well.
_NICE = {1: 5, 2: 4, 3: 3, 4: 4, 5: 5, 6: 3, 8: 4, 10: 5}
_STEPS_S = (60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200)
_STEPS_DAYS = (1, 2, 7, 14)
DAY_S = 86_400
TIMES_MAX = 8


@dataclass(frozen=True, slots=True)
class Axis:
    """From nothing to top, in so many parts."""

    top: float
    parts: int


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


def nice_axis(value: float) -> Axis:
    """The shortest that reaches value and ends at a round number."""
    if value <= 0:
        return Axis(1.0, 1)
    power = 10.0 ** math.floor(math.log10(value))
    return next(Axis(nice * power, parts) for nice, parts in _NICE.items() if nice * power >= value * 0.999999)


def nice_axis_ms(value_ms: float) -> Axis:
    """As nice_axis, in the unit that a duration of that length is told in: seconds, minutes or hours."""
    unit_ms = next((unit for unit in (HOUR_MS, MINUTE_MS) if value_ms >= unit), 1)
    axis = nice_axis(value_ms / unit_ms)
    return Axis(axis.top * unit_ms, axis.parts)


def ticks_to(axis: Axis, height: float = HEIGHT) -> list[Tick]:
    """From the bottom up."""
    parts = [part / axis.parts for part in range(axis.parts + 1)]
    return [Tick(round(height * (1 - part), 2), axis.top * part) for part in parts]


def times_between(since_ms: int, until_ms: int, zone: tzinfo) -> list[int]:
    """About TIMES_MAX moments (epoch ms) at most, round ones where somebody lives: 14:30, or the beginning of a day."""
    span_s = (until_ms - since_ms) / 1000
    step_s = next((step for step in _STEPS_S if span_s / step <= TIMES_MAX), DAY_S)
    days = next((days for days in _STEPS_DAYS if span_s / DAY_S / days <= TIMES_MAX), _STEPS_DAYS[-1])
    found: list[int] = []
    day = datetime.fromtimestamp(since_ms / 1000, zone).date()
    while (begins := datetime.combine(day, time(), zone)).timestamp() * 1000 <= until_ms:
        if step_s < DAY_S:
            # from each midnight anew: a day has 23 hours now and then
            found += [int(begins.timestamp() + offset_s) * 1000 for offset_s in range(0, DAY_S, step_s)]
        elif day.toordinal() % days == 0:
            found.append(int(begins.timestamp()) * 1000)
        day += timedelta(days=1)
    return sorted({at for at in found if since_ms <= at <= until_ms})


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
