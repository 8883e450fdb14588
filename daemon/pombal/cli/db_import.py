"""`pombal db import-django`: moving in from the platform's Django app."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group
from rich.text import Text

from pombal.cli.columns import Columns
from pombal.cli.db_files import Config, StateDir, daemon_stopped, paths_of, progress_bar, settings_of, telling
from pombal.cli.failures import CommandFailed, ExitCode
from pombal.cli.options import Json
from pombal.cli.output import count, facts, print_json, show
from pombal.model.session import LinkKind

if TYPE_CHECKING:
    from datetime import tzinfo


def import_django(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="What `manage.py dumpdata` wrote.")
    ],
    link: Annotated[
        LinkKind | None, typer.Option("--link", help="How the sessions will connect (sessions.default_link, or web).")
    ] = None,
    timezone: Annotated[
        str, typer.Option("--timezone", metavar="ZONE", help="Where times without an offset are local.")
    ] = "UTC",
    app_name: Annotated[
        str, typer.Option("--source", metavar="NAME", help="Tells apps apart where several move in.")
    ] = "django",
    refused: Annotated[
        Path | None, typer.Option("--refused", metavar="FILE", help="Write every refused row there, a JSON line each.")
    ] = None,
    config: Config = None,
    state_dir: StateDir = None,
    as_json: Json = False,
) -> None:
    """Take over sessions and messages of the platform's Django app.

    The daemon must be stopped. Sessions come in stopped, messages as history; what is there already stays as it is, so
    this can be repeated. Exit code 1 says that rows were refused.
    """
    from pombal.store.django.importing import import_dump
    from pombal.store.django.rows import Origins

    paths = paths_of(config, state_dir)
    origins = Origins(source=app_name, zone=_zone(timezone), link=link or _default_link(config))
    with daemon_stopped(paths), telling(paths.database), _refused_rows(refused) as write, progress_bar() as bar:
        task = bar.add_task("importing", total=None)
        report = import_dump(
            source, paths.database, origins, on_refused=write,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )  # fmt: skip
    result = {"database": str(paths.database), "file": str(source), **report.object()}
    if as_json:
        print_json(result)
    else:
        show(_shown(result))
    if report.refused:
        raise typer.Exit(ExitCode.REFUSED)


def _default_link(config: str | None) -> LinkKind:
    return settings_of(config).sessions.default_link or LinkKind.WEB


def _zone(name: str) -> "tzinfo":
    from datetime import UTC
    from zoneinfo import ZoneInfo

    if name.upper() == "UTC":  # the one that needs no database of zones
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # no such zone, no such file, no such name
        raise CommandFailed(f"there is no time zone {name!r}; America/Sao_Paulo is one", ExitCode.USAGE) from None


@contextmanager
def _refused_rows(path: Path | None) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Where each refused row is written to."""
    try:
        opened = nullcontext() if path is None else path.open("w", encoding="utf-8")
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written: {error.strerror}") from error
    with opened as file:
        yield lambda row: None if file is None else print(json.dumps(row), file=file)


def _shown(result: dict[str, Any]) -> Group:
    sessions, messages = result["sessions"], result["messages"]
    parts: list[Any] = [
        facts(
            [
                ("Sessions", f"{sessions['added']} added, {sessions['known']} there already"),
                (
                    "Messages",
                    f"{messages['added']} added, {messages['moved_on']} moved on, {messages['known']} there already",
                ),
                ("Refused", count(result["refused"], "row", "rows") if result["refused"] else "nothing"),
            ]
        )
    ]
    if result["reasons"]:
        parts += [Text(), _reasons(result["reasons"])]
    for title, counted in (
        ("Taken in otherwise than it stood", result["remarks"]),
        ("Other models, left out", result["ignored_models"]),
        ("Other fields, left out", result["ignored_fields"]),
    ):
        if counted:
            parts += [Text(), _counted(title, counted)]
    return Group(*parts)


def _reasons(reasons: list[dict[str, Any]]) -> Columns:
    return Columns(
        ("Refused because", "Rows>", "First of them~"),
        ((each["reason"], str(each["rows"]), ", ".join(map(_place, each["first"]))) for each in reasons),
    )


def _place(row: dict[str, Any]) -> str:
    return f"line {row['line']}" if row["pk"] is None else f"line {row['line']} (pk {row['pk']})"


def _counted(title: str, counted: dict[str, int]) -> Columns:
    return Columns((title, "Rows>"), ((name, str(rows)) for name, rows in counted.items()))
