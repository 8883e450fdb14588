"""`pombal db backup`: one directory that is a whole backup, made beside a daemon that goes on working."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pombal import __version__
from pombal.care import places
from pombal.care.manifest import DATABASE, FORMAT, MEDIA, CareRefused, Manifest, write_manifest
from pombal.care.media_copies import MediaCopy
from pombal.config.paths import Paths
from pombal.store.copies import DatabaseFacts, copy_database, facts_of, known_media

Progress = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is done, and how much there is in all."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What was made; damaged: files whose bytes are not the ones that they were stored with; removed: older backups."""

    path: Path
    manifest: Manifest
    damaged: list[str]
    removed: list[Path]


def make_backup(
    state: Paths, directory: Path, *, keep: int | None, with_media: bool, progress: Progress, now: datetime
) -> Backup:
    """A new backup in directory, and of those there at most ``keep`` in the end. Raises CareRefused, StoreError.

    A backup is whole from the moment on that it has its name; what fails leaves none. Files are linked to those of the
    backup before, where that has them. Keys of linked phones and the tokens' secret are not in it; docs/operations.md
    says why.
    """
    with places.working_in(directory):
        name = places.new_name(directory, now)
        before = places.backups_in(directory)[-1:]
        try:
            with places.unfinished(directory, name) as part:
                copy_database(state.database, part / DATABASE, progress=partial(progress, "database"))
                facts = facts_of(part / DATABASE)
                media = _copy_media(state, part, before, progress) if with_media else None
                manifest = _manifest(now, facts, media)
                write_manifest(part, manifest)
                made = places.finish(part, name)
            removed = places.rotate(directory, keep, made) if keep is not None else []
        except OSError as error:
            raise CareRefused(f"the backup cannot be written to {directory}: {error.strerror}") from error
    return Backup(made, manifest, media.damaged if media else [], removed)


def _copy_media(state: Paths, part: Path, before: list[Path], progress: Progress) -> MediaCopy:
    """The files that the copied database knows of: what is put there meanwhile is for the next backup."""
    known = known_media(part / DATABASE)
    copy = MediaCopy(state.media, part / MEDIA, before[0] / MEDIA if before else None)
    copy.take(known, lambda done: progress("files", done, len(known)))
    return copy


def _manifest(now: datetime, facts: DatabaseFacts, media: MediaCopy | None) -> Manifest:
    return Manifest(
        format=FORMAT,
        version=__version__,
        made_at=f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z",
        log_id=facts.log_id,
        last_event_seq=facts.last_event_seq,
        messages=facts.messages,
        database_bytes=facts.size_bytes,
        media_files=None if media is None else media.files,
        media_bytes=0 if media is None else media.size_bytes,
        missing_files=0 if media is None else len(media.missing) + len(media.damaged),
    )
