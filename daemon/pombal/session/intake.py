"""What a link tells, as changes for the recorder: pure, so that each event can be tried as a plain function."""

from collections.abc import Iterator
from typing import Any

from pombal.link import base
from pombal.model import changes
from pombal.model.changes import Change
from pombal.model.clock import Stamp
from pombal.model.ids import new_ulid
from pombal.model.message import MessageStatus
from pombal.model.phone import number_of, with_ninth_digit
from pombal.model.text import TEXT_MAX_CHARACTERS, storable
from pombal.model.times import LATEST_MS


def changes_of(event: base.LinkEvent, session_key: int, at: Stamp) -> Iterator[Change]:
    """The changes that record event, which arrived at ``at``. Events about the session's own state have none here."""
    match event:
        case base.IncomingMessage():
            yield _message(event, session_key, at)
        case base.Receipt(link_ids, status, whatsapp_s):
            for link_id in link_ids:
                yield changes.Advance(
                    at=at, session_key=session_key, link_id=storable(link_id), status=status, whatsapp_s=whatsapp_s
                )
        case base.Sent(link_id, whatsapp_s):
            yield changes.Advance(
                at=at, session_key=session_key, link_id=link_id, status=MessageStatus.SENT, whatsapp_s=whatsapp_s
            )
        case base.Failed(link_id, kind, detail):
            yield changes.Advance(
                at=at, session_key=session_key, link_id=link_id, status=MessageStatus.FAILED,
                error_kind=storable(kind), error_detail=storable(detail) or None,
            )  # fmt: skip
        case base.Edited(chat_id, link_id, text):
            yield changes.EditMessage(
                at=at, session_key=session_key, chat_id=chat_id, link_id=link_id, text=_text(text) or ""
            )
        case base.Revoked(chat_id, link_id):
            yield changes.RevokeMessage(at=at, session_key=session_key, chat_id=chat_id, link_id=link_id)
        case base.Garbage(raw, reason):
            yield changes.KeepRejected(
                at=at, session_key=session_key, source="link", raw=storable(raw), reason=storable(reason)
            )
            yield changes.CountSession(
                at=at, session_key=session_key, errors=1,
                last_error=f"the link brought something that could not be understood: {storable(reason)[:200]}",
            )  # fmt: skip


def _message(event: base.IncomingMessage, session_key: int, at: Stamp) -> changes.RecordMessage:
    number = event.contact_number or number_of(event.participant or event.chat_id)
    return changes.RecordMessage(
        at=at,
        session_key=session_key,
        message_id=new_ulid(),
        link_id=storable(event.link_id),
        direction=event.direction,
        origin=event.origin,
        message_type=event.message_type,
        chat_id=storable(event.chat_id),
        sent_at_ms=min(max(0, event.timestamp_s * 1000), LATEST_MS),
        participant=storable(event.participant),
        contact_number=with_ninth_digit(number) if number else None,
        contact_lid=event.contact_lid,
        contact_name=storable(event.contact_name) if event.contact_name else None,
        text=_text(event.text),
        content=_storable_content(event.content) if event.content else None,
        quoted_link_id=event.quoted_link_id,
        offline=event.offline,
    )


def _text(text: str | None) -> str | None:
    """What is longer than WhatsApp allows comes from no phone; it is cut, for the row must stay readable."""
    return None if text is None else storable(text[:TEXT_MAX_CHARACTERS])


def _storable_content(value: Any) -> Any:
    """Every text within, made storable; dictionaries and lists as they are."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(str(key)): _storable_content(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_storable_content(part) for part in value]
    return value
