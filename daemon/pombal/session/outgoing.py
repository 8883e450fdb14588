"""A queued message as the link takes it: what it quotes or reacts to, by WhatsApp's own ids."""

from functools import partial
from typing import Any

from pombal.link.base import Outgoing
from pombal.model.message import MessageRow
from pombal.session.context import SessionContext
from pombal.store.message_queries import Reference, reference_to


async def outgoing(row: MessageRow, context: SessionContext) -> Outgoing:
    """Reads the store only where the message refers to another."""
    content: dict[str, Any] | None = row.content
    if content and "reaction" in content:
        target = await _reference(row, content["reaction"]["message_id"], context)
        names = {"link_id": target.link_id, "participant": target.participant} if target else {"link_id": None}
        content = {**content, "reaction": content["reaction"] | names}
    quoted = await _reference(row, row.quoted_message_id, context) if row.quoted_message_id else None
    return Outgoing(
        link_id=row.link_id,
        chat_id=row.chat_id,
        contact_number=row.contact_number,
        message_type=row.message_type,
        text=row.text_content,
        content=content,
        quoted_link_id=None if quoted is None else quoted.link_id,
        quoted_participant="" if quoted is None else quoted.participant,
    )


async def _reference(row: MessageRow, message_id: str, context: SessionContext) -> Reference | None:
    return await context.reader.run(partial(reference_to, session_key=row.session_key, message_id=message_id))
