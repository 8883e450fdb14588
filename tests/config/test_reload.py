"""What a reload changes, and what it leaves for the next start."""

import pytest

from pombal.config.keys import all_keys
from pombal.config.reload import LiveSettings, ReloadReport, compare, is_live
from pombal.config.settings import (
    HttpSettings,
    LogSettings,
    OutboxSettings,
    SessionSettings,
    Settings,
)

NEW = Settings(
    log=LogSettings(level="debug"),
    outbox=OutboxSettings(window=7),
    sessions=SessionSettings(cooldown_s=1, mailbox_capacity=7),
    http=HttpSettings(bind="127.0.0.1:9"),
)


def test_nothing_changed() -> None:
    assert compare(Settings(), Settings()) == ReloadReport()


def test_changes_are_told_in_the_order_of_the_file() -> None:
    assert compare(Settings(), NEW).object() == {
        "changed": ["log.level", "sessions.mailbox_capacity", "sessions.cooldown_s", "outbox.window", "http.bind"],
        "needs_restart": ["sessions.mailbox_capacity", "http.bind"],
    }


def test_what_needs_a_restart_stays_as_it_runs_and_is_told_again() -> None:
    live = LiveSettings(Settings())
    first = live.replace(NEW)
    assert live.current.log.level == "debug"
    assert live.current.outbox.window == 7
    assert live.current.sessions.cooldown_s == 1
    assert live.current.sessions.mailbox_capacity == Settings().sessions.mailbox_capacity
    assert live.current.http == Settings().http
    again = live.replace(NEW)
    assert first.needs_restart == again.needs_restart == again.changed


def test_a_change_taken_back_before_the_restart_is_forgotten() -> None:
    live = LiveSettings(Settings())
    live.replace(NEW)
    live.replace(Settings())
    assert live.current == Settings()
    assert live.replace(Settings()) == ReloadReport()


@pytest.mark.parametrize(
    ("key", "live"),
    [
        ("latency.acceptable_ms", True),
        ("retention.events_days", True),
        ("metrics.per_session", True),
        ("link.probe_after_s", True),
        ("link.reconnect_max_s", True),
        ("link.connect_timeout_s", False),
        ("sessions.restart_intensity", True),
        ("sessions.default_link", False),
        ("simulator.sent_ms", False),
        ("daemon.state_dir", False),
        ("recorder.max_batch_rows", False),
    ],
)
def test_which_keys_are_live(key: str, live: bool) -> None:
    assert key in all_keys()
    assert is_live(key) == live
