"""`pombal db`: care of the database in a state directory, without the daemon."""

from pathlib import Path
from typing import Annotated

import typer

from pombal.cli import db_import
from pombal.cli.client import spinner
from pombal.cli.db_files import (
    Config,
    StateDir,
    daemon_stopped,
    existing,
    paths_of,
    progress_bar,
    steps,
    telling,
)
from pombal.cli.failures import CommandFailed, complain
from pombal.cli.options import Json
from pombal.cli.output import print_json, show
from pombal.cli.questions import confirm
from pombal.config.paths import ensure

app = typer.Typer(help="Care of the database; nothing here asks the daemon.", no_args_is_help=True)


@app.command()
def check(config: Config = None, state_dir: StateDir = None, as_json: Json = False) -> None:
    """Look for damage in the database.

    May run beside the daemon. Exit code 1 says that there is damage.
    """
    from pombal.store.offline import check_database

    database = existing(paths_of(config, state_dir))
    with telling(database), steps() as step:
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

    paths = paths_of(config, state_dir)
    database = existing(paths)
    with daemon_stopped(paths), telling(database), steps() as step:
        applied = migrate_database(database, progress=step)
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

    database = existing(paths_of(config, state_dir))
    if destination.exists():
        raise CommandFailed(f"{destination} is there already: choose another name, or move it away")
    if not destination.absolute().parent.is_dir():
        raise CommandFailed(f"{destination.absolute().parent} is no directory: create it first")
    with telling(database), progress_bar() as bar:
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

    paths = paths_of(config, state_dir)
    ensure(paths)
    with daemon_stopped(paths):
        if paths.database.exists() and not yes:
            confirm(
                f"Overwrite {paths.database} with {source}?",
                unasked=f"{paths.database} would be overwritten, and nobody can be asked here: pass --yes",
            )
        with telling(source), spinner("restoring"):
            log_id = restore_database(source, paths.database)
    if as_json:
        print_json({"database": str(paths.database), "log_id": log_id})
    else:
        show(f"{paths.database}: restored from {source}; the event log is {log_id} from now on")


app.command()(db_import.import_django)
