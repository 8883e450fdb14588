"""`pombal bench` with the real daemon, in sizes that say nothing about speed."""

import json
from pathlib import Path

import pytest

from pombal.bench import suite
from pombal.bench.ingest import Ingest
from pombal.bench.query import Query
from pombal.bench.running import BenchmarkFailed
from pombal.bench.send import Send
from pombal.cli.bench import Name
from tests.cli.commands import Runner


def test_every_benchmark_has_a_name_and_both_sizes() -> None:
    names = [name.value for name in Name if name is not Name.ALL]
    assert list(suite.USUAL) == list(suite.SMALL) == names


def test_figures_come_as_json_with_the_hosts_own_beside_them(
    run: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(suite, "SMALL", {"ingest": Ingest(messages=400, sessions=4), "send": Send(80, 4)})
    (tmp_path / "here").mkdir()
    done = run("bench", "all", "--small", "--runs", "1", "--json", "--directory", str(tmp_path / "here"))
    assert done.code == 0, done.err
    results = {each["name"]: each for each in json.loads(done.out)["results"]}
    assert list(results) == ["ingest.rate", "ingest.disk", "send.accepted", "send.lives", "send.disk"]
    for name in ("ingest.rate", "send.accepted", "send.lives"):
        assert results[name]["ratio"] == pytest.approx(results[name]["value"] / results[name]["limit"], rel=0.01)
    assert list((tmp_path / "here").iterdir()) == []


def test_a_table_shows_them_to_people(run: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(suite, "SMALL", {"ingest": Ingest(messages=40, sessions=2)})
    done = run("bench", "ingest", "--small", "--runs", "1", "--directory", str(tmp_path))
    assert [line.split()[0] for line in done.out.splitlines()] == ["FIGURE", "ingest.rate", "ingest.disk"]


def test_what_cannot_be_measured_is_said(run: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Broken:
        async def run(self, root: Path, progress: object) -> list[object]:
            raise BenchmarkFailed("the daemon did not start:\nno space left")

    monkeypatch.setattr(suite, "SMALL", {"ingest": Broken()})
    done = run("bench", "ingest", "--small", "--directory", str(tmp_path))
    assert done.code == 1
    assert "ingest could not be measured: the daemon did not start" in done.err


def test_queries_are_asked_of_as_many_messages_as_one_likes() -> None:
    assert suite.sized(suite.USUAL, 5_000_000)["query"] == Query(messages=5_000_000)
    assert suite.sized(suite.USUAL, None) == suite.USUAL


def test_what_has_no_past_takes_no_number_of_messages(run: Runner) -> None:
    done = run("bench", "ingest", "--messages", "20000")
    assert done.code == 2
    assert "ingest takes no --messages" in done.err
