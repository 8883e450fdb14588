"""`pombal events`: pages of the log, and following it over a restart of the daemon."""

import json
from typing import Any

import pytest

from tests.cli import objects
from tests.cli.commands import Runner
from tests.cli.fake_daemon import FakeDaemon, HangUp, Play, Refusal, Subscription

END = Refusal("not_found", "there is no such session any more")


def listing(*events: dict[str, Any], last_seq: int = 12) -> dict[str, Any]:
    return {"results": list(events), "last_seq": last_seq, "log_id": "LOG"}


def telling(*events: dict[str, Any]) -> Play:
    """Tells events and is gone."""

    def play(subscription: Subscription) -> None:
        subscription.emit(*events)
        raise HangUp

    return play


def test_the_newest_page(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["events.list"] = listing(objects.status_event(11, "sent"), objects.status_event(12, "delivered"))
    outcome = run("events", "--session", "suporte", "--type", "message.status", "--type", "gap", "--limit", "2")
    assert [line.split()[2] for line in outcome.lines] == ["11", "12"]
    assert outcome.lines[1].endswith("ticket-1 queued → delivered after 83 ms")
    assert daemon.calls == [("events.list", {"limit": 2, "sessions": ["suporte"], "types": ["message.status", "gap"]})]
    assert run("events", "--json").json == daemon.answers["events.list"]


def test_all_pages(run: Runner, daemon: FakeDaemon) -> None:
    def pages(params: dict[str, Any]) -> dict[str, Any]:
        return listing(*(objects.qr_event(seq, None) for seq in range(params["after"] + 1, params["after"] + 7)))

    daemon.answers["events.list"] = pages
    outcome = run("events", "--all")
    assert [line.split()[2] for line in outcome.lines] == [str(seq) for seq in range(1, 13)]
    assert [params["after"] for params in daemon.called("events.list")] == [0, 6]


def test_no_events(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["events.list"] = listing()
    outcome = run("events", "--after", "12")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "no such events\n")


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (objects.session_event(1, "connecting", objects.session("a", "error", "banned")), "connecting → error/banned"),
        (objects.event(1, "session.created", objects.session()), "session.created   suporte          ready"),
        (objects.qr_event(1, "2@SECRET"), "valid until 2027-01-15 08:00:00Z"),
        (objects.qr_event(1, None), "expired or not for us"),
        (objects.event(1, "message.queued", objects.message("queued")), "→ 5511988887777: Olá"),
        (objects.event(1, "message.received", objects.message(text_content="a\n\x1b[2J")), ": a ⏎ \ufffd[2J"),
        (objects.status_event(1, "failed", error={"kind": "expired", "detail": None}), "queued → failed: expired"),
        (objects.event(1, "message.overdue", {"id": 1, "message_id": "t-1", "chat_id": "x"}), "t-1"),
        (objects.event(1, "message.received", {"erased": True}), "erased"),
        (objects.event(1, "message.edited", {"id": 1, "message_id": "t-1", "chat_id": "x"}), "t-1"),
        (
            objects.event(1, "message.edited", {"id": 1, "message_id": "t-1", "chat_id": "x", "message_type": "text"}),
            "t-1 can be read now: text",
        ),
        (
            objects.event(1, "session.gap", objects.session() | {"detail": "the gateway\nwas killed"}),
            "messages may have been lost: the gateway ⏎ was killed",
        ),
        ({"seq": 9, "type": "gap", "data": {"from": 3, "to": 9}}, "events 3 to 9 are not there any more"),
    ],
)  # fmt: skip
def test_what_each_event_says(run: Runner, daemon: FakeDaemon, event: dict[str, Any], told: str) -> None:
    daemon.answers["events.list"] = listing(event)
    outcome = run("events")
    assert outcome.lines[0].endswith(told)
    assert "SECRET" not in outcome.out


def test_follow_begins_where_the_log_ends(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["events.list"] = listing()
    daemon.plays = [END]
    outcome = run("events", "--follow", "--session", "suporte")
    assert (outcome.code, outcome.err) == (1, f"pombal: {END}\n")
    assert daemon.called("events.subscribe") == [{"after": 12, "log_id": "LOG", "sessions": ["suporte"]}]


def test_follow_resumes_after_a_restart_and_loses_nothing(run: Runner, daemon: FakeDaemon) -> None:
    cursor = {"seq": 20, "type": "cursor"}
    shown = [objects.status_event(13, "sent"), objects.status_event(21, "delivered")]
    restarting = Refusal("shutting_down", "the daemon shuts down")
    daemon.plays = [telling(shown[0], cursor), restarting, telling(shown[1]), END]
    outcome = run("events", "--follow", "--after", "12", "--json")
    assert outcome.out == "".join(f"{json.dumps(event, ensure_ascii=False)}\n" for event in shown)
    first, *later = daemon.called("events.subscribe")
    assert first == {"after": 12}
    assert later == [{"after": after, "log_id": "LOG"} for after in (20, 20, 21)]
    assert outcome.err.splitlines() == [
        "the daemon went away; waiting for it to go on after event 20",
        "the daemon is back; going on after event 20",
        "the daemon went away; waiting for it to go on after event 21",
        f"pombal: {END}",
    ]


def test_follow_says_when_the_log_is_another_one(run: Runner, daemon: FakeDaemon) -> None:
    def restored(subscription: Subscription) -> None:
        subscription.emit({"seq": 30, "type": "gap", "data": {"from": 14, "to": 30}})
        raise HangUp

    def then_restored(subscription: Subscription) -> None:
        subscription.daemon.log_id = "OTHER"
        telling(objects.status_event(13, "sent"))(subscription)

    daemon.plays = [then_restored, restored, END]
    outcome = run("events", "--follow", "--after", "12")
    assert "this is another event log (OTHER, not LOG)" in outcome.err
    assert outcome.lines[1].endswith("events 14 to 30 are not there any more")
    assert daemon.called("events.subscribe")[2] == {"after": 30, "log_id": "OTHER"}


def test_follow_does_not_wait_for_what_waiting_cannot_mend(run: Runner, daemon: FakeDaemon) -> None:
    daemon.plays = [telling(objects.status_event(13, "sent")), Refusal("forbidden", "members only")]
    outcome = run("events", "--follow", "--after", "12")
    assert (outcome.code, len(daemon.calls)) == (1, 2)
    assert outcome.err.endswith("pombal: members only\n")
