"""`pombal latency`: how long messages took."""

from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType

from pombal.cli.client import ask
from pombal.cli.columns import Columns
from pombal.cli.options import Json, SessionFilter, Since, Socket, Until, given
from pombal.cli.output import emit, facts, milliseconds, moment, percent
from pombal.model.message import Direction

MEASURES = (
    ("to_sent", "queued to sent", "average_latency_to_sent_ms"),
    ("to_delivered", "queued to delivered", "average_latency_to_delivered_ms"),
    ("to_read", "queued to read", "average_latency_to_read_ms"),
    ("inbound", "inbound", "average_inbound_latency_ms"),
)


def latency(
    session: SessionFilter = None,
    direction: Annotated[
        Direction | None, typer.Option(help="Only inbound or outbound messages.", show_default=False)
    ] = None,
    since: Since = None,
    until: Until = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Show latency statistics: averages, percentiles, and how many messages were late."""
    params = given(session=session, direction=direction, since=since, until=until)
    emit(ask(socket, "latency.stats", params), as_json, render_latency)


def render_latency(stats: dict[str, Any]) -> RenderableType:
    """A line of facts for the whole, a row for each way that was measured."""
    return Group(_summary(stats), "", _table(stats))


def _summary(stats: dict[str, Any]) -> RenderableType:
    limit = milliseconds(stats["acceptable_ms"])
    return facts(
        [
            ("from", moment(stats["since"]) or "the beginning"),
            ("until", moment(stats["until"]) or "now"),
            ("messages", f"{stats['total_messages']}, {stats['measured_messages']} of them measured"),
            ("in time", f"{percent(stats['acceptable_rate']) or 'none measured'} (below {limit})"),
            ("late", str(stats["high_latency_count"])),
        ]
    )


def _table(stats: dict[str, Any]) -> RenderableType:
    return Columns(
        ["latency", "average>", "p50>", "p95>", "p99>", "max>"],
        ([title, milliseconds(stats[average]), *_percentiles(stats, name)] for name, title, average in MEASURES),
    )


def _percentiles(stats: dict[str, Any], name: str) -> list[str | None]:
    found = stats["percentiles"][name]
    return [milliseconds(found[which]) for which in ("p50", "p95", "p99", "max")]
