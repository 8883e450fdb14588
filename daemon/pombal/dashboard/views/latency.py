"""The latency page: the same numbers as latency.stats and latency.series, laid out to be looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import NamedTuple

from pombal.dashboard.views.charts import (
    HEIGHT,
    WIDTH,
    Bar,
    Line,
    Tick,
    bars_of,
    line_of,
    nice_axis_ms,
    ticks_to,
    times_between,
)
from pombal.model.latency_results import LatencyBar, LatencyPoint, LatencySeries, LatencyStats, Percentiles

MEASURES = ("to_sent", "to_delivered", "to_read", "inbound")
SHOWN_OVER_TIME = ("to_sent", "to_delivered", "inbound")
VOLUME_HEIGHT = 48.0


@dataclass(frozen=True, slots=True)
class MeasureRow:
    """One measure in the table of percentiles (ms)."""

    measure: str
    average_ms: float | None
    percentiles: Percentiles


def rows_of(stats: LatencyStats) -> list[MeasureRow]:
    averages = (
        stats.average_latency_to_sent_ms, stats.average_latency_to_delivered_ms, stats.average_latency_to_read_ms,
        stats.average_inbound_latency_ms,
    )  # fmt: skip
    return [
        MeasureRow(measure, average, getattr(stats.percentiles, measure))
        for measure, average in zip(MEASURES, averages, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Step:
    """What somebody sees who points at a place of the chart: p95 by measure (ms), and how many messages, late ones."""

    x: float
    width: float
    at: int
    p95: dict[str, float]
    messages: int
    late: int


class Peak(NamedTuple):
    value_ms: float
    measure: str
    at: int


@dataclass(frozen=True, slots=True)
class TimeChart:
    """p95 over time, with the messages of each step below.

    ``ticks`` are in ms, ``times`` (percent from the left, epoch ms); ``peak`` is the highest point of all, None where
    nothing was measured.
    """

    lines: list[Line]
    steps: list[Step]
    peak: Peak | None
    volume: list[Bar]
    late: list[Bar]
    ticks: list[Tick]
    times: list[tuple[float, int]]
    target_y: float | None
    most_messages: int


def time_chart(series: LatencySeries, zone: tzinfo) -> TimeChart | None:
    """None where nothing happened."""
    points = series.results
    if not points:
        return None
    span, step = max(1, series.until - series.since), series.step_seconds * 1000
    peak = _peak(points)
    axis = nice_axis_ms(0 if peak is None else peak.value_ms)
    most = max(_messages(point) for point in points)
    lefts = [(point.at - series.since) / span for point in points]
    width = max(1.0, WIDTH * step / span - 1)
    return TimeChart(
        lines=[line_of(name, _values(series, name), axis.top) for name in SHOWN_OVER_TIME],
        steps=[
            Step(
                round(left * WIDTH, 1), round(WIDTH * step / span, 1), point.at, _known_p95(point), _messages(point),
                point.high_latency_count,
            )
            for left, point in zip(lefts, points, strict=True)
        ],
        peak=peak,
        volume=bars_of(
            [(left, _messages(point)) for left, point in zip(lefts, points, strict=True)], most, width, VOLUME_HEIGHT
        ),
        late=bars_of(
            [(left, point.high_latency_count) for left, point in zip(lefts, points, strict=True)], most, width,
            VOLUME_HEIGHT,
        ),
        ticks=ticks_to(axis),
        times=[
            (round(100 * (at - series.since) / span, 2), at)
            for at in times_between(series.since, series.until, zone)
        ],
        target_y=round(HEIGHT * (1 - series.acceptable_ms / axis.top), 1) if series.acceptable_ms <= axis.top else None,
        most_messages=most,
    )  # fmt: skip


def _known_p95(point: LatencyPoint) -> dict[str, float]:
    return {name: p95 for name in SHOWN_OVER_TIME if (p95 := _p95(point, name)) is not None}


def _peak(points: Sequence[LatencyPoint]) -> Peak | None:
    found = [Peak(p95, name, point.at) for point in points for name, p95 in _known_p95(point).items()]
    return max(found, default=None)


def _values(series: LatencySeries, measure: str) -> list[tuple[float, float | None]]:
    """Every step of the range, those without messages too: a line must not cross what nobody measured."""
    by_at = {point.at: _p95(point, measure) for point in series.results}
    span, step = max(1, series.until - series.since), series.step_seconds * 1000
    return [((at - series.since + step / 2) / span, by_at.get(at)) for at in range(series.since, series.until, step)]


def _p95(point: LatencyPoint, measure: str) -> float | None:
    percentiles: Percentiles = getattr(point.percentiles, measure)
    return percentiles.p95


def _messages(point: LatencyPoint) -> int:
    return point.outbound_messages + point.inbound_messages


@dataclass(frozen=True, slots=True)
class SpreadRow:
    """How many took so long, by measure: counts, and how wide each bar is of 100."""

    from_ms: int
    up_to_ms: int | None
    counts: dict[str, int]
    widths: dict[str, float]
    is_late: bool


def spread_of(series: LatencySeries) -> list[SpreadRow]:
    """The distribution, without what nobody reached at either end; empty where nothing was measured."""
    bars: dict[str, list[LatencyBar]] = {name: getattr(series.distribution, name) for name in MEASURES}
    most = max((bar.count for several in bars.values() for bar in several), default=0)
    rows: list[SpreadRow] = []
    previous = 0
    for place, bar in enumerate(bars["to_sent"]):
        counts = {name: several[place].count for name, several in bars.items()}
        widths = {name: round(100 * count / most, 2) if most else 0.0 for name, count in counts.items()}
        rows.append(SpreadRow(previous, bar.up_to_ms, counts, widths, previous >= series.acceptable_ms))
        previous = bar.up_to_ms or previous
    reached = [place for place, row in enumerate(rows) if any(row.counts.values())]
    return rows[reached[0] : reached[-1] + 1] if reached else []
