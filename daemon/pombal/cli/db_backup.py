"""`pombal db backup` and `restore`: a state directory as a whole, with its files."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pombal.cli.db_files import Config, StateDir, daemon_stopped, existing, paths_of, progress_bar, telling
from pombal.cli.failures import complain
from pombal.cli.options import Json
from pombal.cli.output import count, print_json, show, size
from pombal.cli.questions import confirm
from pombal.config.paths import ensure

if TYPE_CHECKING:
    from pombal.care.backup import Backup
    from pombal.care.restore import Restored, Source

Progress = Callable[[str, int, int], None]


def backup(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where backups are kept; each is a directory there.")
    ],
    keep: Annotated[
        int | None, typer.Option("--keep", min=1, metavar="N", help="Afterwards remove all but the newest N backups.")
    ] = None,
    no_media: Annotated[bool, typer.Option("--no-media", help="Leave the files of messages out.")] = False,
    config: Config = None,
    state_dir: StateDir = None,
    as_json: Json = False,
) -> None:
    """Back up the database and the files of messages, as they are at one moment.

    May run beside the daemon. Files that the backup before has are linked, and take no room twice. Credentials are not
    in it: the keys of linked phones, the secret that tokens are signed with. Exit code 1: there is no backup, or files
    that it should have are gone or damaged.
    """
    from pombal.care.backup import make_backup

    paths = paths_of(config, state_dir)
    with telling(existing(paths)), _progress() as progress:
        made = make_backup(
            paths, directory.absolute(), keep=keep, with_media=not no_media, progress=progress, now=datetime.now(UTC)
        )
    if as_json:
        removed = [str(path) for path in made.removed]
        print_json({"backup": str(made.path), **asdict(made.manifest), "damaged": made.damaged, "removed": removed})
    else:
        show(_made(made))
    if made.manifest.missing_files:
        complain(
            f"{count(made.manifest.missing_files, 'file', 'files')} of messages could not be backed up, "
            f"{len(made.damaged)} of them damaged: see `pombal db check`"
        )
        raise typer.Exit(1)


def restore(
    source: Annotated[
        Path, typer.Argument(metavar="BACKUP", exists=True, help="A backup, or the database of one alone.")
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    config: Config = None,
    state_dir: StateDir = None,
    as_json: Json = False,
) -> None:
    """Put a backup in the place of what is there.

    The daemon must be stopped. The event log gets a new id, so that its readers notice. What was queued becomes
    `uncertain`: it may have been sent since, and is not sent again by itself. The former database is put aside.
    """
    from pombal.care.restore import find_source
    from pombal.care.restore import restore as restore_from

    found = find_source(source.absolute())
    paths = paths_of(config, state_dir)
    ensure(paths)
    with daemon_stopped(paths):
        if paths.database.exists() and not yes:
            confirm(
                f"Put {_told(source, found)} in the place of {paths.database}? What came later is not in it.",
                unasked=f"{paths.database} would be replaced, and nobody can be asked here: pass --yes",
            )
        with telling(source), _progress() as progress:
            done = restore_from(found, paths, progress=progress, now=datetime.now(UTC))
    if as_json:
        print_json({"database": str(paths.database), **asdict(done), "replaced": done.replaced and str(done.replaced)})
    else:
        show(_restored(source, paths.database, done))


@contextmanager
def _progress() -> Iterator[Progress]:
    """One bar, for what is being done at the moment."""
    with progress_bar() as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


def _told(path: Path, source: "Source") -> str:
    said = source.manifest
    return f"the backup of {said.made_at} ({count(said.messages, 'message', 'messages')})" if said else str(path)


def _made(made: "Backup") -> str:
    said = made.manifest
    parts = [count(said.messages, "message", "messages"), f"database {size(said.database_bytes)}"]
    if said.media_files is None:
        parts.append("without files")
    else:
        parts.append(f"{count(said.media_files, 'file', 'files')} {size(said.media_bytes)}")
    return "\n".join([f"{made.path}: {', '.join(parts)}", *(f"removed {path}" for path in made.removed)])


def _restored(source: Path, database: Path, done: "Restored") -> str:
    lines = [f"{database}: restored from {source}; the event log is {done.log_id} from now on"]
    if done.held:
        lines.append(f"{count(done.held, 'message', 'messages')} of the queue: uncertain now, and not sent by itself")
    if done.missing:
        lines.append(f"{count(done.missing, 'file', 'files')} of messages are not in the backup")
    if done.replaced:
        lines.append(f"the former database is in {done.replaced}: remove it when you don't need it any more")
    return "\n".join(lines)
