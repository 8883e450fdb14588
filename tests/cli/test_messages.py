"""`pombal message`, `contact` and `latency`."""

from typing import Any

import pytest

from pombal.model.times import parse_time
from tests.cli import objects
from tests.cli.commands import Runner
from tests.cli.fake_daemon import FakeDaemon

FILTERS = ["--session", "suporte", "--direction", "outbound", "--type", "text", "--status", "failed"]
FILTERED = {"session": "suporte", "direction": "outbound", "message_type": "text", "status": "failed"}
PLACE = ["--chat", "5511@s.whatsapp.net", "--number", "5511988887777", "--order", "asc", "--limit", "7"]
PLACED = {"chat_id": "5511@s.whatsapp.net", "contact_number": "5511988887777", "order": "asc", "limit": 7}


@pytest.mark.parametrize(
    ("words", "method", "params"),
    [
        (["list", "--origin", "api", "--search", "olá"], "message.list", {"origin": "api", "search": "olá"}),
        (["search", "olá mundo"], "message.list", {"search": "olá mundo"}),
        (["high-latency", "--threshold-ms", "900"], "message.high_latency", {"threshold_ms": 900}),
    ],
)
def test_every_filter_reaches_the_daemon(
    run: Runner, daemon: FakeDaemon, words: list[str], method: str, params: dict[str, Any]
) -> None:
    daemon.answers[method] = objects.page(objects.message())
    assert run("message", *words, *FILTERS, *PLACE).code == 0
    assert daemon.calls == [(method, params | FILTERED | PLACED)]


def test_ages_are_sent_as_instants(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["message.list"] = objects.page()
    run("message", "list", "--since", "2h", "--until", "2027-01-15 08:00:00Z")
    (params,) = daemon.called("message.list")
    assert params["until"] == objects.NOW
    assert parse_time(params["since"], 0) > 0
    assert params["since"].endswith("Z")


def test_the_table(run: Runner, daemon: FakeDaemon) -> None:
    inbound = objects.message(
        "delivered", id=42, direction="inbound", sent_at=objects.NOW_MS, message_type="image", contact_name="João",
        content={"media": {"mime_type": "image/png", "size_bytes": 3, "sha256": "0" * 64, "file_name": "a.png"}},
    )  # fmt: skip
    failed = objects.message("failed", id=43, error_kind="expired", text_content="um\ndois \x1b[31m")
    daemon.answers["message.list"] = objects.page(failed, inbound, next_cursor="x")
    outcome = run("message", "list")
    assert [line.split()[0] for line in outcome.lines] == ["ID", "43", "42"]
    assert "→" in outcome.lines[1]
    assert "um ⏎ dois \ufffd[31m" in outcome.lines[1]
    assert "failed/expired" in outcome.lines[1]
    assert "←" in outcome.lines[2]
    assert "5511988887777 João" in outcome.lines[2]
    assert "[image] a.png Olá" in outcome.lines[2]
    assert outcome.err == "there are more: --all shows all, --limit another number of them\n"


def test_all_follows_the_cursor(run: Runner, daemon: FakeDaemon) -> None:
    def pages(params: dict[str, Any]) -> dict[str, Any]:
        return objects.page(objects.message(), next_cursor=None if "cursor" in params else "c")

    daemon.answers["message.list"] = pages
    outcome = run("message", "list", "--all", "--json")
    assert len(outcome.lines) == 2
    assert [params.get("cursor") for params in daemon.called("message.list")] == [None, "c"]
    assert [params["limit"] for params in daemon.called("message.list")] == [500, 500]


@pytest.mark.parametrize(
    ("words", "params"),
    [(["suporte", "ticket-1"], {"session": "suporte", "message_id": "ticket-1"}), (["41"], {"id": 41})],
)
def test_show(run: Runner, daemon: FakeDaemon, words: list[str], params: dict[str, Any]) -> None:
    shown = objects.message(
        "failed", error_kind="expired", error_detail="queued for more than 24 h", text_content="a\nb"
    )
    daemon.answers["message.get"] = shown
    outcome = run("message", "show", *words)
    assert daemon.calls == [("message.get", params)]
    assert "expired: queued for more than 24 h" in outcome.out
    assert "2027-01-15 08:00:00.002Z" in outcome.out
    assert "in the queue 2 ms" in outcome.out
    assert run("message", "show", *words, "--json").json == shown


def test_mark_read(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["message.mark_read"] = {"marked": 2}
    outcome = run("message", "mark-read", "suporte", "A", "B")
    assert outcome.out == "2 marked as read\n"
    assert daemon.calls == [("message.mark_read", {"session": "suporte", "message_ids": ["A", "B"]})]


@pytest.mark.parametrize("command", ["cancel", "resend"])
def test_cancel_and_resend(run: Runner, daemon: FakeDaemon, command: str) -> None:
    daemon.answers[f"message.{command}"] = objects.message("failed", error_kind="cancelled")
    outcome = run("message", command, "suporte", "ticket-1")
    assert outcome.out == "suporte ticket-1 failed: cancelled\n"
    assert daemon.calls == [(f"message.{command}", {"session": "suporte", "message_id": "ticket-1"})]


def test_contact_check(run: Runner, daemon: FakeDaemon) -> None:
    found = {"number": "551187654321", "exists": True, "canonical_id": "551187654321@s.whatsapp.net", "lid": "9@lid"}
    daemon.answers["contact.check"] = {
        "results": [found, {"number": "5511", "exists": False, "canonical_id": None, "lid": None}]
    }
    outcome = run("contact", "check", "suporte", "551187654321", "5511")
    assert outcome.lines[1].split() == ["551187654321", "yes", "551187654321@s.whatsapp.net", "9@lid"]
    assert outcome.lines[2].split() == ["5511", "no", "–", "–"]
    assert daemon.calls == [("contact.check", {"session": "suporte", "numbers": ["551187654321", "5511"]})]
    assert run("contact", "check", "suporte", "5511", "--json").json == daemon.answers["contact.check"]


def test_latency(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["latency.stats"] = objects.latency()
    outcome = run("latency", "--session", "suporte", "--since", "2027-01-15T08:00:00Z", "--direction", "outbound")
    assert daemon.calls == [("latency.stats", {"session": "suporte", "since": objects.NOW, "direction": "outbound"})]
    rows = {line[:20].strip(): line[20:].split("  ") for line in outcome.lines}
    assert [cell.strip() for cell in rows["queued to sent"] if cell.strip()] == [
        "22 ms",
        "20 ms",
        "31 ms",
        "45 ms",
        "5.21 s",
    ]
    assert "99.83 % (below 5.00 s)" in outcome.out
    assert run("latency", "--json").json == objects.latency()
