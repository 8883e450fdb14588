"""The samples as a picture: one small chart a figure, all over the same time, by the dashboard's chart code."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from pombal.dashboard.views.charts import HEIGHT, WIDTH, line_of, nice_axis, ticks_to
from tests.soak.samples import Sample

LEFT, TOP, GAP = 80.0, 40.0, 50.0
MIB = 1_048_576
STYLE = (
    "text{font:13px sans-serif;fill:#444}.title{font-weight:bold;fill:#111}.grid{stroke:#ddd}"
    ".warm{fill:#f3efe4}path{fill:none;stroke-width:1.3}"
)
COLOURS = ("#1f6f5c", "#c2571a", "#4456a6")


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines by their names, on one axis that begins at 0."""

    title: str
    lines: tuple[tuple[str, Callable[[Sample], float | None]], ...]


CHARTS = (
    Chart("objects of the interpreter", (("live", lambda each: each.blocks),)),
    Chart(
        "memory, MiB",
        (("own", lambda each: each.anonymous_bytes / MIB), ("resident", lambda each: each.resident_bytes / MIB)),
    ),
    Chart("descriptors and threads", (("fds", lambda each: each.descriptors), ("threads", lambda each: each.threads))),
    Chart("write-ahead log, MiB", (("WAL", lambda each: each.wal_bytes / MIB),)),
    Chart("processor time an event, ms", (("daemon", lambda each: each.event_cpu_ms),)),
    Chart(
        "medians of latency, ms",
        (
            ("send to answer", lambda each: each.send_ms),
            ("commit to WebSocket", lambda each: each.event_ms),
            ("a bare fsync beside it", lambda each: each.bare_fsync_ms),
        ),
    ),
)


def svg(samples: Sequence[Sample], warm_up_s: float) -> str:
    """The time before warm_up_s, which is not judged, lies on another ground."""
    end_s = samples[-1].at_s
    drawn = [_chart(chart, samples, warm_up_s / end_s, TOP + place * (HEIGHT + GAP), end_s)
             for place, chart in enumerate(CHARTS)]  # fmt: skip
    width, height = LEFT + WIDTH + 20, TOP + len(CHARTS) * (HEIGHT + GAP)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">'
    ground = f'<rect width="{width:g}" height="{height:g}" fill="#fff"/>'
    return "\n".join([head, f"<style>{STYLE}</style>", ground, *drawn, "</svg>"]) + "\n"


def _chart(chart: Chart, samples: Sequence[Sample], warm: float, top_y: float, end_s: float) -> str:
    known = [value for _, value_of in chart.lines for each in samples if (value := value_of(each)) is not None]
    axis = nice_axis(max(known, default=1))
    parts = [f'<g transform="translate({LEFT:g} {top_y:g})">']
    parts.append(f'<rect class="warm" width="{WIDTH * warm:.0f}" height="{HEIGHT:g}"/>')
    for tick in ticks_to(axis):
        parts.append(f'<line class="grid" x2="{WIDTH:g}" y1="{tick.at:g}" y2="{tick.at:g}"/>')
        parts.append(f'<text x="-8" y="{tick.at + 4:g}" text-anchor="end">{tick.value:,.4g}</text>')
    parts.append(f'<text class="title" y="-8">{escape(chart.title)}</text>')
    for place, (name, value_of) in enumerate(chart.lines):
        line = line_of(name, [(each.at_s / end_s, value_of(each)) for each in samples], axis.top)
        colour = COLOURS[place]
        parts.append(f'<path d="{line.path}" stroke="{colour}"/>')
        parts.append(f'<text x="{300 + 240 * place}" y="-8" style="fill:{colour}">{escape(name)}</text>')
    parts.append(f'<text x="{WIDTH:g}" y="{HEIGHT + 18:g}" text-anchor="end">{end_s / 60:.0f} minutes</text>')
    return "\n".join([*parts, "</g>"])
