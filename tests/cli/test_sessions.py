"""`pombal session`: which call each command makes, and what it shows."""

from typing import Any

import pytest

from pombal.model.session_state import EVERY, RUNNING, WAITS_FOR_START, Reason
from tests.cli import objects
from tests.cli.commands import Runner
from tests.cli.fake_daemon import FakeDaemon


@pytest.mark.parametrize(
    ("words", "method", "params"),
    [
        (["create", "suporte"], "session.create", {"name": "suporte", "start": True}),
        (
            ["create", "vendas", "--link", "simulator", "--owner", "ana", "--phone-number", "+55 11 99999-0000",
             "--device-name", "Balcão", "--no-start", "--setting", "seed=7", "--setting",
             'sent_ms={"median": 20, "p99": 90}', "--setting", "note=a=b"],
            "session.create",
            {"name": "vendas", "link": "simulator", "owner": "ana", "phone_number": "+55 11 99999-0000",
             "device_name": "Balcão", "start": False,
             "settings": {"seed": 7, "sent_ms": {"median": 20, "p99": 90}, "note": "a=b"}},
        ),
        (
            ["create", "loja", "--link", "web", "--proxy", "socks5://10.0.0.1:1080", "--setting", "burst=2"],
            "session.create",
            {"name": "loja", "link": "web", "start": True, "settings": {"burst": 2, "proxy": "socks5://10.0.0.1:1080"}},
        ),
        (["show", "suporte"], "session.get", {"name": "suporte"}),
        (["update", "suporte", "--device-name", ""], "session.update", {"name": "suporte", "device_name": None}),
        (["update", "suporte", "--owner", "bia"], "session.update", {"name": "suporte", "owner": "bia"}),
        (["start", "suporte"], "session.start", {"name": "suporte"}),
        (["stop", "suporte"], "session.stop", {"name": "suporte"}),
        (["restart", "suporte"], "session.restart", {"name": "suporte"}),
        (["logout", "suporte"], "session.logout", {"name": "suporte"}),
    ],
)  # fmt: skip
def test_commands_that_answer_with_a_session(
    run: Runner, daemon: FakeDaemon, words: list[str], method: str, params: dict[str, Any]
) -> None:
    daemon.answers[method] = objects.session()
    plain, as_json = run("session", *words), run("session", *words, "--json")
    assert (plain.code, as_json.code) == (0, 0)
    assert "ready" in plain.out
    assert as_json.json == daemon.answers[method]
    assert daemon.calls == [(method, params)] * 2


def test_a_session_in_trouble_says_what_to_do(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["session.get"] = objects.session("suporte", "error", "logged_out", last_error="device removed")
    out = run("session", "show", "suporte").out
    assert "error/logged_out" in out
    assert "scan the QR code again" in out
    assert "device removed" in out


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_says_what_to_do_in_plain_words(run: Runner, daemon: FakeDaemon, reason: Reason) -> None:
    status = next(place[0] for place in EVERY if place[1] == reason)
    daemon.answers["session.get"] = objects.session("suporte", status, reason)
    shown = {
        line.partition("  ")[0]: line.partition("  ")[2].strip() for line in run("session", "show", "suporte").lines
    }
    assert len(shown["what to do"]) > 20
    if (status, reason) in WAITS_FOR_START:
        assert shown["commands"].startswith("pombal session start suporte")
    elif (status, reason) in RUNNING:
        assert "commands" not in shown


def test_a_new_session_says_how_to_link_a_phone(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["session.create"] = objects.session("loja", "connecting", phone_number=None)
    assert "link a phone with `pombal session qr loja`" in run("session", "create", "loja", "--link", "web").out


def test_a_proxy_is_given_once(run: Runner, daemon: FakeDaemon) -> None:
    outcome = run("session", "create", "loja", "--proxy", "http://a:1", "--setting", "proxy=http://b:2")
    assert (outcome.code, daemon.calls) == (2, [])


def test_a_session_that_waits_for_a_scan_says_how(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["session.start"] = objects.session("suporte", "qrcode")
    assert run("session", "start", "suporte").out == (
        "suporte is qrcode: scan the QR code with `pombal session qr suporte`\n"
    )


def _two_pages(params: dict[str, Any]) -> dict[str, Any]:
    if "cursor" not in params:
        return objects.page(objects.session("a"), objects.session("b", "error", "banned"), next_cursor="more")
    return objects.page(objects.session("c", "disconnected", "stopped"))


def test_list_shows_all_sessions_in_a_table(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["session.list"] = _two_pages
    outcome = run("session", "list", "--active", "--owner", "ana", "--search", "x")
    assert [line.split()[:2] for line in outcome.lines] == [
        ["SESSION", "STATUS"], ["a", "ready"], ["b", "error/banned"], ["SESSION", "STATUS"],
        ["c", "disconnected/stopped"],
    ]  # fmt: skip
    first, second = daemon.called("session.list")
    assert first == {"is_active": True, "owner": "ana", "search": "x", "limit": 500}
    assert second == first | {"cursor": "more"}


def test_list_json_is_one_page_and_all_of_them_with_all(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["session.list"] = _two_pages
    one = run("session", "list", "--json")
    assert one.json == _two_pages({})
    assert one.err == ""
    assert len(run("session", "list", "--json", "--all").lines) == 2
    limited = run("session", "list", "--limit", "2")
    assert "there are more" in limited.err


def test_nothing_found_is_said_beside_the_output(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["session.list"] = objects.page()
    outcome = run("session", "list", "--status", "error", "--link", "web")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "nothing found\n")


def test_pair_code(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["session.pair_code"] = {"code": "ABCD-EFGH", "expires_at": objects.NOW}
    outcome = run("session", "pair-code", "suporte", "5511999990000")
    assert "ABCD-EFGH" in outcome.out
    assert "2027-01-15 08:00:00Z" in outcome.out
    assert daemon.calls == [("session.pair_code", {"name": "suporte", "phone_number": "5511999990000"})]


def test_metrics(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["session.metrics"] = objects.metrics()
    outcome = run("session", "metrics", "suporte")
    assert "1.00 %" in outcome.out
    assert "queued to sent" in outcome.out
    assert run("session", "metrics", "suporte", "--json").json == objects.metrics()


def test_delete_asks_nobody_who_cannot_answer(run: Runner, daemon: FakeDaemon) -> None:
    outcome = run("session", "delete", "suporte", "--purge")
    assert (outcome.code, daemon.calls) == (1, [])
    assert "pass --yes" in outcome.err
    assert "all its messages" in outcome.err


def test_delete_with_yes(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["session.delete"] = {"deleted": True, "messages_deleted": 12}
    outcome = run("session", "delete", "suporte", "--purge", "--yes")
    assert (outcome.code, outcome.out) == (0, "deleted; 12 messages went with it\n")
    assert daemon.calls == [("session.delete", {"name": "suporte", "purge": True})]


@pytest.mark.parametrize(("typed", "deleted", "code"), [(b"y\n", 1, 0), (b"n\n", 0, 1), (b"\x04", 0, 130)])
def test_delete_on_a_terminal_asks(run: Runner, daemon: FakeDaemon, typed: bytes, deleted: int, code: int) -> None:
    daemon.answers["session.delete"] = {"deleted": True, "messages_deleted": 0}
    with run.terminal("session", "delete", "suporte") as terminal:
        terminal.wait_for("[y/N]")
        terminal.type(typed)
        assert terminal.finish() == code
    assert len(daemon.calls) == deleted
    assert b"Traceback" not in terminal.seen
