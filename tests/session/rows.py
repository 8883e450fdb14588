"""Rows of a queue."""

from typing import Any

from pombal.model.message import Direction, MessageRow, MessageStatus, MessageType, Origin


def row(row_id: int, **fields: Any) -> MessageRow:
    plain = {"chat_id": "c", "message_type": MessageType.TEXT}
    return MessageRow(
        id=row_id, session_key=1, message_id=f"m{row_id}", link_id=f"L{row_id}", direction=Direction.OUTBOUND,
        origin=Origin.API, status=MessageStatus.QUEUED, happened_at=0, **(plain | fields),
    )  # fmt: skip


def with_file(row_id: int, chat_id: str) -> MessageRow:
    content = {"media": {"sha256": "0" * 64, "mime_type": "image/png", "file_name": None, "size_bytes": 10}}
    return row(row_id, chat_id=chat_id, message_type=MessageType.IMAGE, content=content)
