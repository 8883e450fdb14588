"""`pombal token create`: what it asks for, and that its output is the token alone."""

from typing import Any

import pytest

from tests.cli.commands import Runner
from tests.cli.fake_daemon import FakeDaemon

MADE = {"token": "e30.e30.x", "expires_at": "2027-01-15T08:00:00.000Z", "sign_in_link": None}


@pytest.mark.parametrize(
    ("words", "params"),
    [
        ([], {"role": "user"}),
        (["--role", "admin", "--expires", "90d"], {"role": "admin", "expires_s": 7_776_000}),
        (["--expires", "12h"], {"role": "user", "expires_s": 43_200}),
    ],
)
def test_a_token(run: Runner, daemon: FakeDaemon, words: list[str], params: dict[str, Any]) -> None:
    daemon.answers["token.create"] = MADE
    ran = run("token", "create", "--owner", "42", *words)
    assert (ran.code, ran.out) == (0, "e30.e30.x\n")
    assert "of 42, until 2027-01-15 08:00:00Z" in ran.err
    assert daemon.calls == [("token.create", {"owner": "42"} | params)]


def test_a_sign_in_link(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["token.create"] = MADE | {"sign_in_link": "http://127.0.0.1:8001/sign-in?code=x"}
    ran = run("token", "create", "--owner", "42", "--sign-in-link")
    assert ran.out == "http://127.0.0.1:8001/sign-in?code=x\n"
    assert daemon.calls[0][1]["sign_in_link"] is True


def test_json_is_the_result_itself(run: Runner, daemon: FakeDaemon) -> None:
    daemon.answers["token.create"] = MADE
    assert run("token", "create", "--owner", "42", "--json").json == MADE


@pytest.mark.parametrize("words", [["--expires", "soon"], ["--expires", "0s"], ["--role", "reader"]])
def test_wrong_usage(run: Runner, daemon: FakeDaemon, words: list[str]) -> None:
    assert run("token", "create", "--owner", "42", *words).code == 2
    assert daemon.calls == []
