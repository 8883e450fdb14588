"""Files and directories that are private, and on their disk."""

import os
from pathlib import Path

MODE = 0o700  # of directories


def sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def private(path: str, flags: int) -> int:
    """For open(): to be read by its owner alone."""
    return os.open(path, flags, 0o600)
