"""`pombal contact export`, `erase` and `erasure`."""

import base64
from pathlib import Path
from typing import Any

from tests.cli.commands import Runner
from tests.cli.fake_daemon import FakeDaemon

MADE = {
    "export": "E", "size_bytes": 6, "messages": 112, "media_files": 9, "events": 340, "contacts": 1, "rejected": 0,
}  # fmt: skip
DONE: dict[str, Any] = {
    "erasure": "01M4Q", "number": "5511*******99", "state": "done", "step": None,
    "wanted_at": "2026-09-21T14:13:20.000Z", "done_at": "2026-09-21T14:13:24.310Z",
    "removed": {"messages": 112, "media_files": 9, "rejected": 0}, "not_reached": ["the gateway of session X"],
}  # fmt: skip


def chunk(data: bytes, *, eof: bool) -> dict[str, Any]:
    return {"data": base64.b64encode(data).decode(), "eof": eof}


def test_an_export_is_saved_whole(run: Runner, daemon: FakeDaemon, tmp_path: Path) -> None:
    daemon.answers["contact.export"] = MADE
    daemon.answers["contact.export_chunk"] = lambda params: chunk(
        b"abcdef"[params["offset"] : params["offset"] + 3], eof=params["offset"] == 3
    )
    target = tmp_path / "ana.zip"
    ran = run("contact", "export", "5511999999999", "-o", str(target))
    assert (ran.code, target.read_bytes()) == (0, b"abcdef")
    assert "112 messages, 9 media files, 340 events" in ran.out
    assert [params["offset"] for params in daemon.called("contact.export_chunk")] == [0, 3]


def test_a_file_that_is_there_stays(run: Runner, daemon: FakeDaemon, tmp_path: Path) -> None:
    target = tmp_path / "ana.zip"
    target.write_bytes(b"mine")
    assert run("contact", "export", "5511999999999", "-o", str(target)).code == 2
    assert (target.read_bytes(), daemon.calls) == (b"mine", [])


def test_an_erasure_and_its_receipt(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["contact.erase"] = daemon.answers["contact.erasure"] = DONE
    ran = run("contact", "erase", "+55 11 99999-9999", "--yes", "--wait", "2")
    assert "112 messages, 9 media files" in ran.out
    assert "the gateway of session X" in ran.out
    assert daemon.called("contact.erase") == [{"number": "+55 11 99999-9999", "wait_s": 2.0}]
    assert run("contact", "erasure", "01M4Q", "--json").json == DONE


def test_it_is_not_done_without_a_yes(run: Runner, daemon: FakeDaemon) -> None:
    ran = run("contact", "erase", "5511999999999")
    assert (ran.code, daemon.calls) == (1, [])
    assert "--yes" in ran.err
