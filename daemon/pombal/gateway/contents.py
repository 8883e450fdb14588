"""What a message says: WhatsApp's protobuf (waE2E.Message) as type, text and content. Pure.

The protobufs are taken as they are (``Any``), so that nothing here loads WhatsApp's client.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pombal.model.message import MessageType

FILE_NAME_MAX_CHARACTERS = 255
VCARD_MAX_CHARACTERS = 16_384
EMOJI_MAX_CHARACTERS = 64

# Envelopes: the message is inside, under the field ``message``.
_ENVELOPES = (
    "deviceSentMessage", "ephemeralMessage", "viewOnceMessage", "viewOnceMessageV2", "viewOnceMessageV2Extension",
    "documentWithCaptionMessage", "lottieStickerMessage", "botInvokeMessage", "groupMentionedMessage",
    "associatedChildMessage", "botForwardedMessage", "spoilerMessage",
)  # fmt: skip
_MAX_DEPTH = 8

_MEDIA = {
    "imageMessage": MessageType.IMAGE,
    "videoMessage": MessageType.VIDEO,
    "ptvMessage": MessageType.VIDEO,
    "audioMessage": MessageType.AUDIO,
    "documentMessage": MessageType.DOCUMENT,
    "stickerMessage": MessageType.STICKER,
}
# What WhatsApp's devices tell each other, and what only frames other messages: nobody wrote it.
_SILENT = frozenset(
    {
        "messageContextInfo", "senderKeyDistributionMessage", "fastRatchetKeySenderKeyDistributionMessage",
        "protocolMessage", "stickerSyncRmrMessage", "albumMessage", "keepInChatMessage", "placeholderMessage",
        "messageHistoryBundle", "messageHistoryNotice", "call", "chat", "pollUpdateMessage", "encEventResponseMessage",
        "groupRootKeyShare", "rootSecretDistributeMessage", "botTaskMessage",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Content:
    """kind: the protobuf's field name, which says what a message of type unknown was."""

    message_type: MessageType
    kind: str
    text: str | None = None
    content: Mapping[str, Any] | None = None
    quoted_link_id: str | None = None


def unwrapped(message: Any) -> Any:
    """The message inside its envelopes."""
    for _ in range(_MAX_DEPTH):
        envelope = next((name for name in _ENVELOPES if _has(message, name)), None)
        if envelope is None or not getattr(message, envelope).HasField("message"):
            return message
        message = getattr(message, envelope).message
    return message


def content_of(message: Any) -> Content | None:
    """What an unwrapped message says; None where it says nothing to a person."""
    names = [field.name for field, _ in message.ListFields() if field.name not in _SILENT]
    if not names:
        return None
    kind = next((name for name in names if name in _READERS or name in _MEDIA), names[0])
    if kind == "conversation":
        return Content(MessageType.TEXT, kind, message.conversation)
    part = getattr(message, kind)
    if kind in _MEDIA:
        read = Content(_MEDIA[kind], kind, getattr(part, "caption", "") or None, _media(part))
    elif kind in _READERS:
        read = _READERS[kind](part)
    else:
        read = Content(MessageType.UNKNOWN, kind)
    return Content(read.message_type, kind, read.text, read.content, _quoted(part))


def media_of(message: Any) -> Any | None:
    """The part of an unwrapped message that has a file at WhatsApp; None where there is none to download."""
    for name in _MEDIA:
        if _has(message, name):
            part = getattr(message, name)
            return part if part.fileSHA256 and part.mediaKey and (part.directPath or part.URL) else None
    return None


def _has(message: Any, name: str) -> bool:
    try:
        return bool(message.HasField(name))
    except ValueError:  # a field that this version of the protobufs does not have
        return False


def _media(part: Any) -> dict[str, Any] | None:
    """content of a file: its hash is that of the plain bytes, which is how the daemon keeps it."""
    if not part.fileSHA256:
        return None
    name = getattr(part, "fileName", "") or getattr(part, "title", "")
    return {
        "media": {
            "mime_type": part.mimetype or "application/octet-stream",
            "size_bytes": part.fileLength,
            "sha256": part.fileSHA256.hex(),
            "file_name": name[:FILE_NAME_MAX_CHARACTERS] or None,
        }
    }


def _quoted(part: Any) -> str | None:
    try:
        if not part.HasField("contextInfo"):
            return None
    except (ValueError, AttributeError):  # a kind without it
        return None
    context = part.contextInfo
    return (context.stanzaID or None) if context.HasField("quotedMessage") else None


def _extended_text(part: Any) -> Content:
    return Content(MessageType.TEXT, "", part.text)


def _location(part: Any) -> Content:
    place = {
        "latitude": part.degreesLatitude,
        "longitude": part.degreesLongitude,
        "name": getattr(part, "name", "") or None,
        "address": getattr(part, "address", "") or None,
    }
    text = getattr(part, "caption", "") or getattr(part, "comment", "") or None
    return Content(MessageType.LOCATION, "", text, {"location": place})


def _contact(part: Any) -> Content:
    return Content(MessageType.CONTACT, "", None, {"contact": _card(part)})


def _contacts(part: Any) -> Content:
    """Several cards at once: the first as the contact, all of them in its vcard."""
    cards = [_card(each) for each in part.contacts]
    if not cards:
        return Content(MessageType.UNKNOWN, "")
    vcard = "\n".join(card["vcard"] for card in cards if card["vcard"])[:VCARD_MAX_CHARACTERS]
    contact = {**cards[0], "vcard": vcard or None}
    return Content(MessageType.CONTACT, "", part.displayName or None, {"contact": contact})


def _card(part: Any) -> dict[str, Any]:
    vcard = part.vcard[:VCARD_MAX_CHARACTERS]
    return {"name": part.displayName or _vcard_name(vcard), "number": _vcard_number(vcard), "vcard": vcard or None}


def _vcard_name(vcard: str) -> str:
    return next((line[3:].strip() for line in vcard.splitlines() if line.upper().startswith("FN:")), "")


def _vcard_number(vcard: str) -> str | None:
    """The first telephone number: WhatsApp's own id of it (waid) where there is one."""
    for line in vcard.splitlines():
        name, colon, value = line.partition(":")
        if not colon or "TEL" not in name.upper().replace(".", ";").split(";"):
            continue
        waid = next((part[5:] for part in name.split(";") if part.lower().startswith("waid=")), "")
        return waid or value.strip() or None
    return None


def _reaction(part: Any) -> Content:
    target = {"link_id": part.key.ID, "emoji": part.text[:EMOJI_MAX_CHARACTERS]}
    return Content(MessageType.REACTION, "", None, {"reaction": target})


def _chosen(*names: str) -> Any:
    """A reader of answers to a business's buttons and lists: what was chosen, as text."""

    def read(part: Any) -> Content:
        text = next((value for name in names if (value := getattr(part, name, ""))), None)
        return Content(MessageType.TEXT, "", text)

    return read


def _body(part: Any) -> Content:
    return Content(MessageType.TEXT, "", part.body.text or None)


_READERS: dict[str, Any] = {
    "conversation": None,
    "extendedTextMessage": _extended_text,
    "locationMessage": _location,
    "liveLocationMessage": _location,
    "contactMessage": _contact,
    "contactsArrayMessage": _contacts,
    "reactionMessage": _reaction,
    "buttonsResponseMessage": _chosen("selectedDisplayText", "selectedButtonID"),
    "templateButtonReplyMessage": _chosen("selectedDisplayText", "selectedID"),
    "listResponseMessage": _chosen("title", "description"),
    "interactiveResponseMessage": _body,
}
