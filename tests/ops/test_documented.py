"""docs/metrics.md describes every metric, each with a PromQL line that Prometheus understands."""

import json
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from pombal.config.settings import MetricsSettings
from pombal.ops.metrics import Metrics

PAGE = (Path(__file__).parents[2] / "docs/metrics.md").read_text()
ENTRY = re.compile(
    r"^### `(?P<name>[a-z_]+)(?:\{(?P<labels>[a-z_,]+)\})?`\n(?P<text>(?:(?!^#).*\n)*?)```promql\n(?P<query>.+)\n```\n",
    re.MULTILINE,
)


class Entry(NamedTuple):
    labels: tuple[str, ...]
    text: str
    query: str


def _entries() -> dict[str, Entry]:
    return {
        each["name"]: Entry(
            tuple((each["labels"] or "").split(",")) if each["labels"] else (), each["text"], each["query"]
        )
        for each in ENTRY.finditer(PAGE)
    }


ENTRIES = _entries()


def _exported() -> set[str]:
    """Names as Prometheus sees them; every family is listed before it has a sample."""
    page = Metrics("1.2.3", lambda: MetricsSettings(per_session=True)).render("")[0].decode()
    return set(re.findall(r"^# TYPE (\S+) ", page, flags=re.MULTILINE))


def test_every_metric_is_described_and_no_other() -> None:
    assert set(ENTRIES) == _exported()


def test_every_heading_was_understood() -> None:
    assert len(re.findall(r"^### ", PAGE, flags=re.MULTILINE)) == len(ENTRIES)


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_the_query_is_about_the_metric(name: str) -> None:
    assert re.search(rf"\b{name}(_bucket|_sum|_count)?\b", ENTRIES[name].query)
    assert len(ENTRIES[name].text.strip()) > 20


def test_labels_are_those_of_the_contract() -> None:
    metrics = Metrics("1.2.3", MetricsSettings)
    for collector in (
        metrics._restarts, metrics._messages, metrics._statuses, metrics._latencies, metrics._high_latencies,
        metrics._control_requests, metrics._http_requests, metrics._http_seconds,
    ):  # fmt: skip
        assert ENTRIES[collector.name].labels == collector.labels


@pytest.mark.system("promtool")
def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    rules = [{"record": f"test:{name}", "expr": entry.query} for name, entry in ENTRIES.items()]
    path = tmp_path / "rules.yml"  # JSON is YAML
    path.write_text(json.dumps({"groups": [{"name": "docs", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{len(ENTRIES)} rules found" in done.stdout
