"""What is counted, measured and logged of a commit."""

import logging
from dataclasses import replace
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from pombal.app.telemetry import Telemetry
from pombal.config.settings import LatencySettings, MetricsSettings
from pombal.model.message import Direction, MessageRow, MessageStatus, MessageType, Origin
from pombal.model.session import LinkKind, SessionRow
from pombal.ops.metrics import Metrics
from pombal.store.writer import CommitReport

SESSION = SessionRow(
    key=1, id="01", name="vendas", owner="ana", link=LinkKind.SIMULATOR, created_at=0, updated_at=0, settings={}
)
QUEUED = MessageRow(
    id=1, session_key=1, message_id="m", link_id="l", direction=Direction.OUTBOUND, origin=Origin.API,
    message_type=MessageType.TEXT, chat_id="c", status=MessageStatus.QUEUED, happened_at=1000, queued_at=1000,
)  # fmt: skip
DISPATCHED = replace(QUEUED, dispatched_at=1010)
SENT = replace(DISPATCHED, status=MessageStatus.SENT, sent_at=1030)
READ = replace(
    SENT, status=MessageStatus.READ, delivered_at=1100, read_at=1100, total_latency_ms=100, is_latency_acceptable=True
)
RECEIVED = replace(
    QUEUED, direction=Direction.INBOUND, status=MessageStatus.DELIVERED, queued_at=None, sent_at=1000, received_at=7000,
    delivered_at=7001, total_latency_ms=6001, is_latency_acceptable=False,
)  # fmt: skip


class Books:
    def __init__(self, log: str = "all") -> None:
        self.metrics = Metrics("1.2.3", MetricsSettings)
        self.telemetry = Telemetry(self.metrics, lambda: LatencySettings.model_validate({"log": log}))

    def committed(self, *completed: tuple[MessageRow | None, MessageRow]) -> list[Any]:
        """What is logged of a commit of these."""
        with capture_logs() as logged:
            report = CommitReport([None], completed=[(SESSION, before, after) for before, after in completed])
            self.telemetry.committed(report)
        return logged

    def latency(self, direction: str, stage: str) -> tuple[int, int]:
        """How many there were, and the sum of milliseconds."""
        labels = {"direction": direction, "stage": stage, "link": "simulator"}
        name, value = "pombal_message_latency_seconds", self.metrics.registry.get_sample_value
        return round(value(f"{name}_count", labels) or 0), round(1000 * (value(f"{name}_sum", labels) or 0))

    def late(self, direction: str) -> float | None:
        labels = {"direction": direction, "link": "simulator"}
        return self.metrics.registry.get_sample_value("pombal_high_latency_messages_total", labels)


def test_each_stage_is_measured_once_when_it_is_over() -> None:
    books = Books()
    logged = books.committed((None, QUEUED), (QUEUED, DISPATCHED), (DISPATCHED, SENT), (SENT, READ), (READ, READ))
    assert books.latency("outbound", "queue") == (1, 10)
    assert books.latency("outbound", "link") == (1, 20)
    assert books.latency("outbound", "to_sent") == (1, 30)
    assert books.latency("outbound", "delivery") == (1, 70)
    assert books.latency("outbound", "to_delivered") == (1, 100)
    assert books.latency("outbound", "to_read") == (1, 100)
    assert [(line["event"], line["total_latency_ms"]) for line in logged] == [("message completed", 100)]


def test_a_stage_whose_beginning_is_not_known_has_no_length() -> None:
    books = Books()
    books.committed((QUEUED, replace(SENT, dispatched_at=None)))
    assert books.latency("outbound", "link") == (0, 0)
    assert books.latency("outbound", "to_sent") == (1, 30)


def test_what_was_late_is_counted_and_told() -> None:
    books = Books("slow")
    logged = books.committed((None, RECEIVED), (SENT, READ))
    told = [(line["log_level"], line["event"], line["record_ms"]) for line in logged]
    assert told == [("warning", "message slow", 1)]
    assert (books.late("inbound"), books.late("outbound")) == (1, None)
    assert books.latency("inbound", "inbound") == (1, 6001)


def test_it_is_counted_also_where_nobody_reads_the_log() -> None:
    before = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    try:
        books = Books()
        assert books.committed((None, RECEIVED), (SENT, READ)) == []
    finally:
        structlog.configure(wrapper_class=before)
    assert books.late("inbound") == 1


@pytest.mark.parametrize("fields", [{"offline": True}, {"origin": Origin.HISTORY}])
def test_what_nobody_waited_for_is_not_measured(fields: dict[str, Any]) -> None:
    books = Books()
    assert books.committed((None, replace(RECEIVED, **fields))) == []
    assert books.latency("inbound", "inbound") == (0, 0)
