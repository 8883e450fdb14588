"""The database of a state directory, found and held without the daemon: what all of `pombal db` shares."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from pombal.cli.failures import CommandFailed
from pombal.cli.output import console, harmless
from pombal.config.load import load_config
from pombal.config.locks import hold_locks
from pombal.config.paths import Paths, ensure, resolve_paths
from pombal.config.settings import Settings

Config = Annotated[
    str | None, typer.Option("--config", metavar="FILE", help="The configuration that names the state directory.")
]
StateDir = Annotated[
    Path | None, typer.Option("--state-dir", metavar="DIR", help="The state directory; goes before the file's.")
]


def settings_of(config: str | None) -> Settings:
    return load_config(config, os.environ).settings


def paths_of(config: str | None, state_dir: Path | None) -> Paths:
    settings = settings_of(config).daemon
    if state_dir is not None:
        settings = settings.model_copy(update={"state_dir": str(state_dir)})
    return resolve_paths(settings, os.environ)


def existing(paths: Paths) -> Path:
    if not paths.database.is_file():
        raise CommandFailed(
            f"there is no database at {paths.database}: name its directory with --state-dir or --config"
        )
    return paths.database


@contextmanager
def daemon_stopped(paths: Paths) -> Iterator[None]:
    """Hold the state directory. Raises StartRefused while a daemon has it."""
    # Only the state directory matters here. The daemon's runtime directory may be gone while it is stopped (systemd
    # removes /run/pombal), so the second lock is taken below the state directory.
    below = Paths(paths.state, paths.state / "run")
    ensure(below)
    with hold_locks(below):
        yield


@contextmanager
def telling(path: Path) -> Iterator[None]:
    """SQLite's own errors name no file."""
    import sqlite3

    try:
        yield
    except sqlite3.Error as error:
        raise CommandFailed(f"{path}: {error}") from error


@contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """What a long look is at, on a terminal's stderr."""
    target = console(stderr=True)
    if not target.is_terminal:
        yield lambda step: None
        return
    with target.status("checking") as turning:
        yield lambda step: turning.update(Text(harmless(step)))


def progress_bar() -> Progress:
    """How much is done of all, on a terminal's stderr."""
    target = console(stderr=True)
    parts = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    return Progress(*parts, console=target, transient=True, disable=not target.is_terminal)
