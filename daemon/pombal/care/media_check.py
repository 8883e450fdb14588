"""What `pombal db check` finds out about the files of messages: whether they are there, and what they are."""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from pombal.care.manifest import FILE, read_manifest
from pombal.care.media_copies import CHUNK_BYTES
from pombal.config.paths import Paths
from pombal.media.files import IS_SHA256, UNFINISHED
from pombal.store.copies import known_media, media_counts

Progress = Callable[[str], None]


def check_media(state: Paths, *, deep: bool, progress: Progress) -> tuple[list[str], list[str]]:
    """(problems, facts that are no damage), a sentence each. deep: every file is read, and held to its name.

    May run beside the daemon, which adds and removes files meanwhile. Raises StoreError, CareRefused.
    """
    if (state.state / FILE).exists() and read_manifest(state.state).media_files is None:
        return [], ["a backup without files"]
    progress("files")
    known = dict(known_media(state.database))
    here = dict(_files(state.media))
    missing = {sha256 for sha256 in known if sha256 not in here}
    short = {sha256 for sha256, size_bytes in here.items() if known.get(sha256, size_bytes) != size_bytes}
    spoilt = set(_spoilt(state.media, here.keys() - short, progress)) if deep else set[str]()
    still_known = dict(known_media(state.database)) if missing or spoilt else known
    problems = [
        f"{len(found)} files {what}, first {min(found)}"
        for found, what in (
            (missing & still_known.keys(), "that the database knows of are gone"),
            (short, "have another size than the database says"),
            (spoilt, "are damaged: their bytes are not those of their name"),
        )
        if found
    ]
    return problems, _facts(state, sum(sha256 not in still_known for sha256 in here))


def _facts(state: Paths, orphans: int) -> list[str]:
    unused, absent = media_counts(state.database)
    facts = (
        (orphans, "files have no row: the daemon removes them in time"),
        (unused, "files are spoken of by no message: the daemon removes them in time"),
        (absent, "messages speak of files that are not here: never fetched, or past retention"),
    )
    return [f"{count} {what}" for count, what in facts if count]


def _files(root: Path) -> Iterator[tuple[str, int]]:
    """(sha256, size in bytes) of every file in a media store, whatever else lies there."""
    if not root.is_dir():
        return
    for drawer in os.scandir(root):
        if not drawer.is_dir() or drawer.name == UNFINISHED:
            continue
        for entry in os.scandir(drawer):
            if IS_SHA256.fullmatch(sha256 := drawer.name + entry.name):
                yield sha256, entry.stat().st_size


def _spoilt(root: Path, sha256s: set[str], progress: Progress) -> Iterator[str]:
    for number, sha256 in enumerate(sorted(sha256s)):
        if number % 100 == 0:
            progress(f"files: {number} of {len(sha256s)} read")
        digest = hashlib.sha256()
        try:
            with (root / sha256[:2] / sha256[2:]).open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    digest.update(chunk)
        except FileNotFoundError:  # removed meanwhile
            continue
        if digest.hexdigest() != sha256:
            yield sha256
