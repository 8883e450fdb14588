"""`pombal db`: care of the database in a state directory, without the daemon."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from pombal.cli.client import spinner
from pombal.cli.failures import CommandFailed, complain
from pombal.cli.options import Json
from pombal.cli.output import console, harmless, print_json, show
from pombal.cli.questions import confirm
from pombal.config.load import load_config
from pombal.config.locks import hold_locks
from pombal.config.paths import Paths, ensure, resolve_paths

app = typer.Typer(help="Care of the database; nothing here asks the daemon.", no_args_is_help=True)

Config = Annotated[
    str | None, typer.Option("--config", metavar="FILE", help="The configuration that names the state directory.")
]
StateDir = Annotated[
    Path | None, typer.Option("--state-dir", metavar="DIR", help="The state directory; goes before the file's.")
]


@app.command()
def check(config: Config = None, state_dir: StateDir = None, as_json: Json = False) -> None:
    """Look for damage in the database.

    May run beside the daemon. Exit code 1 says that there is damage.
    """
    from pombal.store.offline import check_database

    database = _existing(_paths(config, state_dir))
    with _telling(database), _steps() as step:
        problems = check_database(database, progress=step)
    if as_json:
        print_json({"database": str(database), "problems": problems})
    elif not problems:
        show(f"{database}: whole")
    if problems:
        complain("\n".join([f"{database} is damaged:", *problems, "restore a backup: pombal db restore FILE"]))
        raise typer.Exit(1)


@app.command()
def migrate(config: Config = None, state_dir: StateDir = None, as_json: Json = False) -> None:
    """Bring the database's schema up to this version.

    The daemon does so by itself at its start, and must be stopped for this.
    """
    from pombal.store.offline import migrate_database

    paths = _paths(config, state_dir)
    database = _existing(paths)
    with _daemon_stopped(paths), _telling(database), spinner("migrating"):
        applied = migrate_database(database)
    if as_json:
        print_json({"database": str(database), "applied": applied})
    else:
        show("\n".join(f"applied {name}" for name in applied) or f"{database}: nothing to do")


@app.command()
def backup(
    destination: Annotated[Path, typer.Argument(metavar="FILE", help="A file that is not there yet.")],
    config: Config = None,
    state_dir: StateDir = None,
    as_json: Json = False,
) -> None:
    """Write a copy of the database as it is at one moment.

    May run beside the daemon. Media are files of their own and not in it.
    """
    from pombal.store.offline import backup_database

    database = _existing(_paths(config, state_dir))
    if destination.exists():
        raise CommandFailed(f"{destination} is there already: choose another name, or move it away")
    if not destination.absolute().parent.is_dir():
        raise CommandFailed(f"{destination.absolute().parent} is no directory: create it first")
    with _telling(database), _page_bar() as bar:
        task = bar.add_task("backing up", total=None)
        backup_database(
            database, destination, progress=lambda done, total: bar.update(task, completed=done, total=total)
        )
    if as_json:
        print_json({"database": str(database), "backup": str(destination)})
    else:
        show(f"{destination}: a copy of {database}")


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="A backup.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    config: Config = None,
    state_dir: StateDir = None,
    as_json: Json = False,
) -> None:
    """Put a backup in the database's place.

    The daemon must be stopped. The event log gets a new id, so that its readers notice.
    """
    from pombal.store.offline import restore_database

    paths = _paths(config, state_dir)
    ensure(paths)
    with _daemon_stopped(paths):
        if paths.database.exists() and not yes:
            confirm(
                f"Overwrite {paths.database} with {source}?",
                unasked=f"{paths.database} would be overwritten, and nobody can be asked here: pass --yes",
            )
        with _telling(source), spinner("restoring"):
            log_id = restore_database(source, paths.database)
    if as_json:
        print_json({"database": str(paths.database), "log_id": log_id})
    else:
        show(f"{paths.database}: restored from {source}; the event log is {log_id} from now on")


def _paths(config: str | None, state_dir: Path | None) -> Paths:
    settings = load_config(config, os.environ).settings.daemon
    if state_dir is not None:
        settings = settings.model_copy(update={"state_dir": str(state_dir)})
    return resolve_paths(settings, os.environ)


def _existing(paths: Paths) -> Path:
    if not paths.database.is_file():
        raise CommandFailed(
            f"there is no database at {paths.database}: name its directory with --state-dir or --config"
        )
    return paths.database


@contextmanager
def _daemon_stopped(paths: Paths) -> Iterator[None]:
    """Hold the state directory. Raises StartRefused while a daemon has it."""
    # Only the state directory matters here. The daemon's runtime directory may be gone while it is stopped (systemd
    # removes /run/pombal), so the second lock is taken below the state directory.
    below = Paths(paths.state, paths.state / "run")
    ensure(below)
    with hold_locks(below):
        yield


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    """SQLite's own errors name no file."""
    import sqlite3

    try:
        yield
    except sqlite3.Error as error:
        raise CommandFailed(f"{path}: {error}") from error


@contextmanager
def _steps() -> Iterator[Callable[[str], None]]:
    """What a long look is at, on a terminal's stderr."""
    target = console(stderr=True)
    if not target.is_terminal:
        yield lambda step: None
        return
    with target.status("checking") as turning:
        yield lambda step: turning.update(Text(harmless(step)))


def _page_bar() -> Progress:
    """Pages done of all, on a terminal's stderr."""
    target = console(stderr=True)
    parts = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    return Progress(*parts, console=target, transient=True, disable=not target.is_terminal)
