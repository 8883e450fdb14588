"""Names that others may choose."""

import subprocess
import sys

import pytest

from pombal.model.errors import Kind, PombalError
from pombal.model.ids import RESERVED_SESSION_NAMES, check_message_id, check_session_name, new_ulid


@pytest.mark.parametrize("name", ["a", "0", "suporte", "a.b_c-d", "x" * 64, "started"])
def test_session_names(name: str) -> None:
    assert check_session_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "..", ".a", "-a", "_a", "A", "a b", "a/b", "ação", "x" * 65, "a\n", *sorted(RESERVED_SESSION_NAMES)]
)
def test_refused_session_names(name: str) -> None:
    with pytest.raises(PombalError) as caught:
        check_session_name(name)
    assert caught.value.kind == Kind.INVALID


@pytest.mark.parametrize("message_id", ["a", "!~", "x" * 128, "ticket-4711/3", '"'])
def test_message_ids(message_id: str) -> None:
    assert check_message_id(message_id) == message_id


@pytest.mark.parametrize("message_id", ["", "x" * 129, "a b", "a\n", "é", "\x7f", "\ud800", "１"])
def test_refused_message_ids(message_id: str) -> None:
    with pytest.raises(PombalError, match="printable ASCII"):
        check_message_id(message_id)


def test_ulids() -> None:
    ids = {new_ulid() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(ulid) == 26 for ulid in ids)
    assert {ulid.lower() for ulid in ids}.isdisjoint(RESERVED_SESSION_NAMES)


FORKED = """
import os
from pombal.model.ids import new_ulid

new_ulid()
child = os.fork()
for _ in range(100):
    os.write(1, f"{new_ulid()}\\n".encode())
if child:
    os.wait()
"""


def test_forked_processes_make_ids_of_their_own() -> None:
    made = subprocess.run([sys.executable, "-c", FORKED], check=True, capture_output=True, text=True).stdout.split()
    assert len(made) == len(set(made)) == 200
