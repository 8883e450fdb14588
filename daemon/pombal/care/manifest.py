"""What a backup says of itself: `backup.json`, written last, in the directory that is the backup."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from pombal.care.durable import private
from pombal.config.errors import StartRefused

FILE = "backup.json"
DATABASE = "pombal.db"
MEDIA = "media"
FORMAT = 1


class CareRefused(StartRefused):
    """A backup or a restore that cannot be done; the text says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """made_at: ISO 8601, before the copy began. media_files: None where files were left out.

    missing_files: which the database knows of and nobody could find; of those only a person can say why.
    """

    format: int
    version: str
    made_at: str
    log_id: str
    last_event_seq: int
    messages: int
    database_bytes: int
    media_files: int | None
    media_bytes: int
    missing_files: int


_READ = TypeAdapter(Manifest)


def write_manifest(directory: Path, manifest: Manifest) -> None:
    with open(directory / FILE, "w", encoding="utf-8", opener=private) as file:
        file.write(json.dumps(asdict(manifest), indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_manifest(directory: Path) -> Manifest:
    """Raises CareRefused for a directory that is no backup, or one that this program does not understand."""
    try:
        manifest = _READ.validate_json((directory / FILE).read_bytes())
    except FileNotFoundError:
        raise CareRefused(f"{directory} is no backup: there is no {FILE} in it") from None
    except (OSError, ValidationError) as error:
        raise CareRefused(f"{directory / FILE} cannot be read: {error}") from error
    if manifest.format != FORMAT:
        raise CareRefused(f"{directory} has format {manifest.format}, and this program knows {FORMAT}: upgrade it")
    return manifest
