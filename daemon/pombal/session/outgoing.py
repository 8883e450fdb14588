"""A queued message as the link takes it: what it quotes or reacts to, by WhatsApp's own ids."""

from functools import partial
from typing import Any

from pombal.link.base import Outgoing
from pombal.model.message import MessageRow
from pombal.session.context import SessionContext
from pombal.store.message_queries import link_ids_of


async def outgoing(row: MessageRow, context: SessionContext) -> Outgoing:
    """Reads the store only where the message refers to another."""
    content: dict[str, Any] | None = row.content
    if content and "reaction" in content:
        target = await _link_id_of(row, content["reaction"]["message_id"], context)
        content = {**content, "reaction": {**content["reaction"], "link_id": target}}
    quoted = await _link_id_of(row, row.quoted_message_id, context) if row.quoted_message_id else None
    return Outgoing(row.link_id, row.chat_id, row.contact_number, row.message_type, row.text_content, content, quoted)


async def _link_id_of(row: MessageRow, message_id: str, context: SessionContext) -> str | None:
    """None where that message has been removed since."""
    return await context.reader.run(partial(link_ids_of, session_key=row.session_key, message_id=message_id))
