"""Metrics and health of a running daemon: each metric with its labels, read by promtool and by a real Prometheus."""

import json
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families

from pombal.control.client import Client, RemoteError
from tests.daemon.harness import WAIT_S, Home, Life, ready_session, until, until_all, until_status
from tests.daemon.test_isolation import actor
from tests.ops.test_documented import ENTRIES

ANA = "5511987654321"
HTTP_REQUESTS = "pombal_http_requests_total"

# The names and labels that dashboards and alerts are built on.
PROMISED = {
    "pombal_build_info": {"version"},
    "pombal_sessions": {"status", "link"},
    "pombal_session_restarts_total": {"link", "reason"},
    "pombal_messages_total": {"direction", "type", "link"},
    "pombal_message_status_total": {"status", "link"},
    "pombal_message_latency_seconds": {"direction", "stage", "link"},
    "pombal_high_latency_messages_total": {"direction", "link"},
    "pombal_outbox_depth": set(),
    "pombal_outbox_oldest_age_seconds": set(),
    "pombal_recorder_queue_depth": set(),
    "pombal_recorder_batch_rows": set(),
    "pombal_recorder_commit_seconds": set(),
    "pombal_rejected_rows_total": set(),
    "pombal_store_size_bytes": set(),
    "pombal_store_wal_bytes": set(),
    "pombal_disk_free_bytes": set(),
    "pombal_actor_mailbox_depth": {"kind"},
    "pombal_event_subscribers": {"transport"},
    "pombal_event_lag_events": {"transport"},
    "pombal_control_requests_total": {"method", "outcome"},
    HTTP_REQUESTS: {"route", "method", "code"},
    "pombal_http_request_seconds": {"route", "method"},
    "pombal_loop_lag_seconds": set(),
    "pombal_session_up": {"session"},
    "process_resident_memory_bytes": set(),
    "python_info": {"implementation", "major", "minor", "patchlevel", "version"},
}
STAGES = {"to_sent", "to_delivered", "to_read", "queue", "link", "delivery", "inbound"}


@pytest.fixture(scope="module")
def shared() -> Iterator[Life]:
    with tempfile.TemporaryDirectory(prefix="pombal-") as directory:
        home = Home(Path(directory), {"latency": {"acceptable_ms": 1}, "metrics": {"per_session": True}})
        with home.shared() as life:
            yield life


@pytest.fixture
async def daemon(shared: Life) -> AsyncIterator[Life]:
    """One with everything behind it that is counted: messages both ways, a slow one, a crash, refusals, a listener."""
    async with shared.client() as client, client.events() as _:
        if not (await client.session_list()).results:
            await ready_session(client)
            await traffic(client)
        yield shared


async def traffic(client: Client) -> None:
    sent = await client.message_send("vendas", ANA, text="x")
    await until_all(client, "vendas", {sent.message_id}, "read")
    await client.simulator_inject("vendas", ANA, text="y")
    await until(client, lambda _: True, types=["message.received"])
    with pytest.raises(RemoteError):
        await client.session_get("nobody")
    await client.simulator_fault("vendas", "crash")
    down = await until_status(client, "vendas", "disconnected")
    await until_status(client, "vendas", "ready", after=down["seq"])
    assert (await actor(client, "vendas")).restarts == 1


@asynccontextmanager
async def page(daemon: Life, path: str, **headers: str) -> AsyncIterator[httpx2.Response]:
    async with httpx2.AsyncClient(timeout=WAIT_S) as http:
        yield await http.get(f"{daemon.url}{path}", headers=headers)


def samples_of(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """By the name of the metric: a histogram's parts count as its own, and so does a counter's suffix."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = family.name + ("_total" if family.type == "counter" else "")
            labels = {label: value for label, value in sample.labels.items() if label != "le"}
            found.setdefault(name, []).append((labels, sample.value))
    return found


async def test_every_metric_is_there_with_its_labels(daemon: Life) -> None:
    asked = {"route": "/api/v1/health", "method": "GET", "code": "200"}
    async with page(daemon, "/metrics") as answer:
        before = [number for given, number in samples_of(answer.text).get(HTTP_REQUESTS, []) if given == asked]
    async with page(daemon, "/api/v1/health/"):
        """Counted before it is answered, so that the next page has a request in it."""
    async with page(daemon, "/metrics") as answer:
        assert answer.headers["content-type"].startswith("text/plain; version=")
        found = samples_of(answer.text)
    for name, labels in PROMISED.items():
        assert name in found, name
        assert all(set(given) == labels for given, _ in found[name]), name
    stages = {given["stage"] for given, _ in found["pombal_message_latency_seconds"]}
    assert stages == STAGES
    assert value(found, "pombal_messages_total", direction="outbound", type="text", link="simulator") == 1
    assert value(found, "pombal_messages_total", direction="inbound", type="text", link="simulator") == 1
    assert value(found, "pombal_message_status_total", status="read", link="simulator") == 1
    assert value(found, "pombal_session_restarts_total", link="simulator", reason="crash") == 1
    assert value(found, "pombal_sessions", status="ready", link="simulator") == 1
    assert value(found, "pombal_high_latency_messages_total", direction="outbound", link="simulator") == 1
    assert value(found, "pombal_control_requests_total", method="session.get", outcome="not_found") == 1
    assert value(found, "pombal_event_subscribers", transport="control") == 1
    assert value(found, HTTP_REQUESTS, **asked) == sum(before) + 1
    assert value(found, "pombal_session_up", session="vendas") == 1
    assert {sample for sample in found if sample.startswith(("pombal_", "process_", "python_"))} <= set(ENTRIES) | {
        "pombal_build_info"
    }


def value(found: dict[str, list[tuple[dict[str, str], float]]], name: str, **labels: str) -> float:
    (one,) = [number for given, number in found[name] if given == labels]
    return one


async def test_openmetrics_where_it_is_asked_for(daemon: Life) -> None:
    async with page(daemon, "/metrics", accept="application/openmetrics-text; version=1.0.0") as answer:
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        assert answer.text.endswith("# EOF\n")


async def test_a_page_that_a_proxy_forwards_is_refused(daemon: Life) -> None:
    async with page(daemon, "/metrics", **{"x-forwarded-for": "203.0.113.7"}) as answer:
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"


async def test_health(daemon: Life) -> None:
    async with page(daemon, "/api/v1/health/") as answer:
        assert (answer.status_code, answer.json()["status"], answer.json()["simulator"]) == (200, "ok", True)
    for path in ("/livez", "/readyz", "/api/v1/health"):
        async with page(daemon, path) as answer:
            assert answer.status_code == 200, path
    async with page(daemon, "/nothing") as answer:
        assert answer.status_code == 404
        assert answer.json()["kind"] == "not_found"


@pytest.mark.system("promtool")
async def test_promtool_has_nothing_to_say(daemon: Life) -> None:
    async with page(daemon, "/metrics") as answer:
        done = await trio.run_process(
            ["promtool", "check", "metrics"],
            stdin=answer.content,
            capture_stderr=True,
            capture_stdout=True,
            check=False,
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


# A real Prometheus


@pytest.fixture
def prometheus(tmp_path: Path, daemon: Life) -> Iterator[str]:
    """The URL of one that scrapes the daemon once a second."""
    target = {"job_name": "pombal", "static_configs": [{"targets": [daemon.url.removeprefix("http://")]}]}
    config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [target]}
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [
        "prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/tsdb",
        f"--web.listen-address={address}", "--log.level=warn",
    ]  # fmt: skip
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield f"http://{address}"
        finally:
            process.terminate()


async def ask(http: httpx2.AsyncClient, url: str, query: str) -> list[dict[str, Any]]:
    answer = await http.get(f"{url}/api/v1/query", params={"query": query})
    if answer.status_code == 503:  # it listens before it has read its own store
        return []
    assert answer.status_code == 200, answer.text
    result: list[dict[str, Any]] = answer.json()["data"]["result"]
    return result


async def answered(http: httpx2.AsyncClient, url: str, query: str) -> float:
    """Ask it until it has an answer: it tells nobody when it has scraped, and forgets all when once it could not."""
    with trio.fail_after(WAIT_S):
        while True:
            with suppress(httpx2.ConnectError):
                if found := await ask(http, url, query):
                    return float(found[0]["value"][1])
            await trio.sleep(0.1)


@pytest.mark.system("prometheus")
async def test_a_prometheus_scrapes_and_answers(daemon: Life, prometheus: str) -> None:
    async with httpx2.AsyncClient(timeout=WAIT_S) as http:
        await answered(http, prometheus, 'up{job="pombal"} == 1')
        assert await answered(http, prometheus, 'sum(pombal_sessions{status="ready"})') == 1
        quantile = 'histogram_quantile(0.95, sum by (le) (pombal_message_latency_seconds_bucket{stage="to_delivered"}))'
        assert 0 < await answered(http, prometheus, quantile) < 60
        for entry in ENTRIES.values():
            await ask(http, prometheus, entry.query)
