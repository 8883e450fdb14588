"""The registry: names and labels, the two formats, gauges read at scrape time."""

import subprocess
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from pombal.config.settings import MetricsSettings
from pombal.model.session import LinkKind
from pombal.model.session_state import SessionStatus
from pombal.ops.gauges import (
    OutboxGauges,
    SessionGauges,
    Sources,
    StoreGauges,
    TransportGauges,
    measure_files,
)
from pombal.ops.metrics import Metrics

READY_SIMULATOR = (SessionStatus.READY, LinkKind.SIMULATOR)


def sources(sessions: int = 3) -> Sources:
    return Sources(
        sessions=lambda: {READY_SIMULATOR: sessions},
        outbox=lambda: OutboxGauges(depth=7, oldest_age_s=1.5),
        recorder_queue_depth=lambda: 4,
        store=lambda: StoreGauges(size_bytes=4096, wal_bytes=32, disk_free_bytes=10**12),
        mailbox_depths=lambda: {"session": 9},
        events=lambda: {"control": TransportGauges(subscribers=2, lag_events=11)},
        per_session=lambda: (
            SessionGauges(f"s{number}", is_up=number != 1, outbox_depth=number, last_frame_age_s=number or None)
            for number in reversed(range(sessions))
        ),
    )


def used(settings: MetricsSettings | None = None) -> Metrics:
    """A registry in which each metric has been told something once."""
    metrics = Metrics("1.2.3", lambda: settings or MetricsSettings(per_session=True))
    metrics.read_gauges_from(sources())
    metrics.session_restarted("simulator", "crash")
    metrics.messages_recorded("inbound", "text", "simulator", 1)
    metrics.statuses_reached("delivered", "simulator", 1)
    metrics.latency("outbound", "to_sent", "simulator", 0.02)
    metrics.high_latency("outbound", "simulator")
    metrics.batch_committed(300, 0.004)
    metrics.row_rejected()
    metrics.control_request("message.send", "ok")
    metrics.http_request("/metrics", "GET", 200, 0.003)
    metrics.loop_lag(0.0004)
    return metrics


def values(metrics: Metrics, prefix: str = "pombal_") -> dict[str, float]:
    page = metrics.render("")[0].decode()
    return {
        sample.name + (str(sorted(sample.labels.items())) if sample.labels else ""): sample.value
        for family in parse_text(page)
        for sample in family.samples
        if sample.name.startswith(prefix)
    }


def one(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_counters_and_histograms_count() -> None:
    metrics = used()
    metrics.messages_recorded("inbound", "text", "simulator", 1)
    assert one(metrics, "pombal_messages_total", direction="inbound", type="text", link="simulator") == 2
    assert one(metrics, "pombal_message_status_total", status="delivered", link="simulator") == 1
    assert one(metrics, "pombal_session_restarts_total", link="simulator", reason="crash") == 1
    assert one(metrics, "pombal_high_latency_messages_total", direction="outbound", link="simulator") == 1
    assert one(metrics, "pombal_rejected_rows_total") == 1
    assert one(metrics, "pombal_control_requests_total", method="message.send", outcome="ok") == 1
    assert one(metrics, "pombal_http_requests_total", route="/metrics", method="GET", code="200") == 1
    assert one(metrics, "pombal_http_request_seconds_count", route="/metrics", method="GET") == 1
    assert one(metrics, "pombal_build_info", version="1.2.3") == 1
    assert one(metrics, "pombal_recorder_batch_rows_sum") == 300
    assert one(metrics, "pombal_recorder_commit_seconds_bucket", le="0.005") == 1
    assert one(metrics, "pombal_recorder_commit_seconds_bucket", le="0.002") == 0
    assert one(metrics, "pombal_loop_lag_seconds_bucket", le="0.001") == 1


def test_latency_goes_to_its_bucket() -> None:
    labels = {"direction": "outbound", "stage": "to_sent", "link": "simulator"}
    metrics = used()
    assert one(metrics, "pombal_message_latency_seconds_bucket", le="0.025", **labels) == 1
    assert one(metrics, "pombal_message_latency_seconds_bucket", le="0.01", **labels) == 0
    assert one(metrics, "pombal_message_latency_seconds_bucket", le="3600.0", **labels) == 1


def test_gauges_are_read_at_scrape_time() -> None:
    metrics = used()
    assert one(metrics, "pombal_outbox_depth") == 7
    assert one(metrics, "pombal_outbox_oldest_age_seconds") == 1.5
    assert one(metrics, "pombal_recorder_queue_depth") == 4
    assert one(metrics, "pombal_store_size_bytes") == 4096
    assert one(metrics, "pombal_store_wal_bytes") == 32
    assert one(metrics, "pombal_disk_free_bytes") == 10**12
    assert one(metrics, "pombal_actor_mailbox_depth", kind="session") == 9
    assert one(metrics, "pombal_event_subscribers", transport="control") == 2
    assert one(metrics, "pombal_event_lag_events", transport="control") == 11
    metrics.read_gauges_from(sources(sessions=5))
    assert one(metrics, "pombal_sessions", status="ready", link="simulator") == 5


def test_every_status_of_a_link_in_use_is_there() -> None:
    found = [name for name in values(used()) if name.startswith("pombal_sessions")]
    assert len(found) == len(SessionStatus)
    assert one(used(), "pombal_sessions", status="error", link="simulator") == 0


def test_before_anything_is_built_a_scrape_answers() -> None:
    metrics = Metrics("1.2.3", lambda: MetricsSettings(per_session=True))
    assert "pombal_outbox_depth" not in values(metrics)
    assert b"# TYPE pombal_outbox_depth gauge" in metrics.render("")[0]


class TestPerSession:
    def test_off_unless_asked_for(self) -> None:
        assert not values(used(MetricsSettings()), "pombal_session_up")

    def test_values(self) -> None:
        metrics = used()
        assert [one(metrics, "pombal_session_up", session=f"s{number}") for number in range(3)] == [1, 0, 1]
        assert one(metrics, "pombal_session_outbox_depth", session="s2") == 2
        assert one(metrics, "pombal_session_last_frame_age_seconds", session="s2") == 2
        assert one(metrics, "pombal_session_last_frame_age_seconds", session="s0") is None

    def test_never_more_than_the_limit_and_always_the_same(self) -> None:
        metrics = used(MetricsSettings(per_session=True, max_sessions=2))
        metrics.read_gauges_from(sources(sessions=1000))
        assert set(values(metrics, "pombal_session_up")) == {
            "pombal_session_up[('session', 's0')]",
            "pombal_session_up[('session', 's1')]",
        }


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/html,*/*;q=0.8", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        (
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
        ("application/openmetrics-text;q=0.1,text/plain;q=0.5", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;q=0", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;q=much", "text/plain; version=0.0.4; charset=utf-8"),
        (
            "application/openmetrics-text; version=abc",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
    ],
)
def test_the_format_that_is_asked_for(accept: str, content_type: str) -> None:
    page, given = used().render(accept)
    assert given == content_type
    parse = parse_openmetrics if "openmetrics" in given else parse_text
    assert {"pombal_build", "pombal_build_info"} & {family.name for family in parse(page.decode())}
    assert page.endswith(b"# EOF\n") == ("openmetrics" in given)


def test_registries_are_apart() -> None:
    assert one(used(), "pombal_rejected_rows_total") == one(used(), "pombal_rejected_rows_total") == 1


def test_nothing_is_labelled_by_more_than_it_should_be() -> None:
    allowed = {
        "version", "status", "link", "reason", "direction", "type", "stage", "le", "kind", "transport", "method",
        "outcome", "route", "code",
    }  # fmt: skip
    page = used(MetricsSettings()).render("")[0].decode()
    found = {label for family in parse_text(page) for each in family.samples for label in each.labels}
    python = {"generation", "implementation", "major", "minor", "patchlevel"}
    assert found - python == allowed


def test_files_are_measured_without_opening_them(tmp_path: Path) -> None:
    (tmp_path / "pombal.db").write_bytes(b"x" * 100)
    before = measure_files(tmp_path / "pombal.db")
    assert (before.size_bytes, before.wal_bytes) == (100, 0)
    assert before.disk_free_bytes > 0
    (tmp_path / "pombal.db-wal").write_bytes(b"x" * 10)
    assert measure_files(tmp_path / "pombal.db").wal_bytes == 10


@pytest.mark.system("promtool")
@pytest.mark.parametrize("metrics", [Metrics("1.2.3", MetricsSettings), used()], ids=["fresh", "used"])
def test_promtool_has_nothing_to_say(metrics: Metrics) -> None:
    page = metrics.render("")[0]
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
