"""Every metric that Prometheus finds, in one registry of our own. docs/metrics.md says what each is good for.

Called by the loop's thread alone, which is the one that shows them (tallies.py). Gauges are read at scrape time
(gauges.py).
"""

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Info,
    PlatformCollector,
    ProcessCollector,
)

from pombal.config.settings import MetricsSettings
from pombal.ops.exposition import render
from pombal.ops.gauges import Gauges, Sources
from pombal.ops.tallies import TalliedCounter, TalliedHistogram

# From a loopback's millisecond to the hour after which nobody expects an answer; 5 s is the default of
# [latency] acceptable_ms.
LATENCY_BUCKETS_S = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600,
)  # fmt: skip
COMMIT_BUCKETS_S = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
BATCH_BUCKETS_ROWS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
HTTP_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
LAG_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The registry and everything in it. Label values come from fixed sets: enums, method names, route templates."""

    def __init__(self, version: str, settings: Callable[[], MetricsSettings]) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        Info("pombal_build", "The version that runs.", registry=self.registry).info({"version": version})
        self._make_message_metrics()
        self._make_recorder_metrics()
        self._make_request_metrics()
        self._loop_lag = self._histogram(
            "pombal_loop_lag_seconds", "How late the trio loop woke a task.", LAG_BUCKETS_S
        )
        self._gauges = Gauges(settings)
        self.registry.register(self._gauges)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)

    def read_gauges_from(self, sources: Sources) -> None:
        """Let the gauges have samples, once what they tell of is built."""
        self._gauges.sources = sources

    def render(self, accept: str) -> tuple[bytes, str]:
        """The page for an Accept header, and its content type."""
        return render(self.registry, accept)

    # Sessions and messages

    def session_restarted(self, link: str, reason: str) -> None:
        self._restarts.add((link, reason))

    def messages_recorded(self, direction: str, message_type: str, link: str, count: int) -> None:
        """Messages are on disk: queued by a caller, or brought by a link."""
        self._messages.add((direction, message_type, link), count)

    def statuses_reached(self, status: str, link: str, count: int) -> None:
        self._statuses.add((status, link), count)

    def latency(self, direction: str, stage: str, link: str, seconds: float) -> None:
        """stage: to_sent, to_delivered, to_read, queue, link, delivery or inbound."""
        self._latencies.observe((direction, stage, link), seconds)

    def high_latency(self, direction: str, link: str) -> None:
        self._high_latencies.add((direction, link))

    # The recorder

    def batch_committed(self, rows: int, seconds: float) -> None:
        self._batch_rows.observe((), rows)
        self._commit_seconds.observe((), seconds)

    def row_rejected(self) -> None:
        self._rejected.add()

    def retention_removed(self, what: str, count: int) -> None:
        """what: one of model/removals.py's names."""
        self._removed.add((what,), count)

    # Requests

    def control_request(self, method: str, outcome: str) -> None:
        """method: a known one, or `unknown`; outcome: `ok` or the kind of the error."""
        self._control_requests.add((method, outcome))

    def http_request(self, route: str, method: str, code: int, seconds: float) -> None:
        """route: the template, never the path."""
        self._http_requests.add((route, method, str(code)))
        self._http_seconds.observe((route, method), seconds)

    def loop_lag(self, seconds: float) -> None:
        self._loop_lag.observe((), seconds)

    # Making them

    def _make_message_metrics(self) -> None:
        self._restarts = self._counters(
            "pombal_session_restarts_total", "Restarts of session actors.", "link", "reason"
        )
        self._messages = self._counters("pombal_messages_total", "Messages recorded.", "direction", "type", "link")
        self._statuses = self._counters(
            "pombal_message_status_total", "Statuses that messages reached.", "status", "link"
        )
        self._latencies = self._histogram(
            "pombal_message_latency_seconds", "How long messages took, by stage.", LATENCY_BUCKETS_S,
            "direction", "stage", "link",
        )  # fmt: skip
        self._high_latencies = self._counters(
            "pombal_high_latency_messages_total", "Messages that took too long.", "direction", "link"
        )

    def _make_recorder_metrics(self) -> None:
        self._batch_rows = self._histogram(
            "pombal_recorder_batch_rows", "Changes in one transaction.", BATCH_BUCKETS_ROWS
        )
        self._commit_seconds = self._histogram(
            "pombal_recorder_commit_seconds", "How long one transaction took, COMMIT included.", COMMIT_BUCKETS_S
        )
        self._rejected = self._counters(
            "pombal_rejected_rows_total", "Rows that the database refused and that were kept apart."
        )
        self._removed = self._counters(
            "pombal_retention_removed_total", "What was removed for its age, or because nothing spoke of it.", "what"
        )

    def _make_request_metrics(self) -> None:
        self._control_requests = self._counters(
            "pombal_control_requests_total", "Requests on the control socket.", "method", "outcome"
        )
        self._http_requests = self._counters("pombal_http_requests_total", "HTTP requests.", "route", "method", "code")
        self._http_seconds = self._histogram(
            "pombal_http_request_seconds", "How long HTTP requests took.", HTTP_BUCKETS_S, "route", "method"
        )

    def _counters(self, name: str, text: str, *labels: str) -> TalliedCounter:
        return TalliedCounter(name, text, labels, self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> TalliedHistogram:
        return TalliedHistogram(name, text, buckets, labels, self.registry)
