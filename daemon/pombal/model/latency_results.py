"""What methods about latency, and figures by session, answer with."""

from pombal.model.results import Result
from pombal.model.session_state import SessionStatus
from pombal.model.times import Instant


class Percentiles(Result):
    """Milliseconds, within 2 % of the exact nearest rank; null where nothing was measured."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


class LatencyPercentiles(Result):
    to_sent: Percentiles = Percentiles()
    to_delivered: Percentiles = Percentiles()
    to_read: Percentiles = Percentiles()
    inbound: Percentiles = Percentiles()


class LatencyStats(Result):
    """latency.stats; ``since`` and ``until`` are the range as widened to whole rollups."""

    since: Instant | None
    until: Instant | None
    total_messages: int
    measured_messages: int
    average_latency_to_sent_ms: float | None
    average_latency_to_delivered_ms: float | None
    average_latency_to_read_ms: float | None
    average_inbound_latency_ms: float | None
    acceptable_rate: float | None
    high_latency_count: int
    acceptable_ms: int
    percentiles: LatencyPercentiles


class SessionMetrics(Result):
    """session.metrics; ``error_rate`` is failed over all sent and failed, 0 where there are none."""

    session: str
    status: SessionStatus
    uptime_seconds: float
    total_messages_sent: int
    total_messages_received: int
    total_messages_failed: int
    error_count: int
    restart_count: int
    error_rate: float
    outbox_depth: int
    latency: LatencyStats


class LatencyPoint(Result):
    """One step of latency.series, from ``at`` on."""

    at: Instant
    outbound_messages: int
    inbound_messages: int
    measured_messages: int
    high_latency_count: int
    percentiles: LatencyPercentiles


class LatencyBar(Result):
    """How many took at most ``up_to_ms`` and longer than the bar before; null: all that were slower still."""

    up_to_ms: int | None
    count: int


class LatencyDistribution(Result):
    to_sent: list[LatencyBar]
    to_delivered: list[LatencyBar]
    to_read: list[LatencyBar]
    inbound: list[LatencyBar]


class LatencySeries(Result):
    """latency.series; the range is widened to whole steps, and a step without messages is not listed."""

    since: Instant
    until: Instant
    step_seconds: int
    acceptable_ms: int
    results: list[LatencyPoint]
    distribution: LatencyDistribution


class SessionFigures(Result):
    """One session in session.figures; ``acceptable_rate`` is null where nothing was measured."""

    session: str
    session_id: str
    outbox_depth: int
    outbound_messages: int
    inbound_messages: int
    measured_messages: int
    high_latency_count: int
    acceptable_rate: float | None
    percentiles: LatencyPercentiles


class SessionFiguresList(Result):
    """session.figures"""

    since: Instant
    until: Instant
    results: list[SessionFigures]
