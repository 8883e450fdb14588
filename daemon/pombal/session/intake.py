"""What a link tells, as changes for the recorder: pure, so that each event can be tried as a plain function.

Every text is made storable here, ids too: an id that is mended differently from time to time would be another message.
"""

from collections.abc import Callable, Mapping
from typing import Any

import structlog

from pombal.link import base
from pombal.model import changes
from pombal.model.changes import Change
from pombal.model.clock import Stamp
from pombal.model.ids import new_ulid
from pombal.model.message import MessageStatus
from pombal.model.phone import USER_SERVER, is_e164, is_person, number_of, server_of, with_ninth_digit
from pombal.model.text import TEXT_MAX_CHARACTERS, storable
from pombal.model.times import LATEST_MS

log = structlog.get_logger()

RAW_MAX_CHARACTERS = 65_536
REASON_MAX_CHARACTERS = 200


def changes_of(event: base.LinkEvent, session_key: int, at: Stamp) -> list[Change]:
    """The changes that record event, which arrived at ``at``. Events about the session's own state have none here.

    An event that cannot be recorded as what it says it is, is kept raw: a crash would only have it come again.
    """
    make = _CHANGES.get(type(event))
    if make is None:
        return []
    try:
        return make(event, session_key, at)
    except Exception as error:
        log.exception("event of a link not understood", session_key=session_key, event_type=type(event).__name__)
        return _rejected(_raw(event), f"{type(error).__name__}: {error}", session_key, at)


def _receipt(event: base.Receipt, session_key: int, at: Stamp) -> list[Change]:
    return [
        changes.Advance(
            at=at, session_key=session_key, link_id=storable(link_id), status=event.status, whatsapp_s=event.timestamp_s
        )
        for link_id in event.link_ids
    ]


def _sent(event: base.Sent, session_key: int, at: Stamp) -> list[Change]:
    return [
        changes.Advance(
            at=at, session_key=session_key, link_id=storable(event.link_id), status=MessageStatus.SENT,
            whatsapp_s=event.timestamp_s,
        )
    ]  # fmt: skip


def _failed(event: base.Failed, session_key: int, at: Stamp) -> list[Change]:
    return [
        changes.Advance(
            at=at, session_key=session_key, link_id=storable(event.link_id), status=MessageStatus.FAILED,
            error_kind=storable(event.kind), error_detail=storable(event.detail) or None,
        )
    ]  # fmt: skip


def _edited(event: base.Edited, session_key: int, at: Stamp) -> list[Change]:
    return [
        changes.EditMessage(
            at=at, session_key=session_key, chat_id=storable(event.chat_id), link_id=storable(event.link_id),
            text=_text(event.text) or "",
        )
    ]  # fmt: skip


def _revoked(event: base.Revoked, session_key: int, at: Stamp) -> list[Change]:
    return [
        changes.RevokeMessage(
            at=at, session_key=session_key, chat_id=storable(event.chat_id), link_id=storable(event.link_id)
        )
    ]


def _garbage(event: base.Garbage, session_key: int, at: Stamp) -> list[Change]:
    return _rejected(event.raw, event.reason, session_key, at)


def _gap(event: base.Gap, session_key: int, at: Stamp) -> list[Change]:
    return [changes.TellGap(at=at, session_key=session_key, detail=storable(event.detail[:REASON_MAX_CHARACTERS]))]


def _rejected(raw: str, reason: str, session_key: int, at: Stamp) -> list[Change]:
    raw, reason = storable(raw[:RAW_MAX_CHARACTERS]), storable(reason[:REASON_MAX_CHARACTERS])
    last_error = f"the link brought something that could not be understood: {reason}"
    return [
        changes.KeepRejected(at=at, session_key=session_key, source="link", raw=raw, reason=reason),
        changes.CountSession(at=at, session_key=session_key, errors=1, last_error=last_error),
    ]


def _raw(event: base.LinkEvent) -> str:
    try:
        return repr(event)
    except Exception as error:
        return f"{type(event).__name__}, which cannot even be written down: {type(error).__name__}"


def _message(event: base.IncomingMessage, session_key: int, at: Stamp) -> list[Change]:
    chat_id, number = storable(event.chat_id), _optional(event.contact_number)
    participant = "" if is_person(chat_id) else storable(event.participant)  # in a private chat it says nothing more
    address = participant or chat_id
    record = changes.RecordMessage(
        at=at,
        session_key=session_key,
        message_id=new_ulid(),
        link_id=storable(event.link_id),
        direction=event.direction,
        origin=event.origin,
        message_type=event.message_type,
        chat_id=chat_id,
        sent_at_ms=min(max(0, event.timestamp_s * 1000), LATEST_MS),
        participant=participant,
        contact_number=with_ninth_digit(number) if number else number_of(address),
        canonical_id=_canonical_id(address, number),
        contact_lid=_optional(event.contact_lid),
        contact_name=_optional(event.contact_name),
        text=_text(event.text),
        content=_storable_content(event.content) if event.content else None,
        quoted_link_id=_optional(event.quoted_link_id),
        offline=event.offline,
    )
    return [record]


def _canonical_id(address: str, number: str | None) -> str | None:
    """The contact's address by number, in WhatsApp's own spelling: Brazil's older accounts lack the ninth digit."""
    if server_of(address) == USER_SERVER:
        return address
    return f"{number}@{USER_SERVER}" if number is not None and is_e164(number) else None


def _text(text: str | None) -> str | None:
    """What is longer than WhatsApp allows comes from no phone; it is cut, for the row must stay readable."""
    return None if text is None else storable(text[:TEXT_MAX_CHARACTERS])


def _optional(text: str | None) -> str | None:
    return storable(text) if text else None


def _storable_content(value: Any) -> Any:
    """Every text within, made storable; dictionaries and lists as they are."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {storable(str(key)): _storable_content(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_storable_content(part) for part in value]
    return value


_CHANGES: dict[type[base.LinkEvent], Callable[[Any, int, Stamp], list[Change]]] = {
    base.IncomingMessage: _message,
    base.Receipt: _receipt,
    base.Sent: _sent,
    base.Failed: _failed,
    base.Edited: _edited,
    base.Revoked: _revoked,
    base.Garbage: _garbage,
    base.Gap: _gap,
}
