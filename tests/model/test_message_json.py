"""A message is written as JSON in two ways, one of them quick: they say the same."""

import json

import pytest

from pombal.model.message import (
    Direction,
    MessageRow,
    MessageStatus,
    MessageType,
    Origin,
    message_json,
    show_message,
)

AT_MS = 1_700_000_000_123


def row(**fields: object) -> MessageRow:
    given = {
        "id": 7, "session_key": 1, "message_id": "m7", "link_id": "3EB0A", "direction": Direction.OUTBOUND,
        "origin": Origin.API, "message_type": MessageType.TEXT, "chat_id": "5511999999999@s.whatsapp.net",
        "status": MessageStatus.QUEUED, "happened_at": AT_MS, "queued_at": AT_MS, "text_content": "Olá “tu” \U0001f426",
    }  # fmt: skip
    return MessageRow(**(given | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "message",
    [
        row(),
        row(participant="x@lid", contact_number="5511999999999", contact_lid="x@lid", contact_name="Ana"),
        row(
            status=MessageStatus.READ, dispatched_at=AT_MS + 1, sent_at=AT_MS + 2, delivered_at=AT_MS + 3,
            read_at=AT_MS + 4, total_latency_ms=3, is_latency_acceptable=True,
        ),
        row(status=MessageStatus.FAILED, failed_at=AT_MS, error_kind="expired", error_detail=None),
        row(
            direction=Direction.INBOUND, status=MessageStatus.DELIVERED, sent_at=AT_MS, received_at=AT_MS + 5,
            delivered_at=AT_MS + 6, total_latency_ms=6, offline=True,
        ),
        row(
            message_type=MessageType.IMAGE, text_content=None,
            content={"media": {"mime_type": "image/png", "size_bytes": 3, "sha256": "ab" * 32, "file_name": None}},
        ),
        row(message_type=MessageType.LOCATION, content={"location": {"latitude": -23.5, "longitude": -46.25}}),
    ],
)  # fmt: skip
def test_both_ways_say_the_same(message: MessageRow) -> None:
    quick = json.loads(message_json(message, "vendas"))
    assert quick == json.loads(show_message(message, "vendas").model_dump_json())
