"""Whether a session has keys decides between a connection and a new QR code: a crash must not change the answer."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from pombal.gateway.keys import KEYS, has_keys, prepare_keys, remove_keys

# A device is there; then a transaction is written out in part (the cache is tiny), and the process is gone.
DIES_IN_A_TRANSACTION = """
import os, signal, sqlite3, sys
keys = sqlite3.connect(sys.argv[1], isolation_level=None)
keys.execute("CREATE TABLE whatsmeow_device (jid TEXT)")
keys.execute("INSERT INTO whatsmeow_device VALUES ('5511999990001')")
keys.execute("CREATE TABLE whatsmeow_pre_keys (key BLOB)")
keys.execute("PRAGMA cache_size = 1")
keys.execute("PRAGMA cache_spill = 1")
keys.execute("BEGIN")
for _ in range(200):
    keys.execute("INSERT INTO whatsmeow_pre_keys VALUES (zeroblob(4000))")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_no_file_no_tables_no_device_are_no_keys(tmp_path: Path) -> None:
    assert not has_keys(tmp_path)
    (tmp_path / KEYS).touch()
    assert not has_keys(tmp_path)
    with closing(sqlite3.connect(tmp_path / KEYS)) as keys:
        keys.execute("CREATE TABLE whatsmeow_device (jid TEXT)")
    assert not has_keys(tmp_path)


def test_keys_are_there_after_a_crash_in_a_transaction(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", DIES_IN_A_TRANSACTION, tmp_path / KEYS], check=False, timeout=60)
    assert (tmp_path / f"{KEYS}-journal").stat().st_size > 0
    with (
        closing(sqlite3.connect(f"file:{tmp_path / KEYS}?mode=ro", uri=True)) as reader,
        pytest.raises(sqlite3.OperationalError),
    ):
        reader.execute("SELECT 1 FROM whatsmeow_device").fetchone()
    assert has_keys(tmp_path)


def test_what_cannot_be_read_is_not_taken_for_a_logout(tmp_path: Path) -> None:
    (tmp_path / KEYS).write_bytes(b"no database" * 1000)
    assert has_keys(tmp_path)


def test_removed_keys_are_gone_with_their_journal(tmp_path: Path) -> None:
    for name in (KEYS, f"{KEYS}-journal", "spool.db"):
        (tmp_path / name).touch()
    remove_keys(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["spool.db"]


def test_what_the_client_gets_is_private_and_written_ahead(tmp_path: Path) -> None:
    for _ in range(2):
        prepare_keys(tmp_path)
    assert (tmp_path / KEYS).stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(tmp_path / KEYS)) as keys:
        assert keys.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert not has_keys(tmp_path)
