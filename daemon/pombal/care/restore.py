"""`pombal db restore`: a backup in the place of what is there, which is put aside and not lost."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pombal.care.manifest import DATABASE, MEDIA, CareRefused, Manifest, read_manifest
from pombal.care.media_copies import MediaCopy
from pombal.care.places import backups_in
from pombal.config.paths import Paths
from pombal.store.copies import known_media, restore_database

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Source:
    """What to restore from: a backup, or the database of one alone, which says nothing of itself."""

    database: Path
    media: Path | None
    manifest: Manifest | None


@dataclass(frozen=True, slots=True)
class Restored:
    """held: messages that were queued, and are uncertain now. replaced: where the former database is.

    files: of those that the database knows, how many are here; missing: how many are not, in the backup neither.
    """

    log_id: str
    held: int
    replaced: Path | None
    files: int
    missing: int


def find_source(path: Path) -> Source:
    """Raises CareRefused, with the newest backup where path is a directory of them."""
    if path.is_file():
        return Source(path, None, None)
    if found := backups_in(path):
        raise CareRefused(f"{path} holds {len(found)} backups: name one of them; the newest is {found[-1]}")
    manifest = read_manifest(path)
    media = path / MEDIA if manifest.media_files is not None else None
    return Source(path / DATABASE, media, manifest)


def restore(source: Source, state: Paths, *, progress: Progress, now: datetime) -> Restored:
    """Files first: more of them than are needed do no harm, and the database is the last step, and one.

    The state directory is the caller's alone. Raises CareRefused, StoreError; the database is as it was then.
    """
    files, missing = 0, 0
    if source.media is not None:
        known = known_media(source.database)
        copy = MediaCopy(source.media, state.media)
        try:
            copy.take(known, lambda done: progress("files", done, len(known)))
        except OSError as error:
            raise CareRefused(f"files cannot be written to {state.media}: {error.strerror}") from error
        files, missing = copy.files, len(copy.missing) + len(copy.damaged)
    done = restore_database(
        source.database,
        state.database,
        aside=state.replaced / f"{now.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}",
        made_at=source.manifest.made_at if source.manifest else None,
        progress=partial(progress, "database"),
    )
    return Restored(done.log_id, done.held, done.replaced, files, missing)
