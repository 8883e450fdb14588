"""The file in which WhatsApp's client keeps a session's keys: whether there are any, and their removal."""

import sqlite3
from contextlib import closing
from pathlib import Path

KEYS = "keys.db"


def has_keys(directory: Path) -> bool:
    """Whether the session has been linked, as far as its keys say. Only a file that says no by itself is a no."""
    path = directory / KEYS
    if not path.exists():
        return False
    # Read and write: what dies in the middle of a transaction leaves a journal, which a reader may not roll back.
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as keys:
        try:
            return keys.execute("SELECT 1 FROM whatsmeow_device LIMIT 1").fetchone() is not None
        except sqlite3.Error as error:
            # Made and never used: it has no tables. Whatever else it is, nobody may take it for a logout.
            return "no such table" not in str(error)


def prepare_keys(directory: Path) -> None:
    """Before WhatsApp's client opens the file: private, and with a log that is written ahead.

    whatsmeow writes its ratchets several times a message; with SQLite's own choice, a journal that is deleted, each of
    them waits for the disk three times instead of once.
    """
    path = directory / KEYS
    path.touch(mode=0o600)
    with closing(sqlite3.connect(path)) as keys:
        keys.execute("PRAGMA journal_mode=WAL")


def remove_keys(directory: Path) -> None:
    for path in directory.glob(f"{KEYS}*"):
        path.unlink()
