"""What a commit says of itself: one log line a completed message, counters, histograms."""

import logging
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

# By the stamp with which a stage is over: its name, and the stamp with which it began.
_OUTBOUND_STAGES = (
    ("dispatched_at", (("queue", "queued_at"),)),
    ("sent_at", (("link", "dispatched_at"), ("to_sent", "queued_at"))),
    ("delivered_at", (("delivery", "sent_at"), ("to_delivered", "queued_at"))),
    ("read_at", (("to_read", "queued_at"),)),
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
        completed = [
            (session, after)
            for session, before, after in report.completed
            if after.is_measured and not after.offline and self._measure(session.link, before, after)
        ]
        self._tell(completed)

    def _count(self, report: CommitReport) -> None:
        """Added up first: a batch has thousands of messages and a handful of kinds."""
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

    def _measure(self, link: str, before: MessageRow | None, after: MessageRow) -> bool:
        """Put its latencies into the histograms. Whether the message has completed with this."""
        if after.direction == Direction.OUTBOUND:
            self._outbound_stages(link, before, after)
        elif before is None and after.total_latency_ms is not None:
            self._metrics.latency("inbound", "inbound", link, after.total_latency_ms / 1000)
        return after.is_latency_acceptable is not None and (before is None or before.is_latency_acceptable is None)

    def _outbound_stages(self, link: str, before: MessageRow | None, after: MessageRow) -> None:
        for end, stages in _OUTBOUND_STAGES:
            if getattr(after, end) is None or (before is not None and getattr(before, end) is not None):
                continue
            for stage, start in stages:
                if (took_ms := between_ms(getattr(after, start), getattr(after, end))) is not None:
                    self._metrics.latency("outbound", stage, link, took_ms / 1000)

    def _tell(self, completed: list[tuple[SessionRow, MessageRow]]) -> None:
        """Late ones are counted. Log lines are made as far as anybody reads them: the facts of one take long."""
        settings, tells_slow = self._settings(), log.is_enabled_for(logging.WARNING)
        tells_all = settings.log == "all" and log.is_enabled_for(logging.INFO)
        for session, row in completed:
            if not row.is_latency_acceptable:
                self._metrics.high_latency(row.direction, session.link)
                if tells_slow:
                    log.warning("message slow", acceptable_ms=settings.acceptable_ms, **_facts(session, row))
            elif tells_all:
                log.info("message completed", **_facts(session, row))


def _facts(session: SessionRow, row: MessageRow) -> dict[str, Any]:
    stages = {name: took for name, took in stages_of(row).items() if took is not None}
    return {
        "session": session.name,
        "message_id": row.message_id,
        "direction": row.direction.value,
        "total_latency_ms": row.total_latency_ms,
        **stages,
    }
