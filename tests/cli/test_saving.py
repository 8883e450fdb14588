"""`pombal message media`: whole or not at all, and wherever a stranger's file name points, nowhere else."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest

from pombal.cli.saving import file_name
from tests.cli import objects
from tests.cli.commands import WAIT_S, Runner
from tests.cli.fake_daemon import FakeDaemon, Refusal

DATA = bytes(range(256)) * 5000
CHUNK_BYTES = 524_288


def with_file(data: bytes = DATA, name: str | None = "foto.png", **fields: Any) -> dict[str, Any]:
    media = {
        "mime_type": "image/png", "size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(),
        "file_name": name,
    }  # fmt: skip
    return objects.message(content={"media": media}, message_type="image", **fields)


@pytest.fixture
def stocked(daemon: FakeDaemon) -> FakeDaemon:
    """A daemon with one message that has a file."""

    def chunk(params: dict[str, Any]) -> dict[str, Any]:
        piece = DATA[params["offset"] : params["offset"] + CHUNK_BYTES]
        eof = params["offset"] + len(piece) >= len(DATA)
        return {"data": base64.b64encode(piece).decode(), "eof": eof}

    daemon.answers |= {"message.get": with_file(), "media.get": chunk}
    return daemon


@pytest.fixture
def here(run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where commands run."""
    directory = tmp_path / "here"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


def test_a_file_is_saved_under_its_own_name_chunk_by_chunk(run: Runner, stocked: FakeDaemon, here: Path) -> None:
    outcome = run("message", "media", "suporte", "ticket-1")
    assert outcome.out == "saved foto.png (1.2 MiB)\n"
    assert (here / "foto.png").read_bytes() == DATA
    assert [path.name for path in here.iterdir()] == ["foto.png"]
    assert [params["offset"] for params in stocked.called("media.get")] == [0, CHUNK_BYTES, 2 * CHUNK_BYTES]


def test_by_its_number_into_a_directory_or_under_another_name(run: Runner, stocked: FakeDaemon, here: Path) -> None:
    (here / "in").mkdir()
    assert run("message", "media", "41", "-o", "in").code == 0
    assert run("message", "media", "41", "--output", "other.png", "--json").json == with_file()
    assert (here / "in/foto.png").read_bytes() == (here / "other.png").read_bytes() == DATA
    assert stocked.called("message.get")[0] == {"id": 41}


def test_what_is_there_is_not_written_over_unasked(run: Runner, stocked: FakeDaemon, here: Path) -> None:
    (here / "foto.png").write_text("mine")
    outcome = run("message", "media", "41")
    assert (outcome.code, "--force" in outcome.err) == (2, True)
    assert (here / "foto.png").read_text() == "mine"
    assert run("message", "media", "41", "--force").code == 0
    assert (here / "foto.png").read_bytes() == DATA


def test_to_stdout_or_as_json_but_not_both(run: Runner, stocked: FakeDaemon) -> None:
    assert run("message", "media", "41", "-o", "-", "--json").code == 2
    with run.process("message", "media", "41", "-o", "-") as process:
        assert process.stdout is not None
        written = process.stdout.buffer.read()  # type: ignore[attr-defined]
        assert process.wait(WAIT_S) == 0
    assert written == DATA


def test_a_message_without_a_file(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["message.get"] = objects.message()
    outcome = run("message", "media", "41")
    assert (outcome.code, "has no file" in outcome.err) == (1, True)


def test_a_file_that_has_not_come_yet_leaves_nothing(run: Runner, stocked: FakeDaemon, here: Path) -> None:
    stocked.answers["media.get"] = Refusal("not_found", "the file of this message is not here yet")
    outcome = run("message", "media", "41")
    assert (outcome.code, "not here yet" in outcome.err) == (1, True)
    assert list(here.iterdir()) == []


def test_other_bytes_than_the_messages_are_not_kept(run: Runner, stocked: FakeDaemon, here: Path) -> None:
    stocked.answers["message.get"] = with_file(b"something else")
    outcome = run("message", "media", "41")
    assert (outcome.code, "another sha256" in outcome.err) == (1, True)
    assert list(here.iterdir()) == []


def test_a_directory_that_cannot_be_written(run: Runner, stocked: FakeDaemon) -> None:
    outcome = run("message", "media", "41", "-o", "/proc/nowhere/x.png")
    assert (outcome.code, "cannot be written" in outcome.err) == (1, True)


@pytest.mark.parametrize(
    ("own", "name"),
    [
        ("conta de luz.pdf", "conta de luz.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\\\windows\\\\x.exe", "x.exe"),
        (".bashrc", "bashrc"),
        ("-rf", "rf"),
        ("a\nb\x1b[31m.png", "a_b__31m.png"),
        ("ação 🕊.txt", "ação _.txt"),
        ("x" * 300 + ".pdf", "x" * 116 + ".pdf"),
        ("..", "ticket-1.png"),
        ("/", "ticket-1.png"),
        (None, "ticket-1.png"),
    ],
)
def test_names_that_strangers_choose(own: str | None, name: str) -> None:
    assert file_name(with_file(name=own)) == name


def test_a_name_of_its_own_for_what_has_none() -> None:
    message = with_file(name=None, message_id="a/../b c")
    message["media"]["mime_type"] = "audio/x-unheard-of; codecs=opus"
    assert file_name(message) == "a_.._b c"
