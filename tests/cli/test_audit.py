"""`pombal audit`: its filters, and who did what in a line."""

from typing import Any

from tests.cli.commands import Runner
from tests.cli.fake_daemon import FakeDaemon

PERSON = {
    "name": "uid 1000 pid 7",
    "role": "admin",
    "owner": None,
    "uid": 1000,
    "pid": 7,
    "user": "maria",
    "token_id": None,
}
TOKEN = {"name": "7's token", "role": "user", "owner": "7", "uid": None, "pid": None, "user": None, "token_id": "01M4Q"}


def entry(**fields: Any) -> dict[str, Any]:
    plain = {
        "id": 3, "at": "2026-09-21T14:13:20.000Z", "method": "session.update", "outcome": "ok", "caller": PERSON,
        "target": {"name": "suporte", "changed": ["owner", "settings"]},
    }  # fmt: skip
    return plain | fields


def test_a_line_says_who_did_what_to_what(run: Runner, daemon: FakeDaemon) -> None:
    refused = entry(method="session.stop", outcome="not_found", caller=TOKEN, target={"name": "vendas"})
    daemon.answers["audit.list"] = {"results": [entry(), refused], "next": None}
    _, first, second = run("audit").lines
    assert "2026-09-21 14:13:20Z" in first
    assert "maria (uid 1000)" in first
    assert "name=suporte changed=owner,settings" in first
    assert "7's token 01M4Q" in second
    assert "not_found" in second


def test_filters(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["audit.list"] = {"results": [], "next": None}
    words = ["--method", "session.", "--owner", "7", "--uid", "0", "--outcome", "ok", "-s", "suporte", "-n", "5"]
    ran = run("audit", *words)
    assert (ran.code, ran.out) == (0, "")
    assert daemon.calls[0][1] == {
        "method": "session.", "owner": "7", "uid": 0, "outcome": "ok", "session": "suporte", "limit": 5,
    }  # fmt: skip
