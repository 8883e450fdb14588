"""What WhatsApp's client tells, as events of the link: pure functions on neonize's protobufs."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pombal.gateway.addresses import Person, address_of, is_chat, person, server_of
from pombal.gateway.contents import Content, content_of, media_of, unwrapped
from pombal.gateway.spool import Download
from pombal.link import base
from pombal.link.base import LinkEvent
from pombal.model.message import Direction, MessageStatus, MessageType, Origin
from pombal.model.phone import GROUP_SERVER, LID_SERVER

# WAWebProtobufsE2E.ProtocolMessage.Type
REVOKE, MESSAGE_EDIT = 0, 14
# neonize.Receipt.ReceiptType; "inactive" is a device that has it and does not show it.
_RECEIPTS = {
    1: MessageStatus.DELIVERED,
    9: MessageStatus.DELIVERED,
    4: MessageStatus.READ,
    6: MessageStatus.READ,
}

Counterpart = Callable[[str], str | None]
"""The other address of a person (LID to phone number), where WhatsApp's client knows it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one of WhatsApp's events says to the daemon; download: the file it speaks of."""

    event: LinkEvent
    download: Download | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Where a message belongs."""

    chat_id: str
    participant: str
    contact: Person
    is_from_me: bool


def unknown_counterpart(_: str) -> str | None:
    return None


def source_of(source: Any, counterpart: Counterpart = unknown_counterpart) -> Source | None:
    """A neonize MessageSource; None where it is no conversation (status updates, channels)."""
    chat, sender = address_of(source.Chat), address_of(source.Sender)
    if chat is None or not is_chat(chat):
        return None
    if server_of(chat) == GROUP_SERVER:
        member = _complete(person(sender, address_of(source.SenderAlt)), counterpart)
        return Source(chat, member.address, Person() if source.IsFromMe else member, source.IsFromMe)
    other = address_of(source.RecipientAlt) if source.IsFromMe else address_of(source.SenderAlt)
    peer = _complete(person(chat, other), counterpart)
    return Source(peer.address, "", peer, source.IsFromMe)


def _complete(whom: Person, counterpart: Counterpart) -> Person:
    if whom.pn is None and whom.lid is not None:
        return replace(whom, pn=counterpart(whom.lid))
    return whom


def message_told(event: Any, *, is_offline: bool, counterpart: Counterpart = unknown_counterpart) -> Told | None:
    """A neonize Message event: a message, an edit or a deletion; None for what WhatsApp's devices tell each other."""
    source = source_of(event.Info.MessageSource, counterpart)
    if source is None:
        return None
    message = unwrapped(event.Message)
    if (changed := _change(message, source.chat_id, event)) is not None:
        return Told(changed)
    content = content_of(message)
    if content is None:
        return None
    incoming = _incoming(event.Info, source, content, is_offline=is_offline)
    return Told(incoming, download_of(message, content))


def _change(message: Any, chat_id: str, event: Any) -> LinkEvent | None:
    """An edit or a deletion of an earlier message."""
    if message.HasField("editedMessage") and message.editedMessage.HasField("message"):
        message = unwrapped(message.editedMessage.message)
    if not message.HasField("protocolMessage"):
        content = content_of(message) if event.IsEdit else None
        return None if content is None else base.Edited(chat_id, event.Info.ID, content.text or "")
    protocol = message.protocolMessage
    if not protocol.HasField("type") or not protocol.key.ID:
        return None
    if protocol.type == REVOKE:
        return base.Revoked(chat_id, protocol.key.ID)
    if protocol.type == MESSAGE_EDIT:
        content = content_of(unwrapped(protocol.editedMessage))
        return base.Edited(chat_id, protocol.key.ID, (content.text if content else None) or "")
    return None


def _incoming(info: Any, source: Source, content: Content, *, is_offline: bool) -> base.IncomingMessage:
    return base.IncomingMessage(
        link_id=info.ID,
        chat_id=source.chat_id,
        timestamp_s=info.Timestamp // 1000,
        message_type=content.message_type,
        text=content.text,
        participant="" if source.is_from_me else source.participant,
        contact_number=source.contact.number,
        contact_lid=source.contact.lid,
        contact_name=None if source.is_from_me else (info.Pushname or None),
        content=content.content,
        quoted_link_id=content.quoted_link_id,
        direction=Direction.OUTBOUND if source.is_from_me else Direction.INBOUND,
        origin=Origin.DEVICE if source.is_from_me else Origin.API,
        offline=is_offline,
    )


def download_of(message: Any, content: Content) -> Download | None:
    """The file of a message, as it is asked for later; None where there is none."""
    part = media_of(message)
    media = (content.content or {}).get("media")
    if part is None or media is None:
        return None
    return Download(media["sha256"], media["size_bytes"], media["mime_type"], message.SerializeToString())


def undecryptable_told(
    event: Any, *, is_offline: bool, counterpart: Counterpart = unknown_counterpart
) -> base.IncomingMessage | None:
    """A neonize UndecryptableMessage event; None where WhatsApp asks for it to be hidden."""
    hide = 2  # DecryptFailModeT.DECRYPT_FAIL_HIDE
    source = source_of(event.Info.MessageSource, counterpart)
    if source is None or event.DecryptFailMode == hide:
        return None
    return _incoming(event.Info, source, Content(MessageType.UNKNOWN, "undecryptable"), is_offline=is_offline)


def receipt_told(event: Any, link_id_of: Callable[[str], str] = str) -> base.Receipt | None:
    """A neonize Receipt event; None for those that only this account's own devices care for.

    Groups give one receipt a member: the first of a kind counts.
    """
    status = _RECEIPTS.get(event.Type)
    if status is None or event.MessageSource.IsFromMe or not event.MessageIDs:
        return None
    return base.Receipt(tuple(link_id_of(each) for each in event.MessageIDs), status, event.Timestamp or None)


def lid_of(address: str | None) -> str | None:
    return address if address is not None and server_of(address) == LID_SERVER else None
