"""`pombal top`: sessions, their rates and latencies, looked at again and again."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pombal.cli.client import spinner, talk
from pombal.cli.options import Json, Socket
from pombal.cli.output import console, print_json, show
from pombal.cli.top_view import Look, render_top, rows_that_fit, rows_to_show

if TYPE_CHECKING:
    from pombal.control.client import Client

SESSIONS_MAX = 2000
"""Sessions looked at; with more than that the first by the daemon's order."""
ONCE_ROWS = 50
LATENCY_WINDOW = "15m"


def top(
    interval: Annotated[
        float, typer.Option("--interval", "-i", metavar="SECONDS", min=0.2, max=3600, help="Between two looks.")
    ] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Two looks for the rates, one table, and done.")] = False,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Show a live table of sessions, message rates and latencies.

    Ctrl-C ends it. In a pipe, or with --once, it is one table. --json prints an object a look, with the results under
    their methods' names.
    """
    if as_json:
        talk(socket, lambda client: _print_looks(client, interval, once))
    elif once or not sys.stdout.isatty():
        talk(socket, lambda client: _show_once(client, interval))
    else:
        talk(socket, lambda client: _show_live(client, interval))


async def _show_live(client: "Client", interval_s: float) -> None:
    import trio
    from rich.live import Live

    target = console()
    before: Look | None = None
    with Live(console=target, screen=True, auto_refresh=False) as live:
        while True:
            look = await _look(client, before, rows_that_fit(target.height))
            live.update(render_top(look), refresh=True)
            before = look
            await trio.sleep(interval_s)


async def _show_once(client: "Client", interval_s: float) -> None:
    import trio

    with spinner("looking twice, for the rates"):
        first = await _look(client, None, rows=0)
        await trio.sleep(interval_s)
        second = await _look(client, first, ONCE_ROWS)
    show(render_top(second))


async def _print_looks(client: "Client", interval_s: float, once: bool) -> None:
    import trio

    before: Look | None = None
    while True:
        before = await _look(client, before, ONCE_ROWS)
        print_json(before.results())
        if once:
            return
        await trio.sleep(interval_s)


async def _look(client: "Client", before: Look | None, rows: int) -> Look:
    """Everything for one table; the costlier session.metrics only for the sessions that it shows."""
    import trio

    look = Look(
        at_s=trio.current_time(),
        status=await client.call("daemon.status"),
        sessions=await _sessions(client),
        latency=await client.call("latency.stats", {"since": LATENCY_WINDOW}),
        before=None if before is None else before.totals(),
        before_s=None if before is None else before.at_s,
    )
    shown = rows_to_show(look, rows)
    answers = client.pipeline(("session.metrics", {"name": session["id"]}) for session in shown)
    collected = [answer async for answer in answers]
    for session, answer in zip(shown, collected, strict=True):
        if isinstance(answer, dict):  # one deleted since it was listed is refused, and left out
            look.metrics[session["id"]] = answer
    return look


async def _sessions(client: "Client") -> dict[str, Any]:
    """session.list with its pages put together, up to SESSIONS_MAX."""
    whole = await client.call("session.list", {"limit": 500})
    while whole["next"] is not None and len(whole["results"]) < SESSIONS_MAX:
        page = await client.call("session.list", {"limit": 500, "cursor": whole["next"]})
        whole = page | {"results": whole["results"] + page["results"]}
    return whole
