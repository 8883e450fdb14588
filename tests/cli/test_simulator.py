"""`pombal simulator`: which call each command makes, and what it shows."""

from typing import Any

import pytest

from tests.cli.commands import Runner
from tests.cli.fake_daemon import FakeDaemon


@pytest.mark.parametrize(
    ("words", "method", "params", "result", "shown"),
    [
        (["scan", "suporte"], "simulator.scan", {"name": "suporte"}, {"scanned": True}, "scanned"),
        (
            ["inject", "suporte", "5511988887777", "Oi", "--type", "image", "--count", "3"],
            "simulator.inject",
            {"name": "suporte", "from": "5511988887777", "text": "Oi", "type": "image", "count": 3},
            {"injected": 3},
            "3 on their way",
        ),
        (
            ["fault", "suporte", "stall"], "simulator.fault", {"name": "suporte", "kind": "stall"}, {"fault": "stall"},
            "stall",
        ),
    ],
)  # fmt: skip
def test_commands_of_the_simulator(
    run: Runner, daemon: FakeDaemon, words: list[str], method: str, params: dict[str, Any],
    result: dict[str, Any], shown: str,
) -> None:  # fmt: skip
    daemon.answers[method] = result
    ran = run("simulator", *words)
    assert ran.code == 0
    assert shown in ran.out
    assert daemon.calls == [(method, params)]


def test_an_unknown_fault_is_wrong_usage(run: Runner, daemon: FakeDaemon) -> None:
    ran = run("simulator", "fault", "suporte", "earthquake")
    assert ran.code == 2
    assert "stall" in ran.err
