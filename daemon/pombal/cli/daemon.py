"""`pombal serve`, and how the daemon is: `status` and `ps`."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from pombal.cli.client import ask, show_pages
from pombal.cli.columns import Columns
from pombal.cli.options import Everything, Json, Limit, Socket, given
from pombal.cli.output import duration, emit, facts, milliseconds, moment, one_line, size, state


def serve(
    config: Annotated[
        str | None,
        typer.Option("--config", metavar="FILE", help="Else $POMBAL_CONFIG, ./config.toml, /etc/pombal/config.toml."),
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Simulator sessions with live traffic, in a fresh state directory.")
    ] = False,
    state_dir: Annotated[
        Path | None,
        typer.Option("--state-dir", metavar="DIR", help="Where all lasting state lies; goes before the file's."),
    ] = None,
) -> None:
    """Run the daemon in the foreground, until SIGTERM or Ctrl-C."""
    from pombal.config.load import load_config
    from pombal.store.sqlite_library import keep_no_memory_statistics

    loaded = load_config(config, os.environ)
    keep_no_memory_statistics()
    from pombal.app import run  # the longest part of a start: a file that is wrong is told before it

    raise typer.Exit(run(loaded.settings, demo=demo, config_path=loaded.path, state_dir=state_dir))


def status(socket: Socket = None, as_json: Json = False) -> None:
    """Show whether the daemon is well: sessions by status, queues, storage."""
    emit(ask(socket, "daemon.status"), as_json, render_status)


def ps(
    kind: Annotated[str | None, typer.Option("--kind", metavar="KIND", help="Only actors of this kind.")] = None,
    crashed: Annotated[bool, typer.Option("--crashed", help="Only actors that have crashed.")] = False,
    limit: Limit = None,
    everything: Everything = False,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """List the actors: state, mailbox, restarts, last crash.

    All of them in a table; with --json a page at a time.
    """
    whole = everything or (limit is None and not as_json)
    params = given(kind=kind, crashed=crashed or None, limit=limit)
    show_pages(socket, "daemon.actors", params, everything=whole, as_json=as_json, render=render_actors)


def render_status(result: dict[str, Any]) -> RenderableType:
    store, recorder = result["store"], result["recorder"]
    return facts(
        [
            ("pombal", f"{result['version']}, pid {result['pid']}"),
            ("started", f"{moment(result['started_at'])} ({duration(result['uptime_seconds'])} ago)"),
            ("sessions", sessions_by_status(result["sessions"])),
            ("queued to send", str(result["outbox_depth"])),
            ("recorder", _recorder(recorder)),
            ("database", f"{store['path']} (schema {store['schema_version']})"),
            ("size", f"{size(store['size_bytes'])}, {size(store['disk_free_bytes'])} free"),
            ("events", f"{result['last_event_seq']} in log {result['log_id']}"),
        ]
    )


def sessions_by_status(counts: dict[str, int]) -> Text:
    """'7: 5 ready, 2 qrcode', each status in its colour."""
    line = Text(str(sum(counts.values())))
    there = [(name, number) for name, number in counts.items() if number]
    for place, (name, number) in enumerate(there):
        line.append(", " if place else ": ").append(f"{number} ").append(state(name))
    return line


def _recorder(recorder: dict[str, Any]) -> str:
    p99_s = recorder["commit_seconds_p99"]
    waiting = f"{recorder['queue_depth']} waiting"
    return waiting if p99_s is None else f"{waiting}, commits within {milliseconds(p99_s * 1000)} (p99)"


def render_actors(actors: list[dict[str, Any]]) -> RenderableType:
    return Columns(
        ["actor", "kind?", "state", "mailbox>?", "restarts>", "up>?", "memory>?", "last crash~"],
        (
            [
                actor["name"],
                actor["kind"],
                state(actor["state"]),
                f"{actor['mailbox_depth']}/{actor['mailbox_capacity']}" if actor["mailbox_capacity"] else "–",
                str(actor["restarts"]),
                duration(actor["uptime_seconds"]),
                size(actor["memory_bytes"]) or "–",
                _crash(actor["last_crash"]),
            ]
            for actor in actors
        ),
    )


def _crash(crash: str | None) -> Text | None:
    return None if crash is None else Text(one_line(crash), style="red")
