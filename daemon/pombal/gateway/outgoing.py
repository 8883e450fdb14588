"""Messages of ours as WhatsApp's protobufs. Pure; ``protobufs`` is neonize's module of waE2E."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pombal.gateway.client import FileKind, Uploaded
from pombal.link.base import Outgoing
from pombal.model.message import MEDIA_TYPES, MessageType

VOICE_MIME_TYPE = "audio/ogg"
_FIELDS = {
    MessageType.IMAGE: ("imageMessage", "ImageMessage"),
    MessageType.VIDEO: ("videoMessage", "VideoMessage"),
    MessageType.AUDIO: ("audioMessage", "AudioMessage"),
    MessageType.DOCUMENT: ("documentMessage", "DocumentMessage"),
    MessageType.STICKER: ("stickerMessage", "StickerMessage"),
}
_FILE_KINDS = {
    MessageType.IMAGE: FileKind.IMAGE,
    MessageType.STICKER: FileKind.IMAGE,
    MessageType.VIDEO: FileKind.VIDEO,
    MessageType.AUDIO: FileKind.AUDIO,
    MessageType.DOCUMENT: FileKind.DOCUMENT,
}


@dataclass(frozen=True, slots=True)
class Referred:
    """An earlier message that one refers to. author: its address, empty where it is ours; message: serialized."""

    link_id: str
    author: str
    is_ours: bool
    message: bytes = b""


def file_kind(message_type: MessageType) -> FileKind | None:
    """None for messages without a file."""
    return _FILE_KINDS.get(message_type)


def referred_id(outgoing: Outgoing) -> str | None:
    """WhatsApp's id of the message that this one quotes or reacts to."""
    if outgoing.message_type == MessageType.REACTION:
        reaction = (outgoing.content or {}).get("reaction") or {}
        link_id: str | None = reaction.get("link_id")
        return link_id
    return outgoing.quoted_link_id


def built(
    protobufs: Any, outgoing: Outgoing, *, own: str, now_ms: int, referred: Referred | None, uploaded: Uploaded | None
) -> Any:
    """The waE2E.Message. own: our address; uploaded: the file, for the types that have one.

    Raises ValueError for a message without what its type is for.
    """
    content = outgoing.content or {}
    quote = None if referred is None else _quote(protobufs, referred, own)
    if outgoing.message_type == MessageType.REACTION:
        if referred is None:
            raise ValueError("a reaction to nothing")
        return _reaction(protobufs, outgoing, content["reaction"], referred, now_ms)
    if outgoing.message_type == MessageType.TEXT:
        return _text(protobufs, outgoing.text or "", quote)
    if outgoing.message_type in MEDIA_TYPES:
        if uploaded is None:
            raise ValueError(f"a message of type {outgoing.message_type} without its file")
        return _media(protobufs, outgoing, content["media"], uploaded, quote, now_ms)
    if outgoing.message_type == MessageType.LOCATION:
        return _location(protobufs, content["location"], quote)
    if outgoing.message_type == MessageType.CONTACT:
        return _contact(protobufs, content["contact"], quote)
    raise ValueError(f"messages of type {outgoing.message_type} cannot be sent")


def _quote(protobufs: Any, referred: Referred, own: str) -> Any:
    quoted = protobufs.Message.FromString(referred.message) if referred.message else protobufs.Message(conversation="")
    return protobufs.ContextInfo(
        stanzaID=referred.link_id, participant=own if referred.is_ours else referred.author, quotedMessage=quoted
    )


def _text(protobufs: Any, text: str, quote: Any | None) -> Any:
    if quote is None:
        return protobufs.Message(conversation=text)
    return protobufs.Message(extendedTextMessage=protobufs.ExtendedTextMessage(text=text, contextInfo=quote))


def _media(
    protobufs: Any, outgoing: Outgoing, media: Mapping[str, Any], up: Uploaded, quote: Any | None, now_ms: int
) -> Any:
    field, kind = _FIELDS[outgoing.message_type]
    part = getattr(protobufs, kind)(
        URL=up.url, directPath=up.direct_path, mediaKey=up.media_key, fileSHA256=up.file_sha256,
        fileEncSHA256=up.file_enc_sha256, fileLength=up.file_length, mimetype=media["mime_type"],
        mediaKeyTimestamp=now_ms // 1000,
    )  # fmt: skip
    if quote is not None:
        part.contextInfo.CopyFrom(quote)
    if outgoing.message_type == MessageType.AUDIO:
        part.PTT = media["mime_type"].startswith(VOICE_MIME_TYPE)  # what phones record as a voice note
    if outgoing.message_type == MessageType.DOCUMENT:
        part.fileName = part.title = media.get("file_name") or "document"
    if outgoing.text and hasattr(part, "caption"):
        part.caption = outgoing.text
    message = protobufs.Message(**{field: part})
    if outgoing.message_type == MessageType.DOCUMENT and outgoing.text:
        return protobufs.Message(documentWithCaptionMessage=protobufs.FutureProofMessage(message=message))
    return message


def _location(protobufs: Any, location: Mapping[str, Any], quote: Any | None) -> Any:
    part = protobufs.LocationMessage(
        degreesLatitude=location["latitude"],
        degreesLongitude=location["longitude"],
        name=location.get("name") or None,
        address=location.get("address") or None,
        contextInfo=quote,
    )
    return protobufs.Message(locationMessage=part)


def _contact(protobufs: Any, contact: Mapping[str, Any], quote: Any | None) -> Any:
    vcard = contact.get("vcard") or _vcard(contact["name"], contact.get("number"))
    return protobufs.Message(
        contactMessage=protobufs.ContactMessage(displayName=contact["name"], vcard=vcard, contextInfo=quote)
    )


def _vcard(name: str, number: str | None) -> str:
    """RFC 6350's older form, which every phone reads; waid makes the number a button to WhatsApp."""
    name = name.replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;").replace("\n", "\\n")
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"FN:{name}", f"N:;{name};;;"]
    if number:
        digits = "".join(char for char in number if char.isdigit())
        lines.append(f"TEL;type=CELL;waid={digits}:+{digits}")
    return "\n".join([*lines, "END:VCARD"])


def _reaction(protobufs: Any, outgoing: Outgoing, reaction: Mapping[str, Any], referred: Referred, now_ms: int) -> Any:
    part = protobufs.ReactionMessage(text=reaction["emoji"], senderTimestampMS=now_ms)
    part.key.ID, part.key.fromMe, part.key.remoteJID = referred.link_id, referred.is_ours, outgoing.chat_id
    if not referred.is_ours and outgoing.chat_id.endswith("@g.us"):
        part.key.participant = referred.author
    return protobufs.Message(reactionMessage=part)
