"""What a commit says of itself: one log line a completed message, counters, histograms."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import structlog

from pombal.config.settings import LatencySettings
from pombal.model.message import Direction, MessageRow, between_ms, stages_of
from pombal.model.session import SessionRow
from pombal.ops.metrics import Metrics
from pombal.store.writer import CommitReport

log = structlog.get_logger()

# (stage, from, to): observed when the second stamp becomes known.
_OUTBOUND_STAGES = (
    ("queue", "queued_at", "dispatched_at"),
    ("link", "dispatched_at", "sent_at"),
    ("to_sent", "queued_at", "sent_at"),
    ("delivery", "sent_at", "delivered_at"),
    ("to_delivered", "queued_at", "delivered_at"),
    ("to_read", "queued_at", "read_at"),
)


class Telemetry:
    """Listens to commits. Message texts never come here, only ids and times."""

    def __init__(self, metrics: Metrics, settings: Callable[[], LatencySettings]) -> None:
        self._metrics = metrics
        self._settings = settings

    def committed(self, report: CommitReport) -> None:
        self._metrics.batch_committed(len(report.answers), report.seconds)
        for _ in range(report.rejected):
            self._metrics.row_rejected()
        self._count(report)
        for session, before, after in report.completed:
            self._message(session, before, after)

    def _count(self, report: CommitReport) -> None:
        """Added up first: a counter takes its lock once a batch."""
        recorded, reached = Counter[tuple[str, str, str]](), Counter[tuple[str, str]]()
        for session, before, after in report.completed:
            if before is None:
                recorded[after.direction, after.message_type, session.link] += 1
            if before is None or before.status != after.status:
                reached[after.status, session.link] += 1
        for message, count in recorded.items():
            self._metrics.messages_recorded(*message, count)
        for status, count in reached.items():
            self._metrics.statuses_reached(*status, count)

    def _message(self, session: SessionRow, before: MessageRow | None, after: MessageRow) -> None:
        link = session.link
        if not after.is_measured or after.offline:
            return
        if after.direction == Direction.OUTBOUND:
            self._outbound_stages(link, before, after)
        elif before is None and after.total_latency_ms is not None:
            self._metrics.latency("inbound", "inbound", link, after.total_latency_ms / 1000)
        if after.is_latency_acceptable is not None and (before is None or before.is_latency_acceptable is None):
            self._completed(session, after)

    def _outbound_stages(self, link: str, before: MessageRow | None, after: MessageRow) -> None:
        for stage, start, end in _OUTBOUND_STAGES:
            known_before = before is not None and getattr(before, end) is not None
            took_ms = between_ms(getattr(after, start), getattr(after, end))
            if took_ms is not None and not known_before:
                self._metrics.latency("outbound", stage, link, took_ms / 1000)

    def _completed(self, session: SessionRow, row: MessageRow) -> None:
        if row.is_latency_acceptable:
            if self._settings().log == "all":
                log.info("message completed", **_facts(session, row))
            return
        self._metrics.high_latency(row.direction, session.link)
        log.warning("message slow", acceptable_ms=self._settings().acceptable_ms, **_facts(session, row))


def _facts(session: SessionRow, row: MessageRow) -> dict[str, Any]:
    stages = {name: took for name, took in stages_of(row).items() if took is not None}
    return {
        "session": session.name,
        "message_id": row.message_id,
        "direction": row.direction.value,
        "total_latency_ms": row.total_latency_ms,
        **stages,
    }
