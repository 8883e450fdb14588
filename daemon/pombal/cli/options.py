"""Options and arguments that many commands share, and how their values are read."""

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from pombal.cli.client import PAGE_MAX
from pombal.cli.complete import complete_session
from pombal.model.errors import PombalError
from pombal.model.times import iso, parse_time


def _instant(value: str | None) -> str | None:
    """An age or a time as the instant it means, so that all pages of one command mean the same."""
    if value is None:
        return None
    try:
        return iso(parse_time(value, time.time_ns() // 1_000_000))
    except PombalError as error:
        raise typer.BadParameter(error.message) from None


Socket = Annotated[
    Path | None,
    typer.Option(
        "--socket",
        metavar="PATH",
        help="The daemon's control socket; else $POMBAL_SOCKET, else the usual places.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the control socket's result object as it is.")]
SessionName = Annotated[
    str, typer.Argument(metavar="SESSION", help="Name or id of a session.", autocompletion=complete_session)
]
SessionFilter = Annotated[
    str | None,
    typer.Option("--session", "-s", metavar="SESSION", help="Only this session.", autocompletion=complete_session),
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="TIME", help="From then on: ISO 8601 (UTC) or an age (15m, 2h, 7d).", callback=_instant
    ),
]
Until = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Until then; written as --since is.", callback=_instant)
]
Limit = Annotated[int | None, typer.Option("--limit", "-n", metavar="N", min=1, max=PAGE_MAX, help="How many at most.")]
Everything = Annotated[bool, typer.Option("--all", help="Follow all pages, not only the first.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--setting", metavar="KEY=VALUE", help="A setting of the session's link; VALUE may be JSON. Repeatable."
    ),
]


def parse_settings(pairs: list[str] | None) -> dict[str, Any] | None:
    """['seed=7', 'sent_ms={"median": 20, "p99": 90}', 'note=x'] → {"seed": 7, "sent_ms": {…}, "note": "x"}."""
    if not pairs:
        return None
    return dict(_setting(pair) for pair in pairs)


def _setting(pair: str) -> tuple[str, Any]:
    key, equals, value = pair.partition("=")
    if not equals or not key:
        raise typer.BadParameter(f"{pair!r}: write it as KEY=VALUE", param_hint="--setting")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def given(**params: Any) -> dict[str, Any]:
    """The params that were given: what is None is left to the daemon."""
    return {name: value for name, value in params.items() if value is not None}
