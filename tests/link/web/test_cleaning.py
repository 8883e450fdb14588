"""Taking one person out of a session's files, whatever the tables are called."""

import fcntl
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pombal.link.web import cleaning
from pombal.model.errors import Kind, PombalError
from pombal.model.person import Person, parse_person

NUMBER, OTHER, LID = "5511987654321", "5511987654329", "777123412341234"
PERSON = parse_person(NUMBER).known_as(frozenset(), frozenset({f"{LID}@lid"}))


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """As whatsmeow and the gateway leave it, with both people in every table."""
    with closing(sqlite3.connect(tmp_path / "keys.db", isolation_level=None)) as keys:
        keys.executescript(
            """
            PRAGMA journal_mode = WAL;
            CREATE TABLE whatsmeow_device (jid TEXT);
            CREATE TABLE whatsmeow_sessions (our_jid TEXT, their_id TEXT, session BLOB);
            CREATE TABLE whatsmeow_lid_map (lid TEXT, pn TEXT);
            CREATE TABLE whatsmeow_something_new (chat_jid TEXT, plaintext BLOB);
            """
        )
        keys.execute("INSERT INTO whatsmeow_device VALUES (?)", [f"{OTHER}:3@s.whatsapp.net"])
        for number, lid in ((NUMBER, LID), (OTHER, "777123412341235")):
            keys.execute("INSERT INTO whatsmeow_lid_map VALUES (?, ?)", [lid, number])
            keys.execute("INSERT INTO whatsmeow_sessions VALUES ('x', ?, x'00')", [f"{lid}_1:0"])
            keys.execute("INSERT INTO whatsmeow_something_new VALUES ('', ?)", [f"to {number}".encode()])
    with closing(sqlite3.connect(tmp_path / "spool.db", isolation_level=None)) as spool:
        spool.execute("CREATE TABLE recent (link_id TEXT, author TEXT, message BLOB)")
        spool.executemany("INSERT INTO recent VALUES (?, '', 'o segredo')", [("THEIRS",), ("ANOTHERS",)])
    (tmp_path / "received").mkdir()
    (tmp_path / "received" / "aa").write_bytes(b"a picture")
    return tmp_path


def rows(path: Path, table: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(f"SELECT * FROM {table}").fetchall()


def test_rows_that_name_them_go_from_every_table(session: Path) -> None:
    assert cleaning.names_them(session, PERSON)
    assert cleaning.clean(session, PERSON, ["THEIRS"], ["aa", "bb"], 0) == 5
    assert not cleaning.names_them(session, PERSON)
    assert rows(session / "keys.db", "whatsmeow_sessions") == [("x", "777123412341235_1:0", b"\x00")]
    assert rows(session / "keys.db", "whatsmeow_something_new") == [("", f"to {OTHER}".encode())]
    assert len(rows(session / "keys.db", "whatsmeow_device")) == 1
    assert [row[0] for row in rows(session / "spool.db", "recent")] == ["ANOTHERS"]
    assert list((session / "received").iterdir()) == []


def test_the_keys_say_who_else_they_are(session: Path) -> None:
    assert cleaning.other_names(session, parse_person(NUMBER)) == PERSON
    assert NUMBER in cleaning.other_names(session, Person(frozenset(), frozenset({f"{LID}@lid"}))).numbers
    (session / "keys.db").unlink()
    assert cleaning.other_names(session, parse_person(NUMBER)) == parse_person(NUMBER)


def test_files_that_a_gateway_has_in_use_are_left_alone(session: Path) -> None:
    with (session / cleaning.LOCK).open("ab") as lock:
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
        with pytest.raises(PombalError) as refused:
            cleaning.clean(session, PERSON, [], [], 0)
    assert refused.value.kind == Kind.UNAVAILABLE
    assert cleaning.names_them(session, PERSON)


def test_a_name_over_the_edge_of_a_block_is_seen(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * (cleaning.BLOCK_BYTES - 5) + NUMBER.encode() + b"y")
    assert cleaning.names_them(tmp_path, PERSON)
    assert not cleaning.names_them(tmp_path, parse_person("5511911111111"))
