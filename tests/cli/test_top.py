"""`pombal top`: which sessions it shows, their rates, and how it fits a terminal."""

import json
from typing import Any

from pombal.cli.output import console
from pombal.cli.top_view import Look, render_top, rows_to_show
from tests.cli import objects
from tests.cli.commands import Runner
from tests.cli.fake_daemon import FakeDaemon, Refusal


def look(at_s: float, *sessions: dict[str, Any], before: Look | None = None) -> Look:
    shown = Look(
        at_s=at_s,
        status=objects.daemon_status(ready=len(sessions)),
        sessions=objects.page(*sessions),
        latency=objects.latency(),
        before=None if before is None else before.totals(),
        before_s=None if before is None else before.at_s,
    )
    shown.metrics = {session["id"]: objects.metrics(session["name"]) for session in sessions}
    return shown


def counted(name: str, sent: int, received: int, status: str = "ready", reason: str | None = None) -> dict[str, Any]:
    return objects.session(name, status, reason, total_messages_sent=sent, total_messages_received=received)


def rendered(shown: Look, width: int) -> list[str]:
    target = console()
    target.width = width
    with target.capture() as capture:
        target.print(render_top(shown))
    return capture.get().splitlines()


def test_rates_are_what_came_between_two_looks() -> None:
    first = look(100.0, counted("a", 10, 0))
    second = look(102.0, counted("a", 15, 1), counted("new", 900, 0), before=first)
    assert second.rates(second.sessions["results"][0]) == (2.5, 0.5)
    assert second.rates(second.sessions["results"][1]) is None
    assert first.rates(first.sessions["results"][0]) is None


def test_trouble_comes_first_then_the_busiest_then_names() -> None:
    names = ("quiet-b", "busy", "quiet-a")
    first = look(0.0, *(counted(name, 0, 0) for name in names), counted("broken", 0, 0, "error", "banned"))
    now = [counted("quiet-b", 0, 0), counted("busy", 9, 0), counted("quiet-a", 0, 0)]
    second = look(1.0, *now, counted("broken", 0, 0, "error", "banned"), before=first)
    assert [session["name"] for session in rows_to_show(second, 10)] == ["broken", "busy", "quiet-a", "quiet-b"]
    assert [session["name"] for session in rows_to_show(second, 1)] == ["broken"]


def test_every_width_has_whole_columns() -> None:
    first = look(0.0, counted("suporte", 0, 0))
    second = look(1.0, counted("suporte", 3, 4), before=first)
    for width in (40, 60, 80, 100, 160):
        lines = rendered(second, width)
        assert all(len(line) <= width for line in lines)
        head = next(line for line in lines if line.startswith("SESSION"))
        row = next(line for line in lines if line.startswith("suporte"))
        assert head.split()[:4] == ["SESSION", "STATUS", "OUT/S", "IN/S"]
        assert row.split()[:4] == ["suporte", "ready", "3.0", "4.0"]
    assert "LAST ACTIVITY" in rendered(second, 160)[4]


def test_more_sessions_than_rows_are_counted() -> None:
    shown = look(0.0, counted("a", 0, 0))
    shown.status["sessions"] = {"ready": 10_000}
    assert rendered(shown, 80)[-1].strip() == "and 9999 more"


def prepare(daemon: FakeDaemon) -> None:
    sent = iter(range(0, 10_000, 10))

    def sessions(params: dict[str, Any]) -> dict[str, Any]:
        if "cursor" in params:
            return objects.page(counted("b", 0, 0))
        return objects.page(counted("a", next(sent), 0), next_cursor="more")

    def metrics(params: dict[str, Any]) -> dict[str, Any]:
        if params["name"].endswith("B"):
            raise Refusal("not_found", "deleted since")
        return objects.metrics("a")

    daemon.answers |= {
        "daemon.status": objects.daemon_status(),
        "session.list": sessions,
        "latency.stats": objects.latency(),
        "session.metrics": metrics,
    }


def test_once_shows_one_table_with_rates(run: Runner, daemon: FakeDaemon) -> None:
    prepare(daemon)
    outcome = run("top", "--once", "--interval", "0.2")
    (row,) = [line for line in outcome.lines if line.startswith("a ")]
    assert 0 < float(row.split()[2]) <= 50
    assert len(daemon.called("daemon.status")) == 2
    assert daemon.called("latency.stats")[0] == {"since": "15m"}


def test_json_has_each_result_under_its_method(run: Runner, daemon: FakeDaemon) -> None:
    prepare(daemon)
    outcome = run("top", "--once", "--json")
    assert outcome.json["daemon.status"] == objects.daemon_status()
    assert [session["name"] for session in outcome.json["session.list"]["results"]] == ["a", "b"]
    assert outcome.json["session.metrics"] == [objects.metrics("a")]


def test_json_without_once_goes_on(run: Runner, daemon: FakeDaemon) -> None:
    prepare(daemon)
    with run.process("top", "--json", "--interval", "0.2") as process:
        assert process.stdout is not None
        looks = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.stdout.close()
        assert process.stderr is not None
        process.stderr.close()
    counts = [each["session.list"]["results"][0]["total_messages_sent"] for each in looks]
    assert counts == [0, 10]


def test_live_on_a_terminal_until_ctrl_c(run: Runner, daemon: FakeDaemon) -> None:
    prepare(daemon)
    with run.terminal("top", "--interval", "0.2", columns=72) as terminal:
        daemon.wait_for_call("daemon.status", times=3)
        terminal.wait_for("DELIVERED P95")
        terminal.type(b"\x03")
        assert terminal.finish() == 130
    assert b"Traceback" not in terminal.seen
