"""`pombal serve`, `status` and `ps`."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pombal.config.errors import StartRefused
from tests.cli import objects
from tests.cli.commands import Runner
from tests.cli.fake_daemon import FakeDaemon


def test_status(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["daemon.status"] = objects.daemon_status()
    out = run("status").out
    assert "0.1.0, pid 4711" in out
    assert "3: 2 ready, 1 error" in out
    assert "0 waiting, commits within 4 ms (p99)" in out
    assert "1.5 MiB" in out
    assert "/var/lib/pombal/pombal.db (schema 3)" in out


def test_ps_shows_every_actor(run: Runner, daemon: FakeDaemon) -> None:
    crashed = objects.actor("session:b", state="cooling_down", restarts=5, last_crash="ValueError: bad\x1b frame")

    def pages(params: dict[str, Any]) -> dict[str, Any]:
        if "cursor" in params:
            return {"results": [crashed], "next": None}
        return {"results": [objects.actor("recorder", "recorder", mailbox_depth=3)], "next": "more"}

    daemon.answers["daemon.actors"] = pages
    outcome = run("ps")
    assert outcome.lines[1].split() == ["recorder", "recorder", "running", "3/64", "0", "1", "min", "–", "–"]
    assert "cooling_down" in outcome.lines[3]
    assert outcome.lines[3].endswith("ValueError: bad\ufffd frame")
    assert run("ps", "--json").json == pages({})


def test_ps_kind_and_limit(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["daemon.actors"] = {"results": [objects.actor("a")], "next": "more"}
    outcome = run("ps", "--kind", "session", "--crashed", "--limit", "1")
    assert daemon.calls == [("daemon.actors", {"kind": "session", "crashed": True, "limit": 1})]
    assert "there are more" in outcome.err


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """In place of the daemon: what serve asked for."""
    asked: list[dict[str, Any]] = []

    def run_app(settings: Any, **options: Any) -> int:
        asked.append({"settings": settings} | options)
        if settings.log.level == "debug":
            raise StartRefused("another pombal (pid 7) uses the state directory /x; stop it first")
        return 7

    module = ModuleType("pombal.app")
    module.run = run_app  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pombal.app", module)
    return asked


def test_serve_ends_with_the_daemons_exit_code(run: Runner, app: list[dict[str, Any]], tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[outbox]\nwindow = 3\n")
    assert run("serve", "--demo", "--state-dir", "/srv/pombal").code == 7
    (asked,) = app
    assert asked.pop("settings").outbox.window == 3
    assert asked == {"demo": True, "config_path": file, "state_dir": Path("/srv/pombal")}


def test_serve_refuses_a_wrong_file_with_2(run: Runner, app: list[dict[str, Any]], tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text("[outbox]\nwindow = 0\nwindou = 1\n")
    outcome = run("serve", "--config", str(file))
    assert (outcome.code, app) == (2, [])
    assert outcome.err.splitlines() == [
        f"pombal: {file}: outbox.windou: unknown key; did you mean outbox.window?",
        f"{file}: outbox.window: must be at least 1, not 0",
    ]


def test_serve_tells_why_it_cannot_start(run: Runner, app: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[log]\nlevel = "debug"\n')
    outcome = run("serve")
    assert outcome.code == 1
    assert outcome.err == "pombal: another pombal (pid 7) uses the state directory /x; stop it first\n"
