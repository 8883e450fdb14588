"""A sign of life while the daemon takes its time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pombal.cli import client
from tests.cli import objects
from tests.cli.commands import WAIT_S, Runner
from tests.cli.fake_daemon import FakeDaemon, Refusal


@pytest.fixture
def spinning(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set once a spinner turns."""
    turning = threading.Event()

    @contextmanager
    def spinner(text: str) -> Iterator[None]:
        assert text == "waiting for daemon.status"
        turning.set()
        yield

    monkeypatch.setattr(client, "spinner", spinner)
    return turning


def test_an_answer_that_takes_long_gets_a_spinner(
    run: Runner, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch, spinning: threading.Event
) -> None:
    def answer_late(params: dict[str, Any]) -> dict[str, Any]:
        assert spinning.wait(WAIT_S)
        return objects.daemon_status()

    monkeypatch.setattr(client, "PATIENCE_S", 0.01)
    daemon.answers["daemon.status"] = answer_late
    assert run("status").code == 0
    assert spinning.is_set()


def test_a_late_refusal_is_told_as_any_other(
    run: Runner, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch, spinning: threading.Event
) -> None:
    def refuse_late(params: dict[str, Any]) -> dict[str, Any]:
        assert spinning.wait(WAIT_S)
        raise Refusal("unavailable", "the disk is full")

    monkeypatch.setattr(client, "PATIENCE_S", 0.01)
    daemon.answers["daemon.status"] = refuse_late
    outcome = run("status")
    assert (outcome.code, outcome.err) == (1, "pombal: the disk is full\n")


def test_a_quick_answer_gets_none(run: Runner, daemon: FakeDaemon, spinning: threading.Event) -> None:
    daemon.answers["daemon.status"] = objects.daemon_status()
    run("status")
    assert not spinning.is_set()


def test_a_pipe_sees_no_spinner(capsys: pytest.CaptureFixture[str]) -> None:
    with client.spinner("waiting"):
        pass
    assert capsys.readouterr() == ("", "")
