"""`pombal db`: care of the database in a state directory, without the daemon."""

from typing import Annotated

import typer

from pombal.cli import db_backup, db_import
from pombal.cli.db_files import (
    Config,
    StateDir,
    daemon_stopped,
    existing,
    paths_of,
    steps,
    telling,
)
from pombal.cli.failures import complain
from pombal.cli.options import Json
from pombal.cli.output import print_json, show

app = typer.Typer(help="Care of the database; nothing here asks the daemon.", no_args_is_help=True)


@app.command()
def check(
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every file of messages, too: are they what they were?")
    ] = False,
    config: Config = None,
    state_dir: StateDir = None,
    as_json: Json = False,
) -> None:
    """Look for damage in the database, and for files of messages that are gone.

    May run beside the daemon, and on a backup (--state-dir BACKUP). Exit code 1 says that there is damage.
    """
    from pombal.care.media_check import check_media
    from pombal.store.offline import check_database

    paths = paths_of(config, state_dir)
    database, told = existing(paths), list[str]()
    with telling(database), steps() as step:
        problems = check_database(database, progress=step)
        of_files, told = check_media(paths, deep=deep, progress=step)
    problems += of_files
    if as_json:
        print_json({"database": str(database), "problems": problems, "notes": told})
    elif not problems:
        show("\n".join([f"{database}: whole", *told]))
    if problems:
        complain("\n".join([f"{database} is damaged:", *problems, "restore a backup: pombal db restore BACKUP"]))
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


app.command()(db_backup.backup)
app.command()(db_backup.restore)
app.command()(db_import.import_django)
