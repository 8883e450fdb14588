"""What people write, as plain values: built into WhatsApp's Message, and read back from one.

{"type": "text", "text": "oi", "quoted": {"id": "3EB0…", "from": "5511…", "text": "…"}}
{"type": "image" | "audio" | "video" | "document" | "sticker", "media": {…, see media.py}, "text": "caption"}
{"type": "location", "latitude": -23.5, "longitude": -46.6, "name": "…", "address": "…"}
{"type": "contact", "name": "…", "vcard": "BEGIN:VCARD…"}
{"type": "reaction", "id": "3EB0…", "from_me": true, "text": "👍"}
{"type": "edit", "id": "3EB0…", "text": "…"}, {"type": "delete", "id": "3EB0…"}
"""

import hashlib
import json
import time
from typing import Any

from tests.fakes.whatsapp.jids import parse
from tests.fakes.whatsapp.proto import P

Content = dict[str, Any]
MEDIA = ("image", "audio", "video", "document", "sticker")


def build(content: Content, chat: str) -> Any:
    """The Message; ``chat`` is the other side as the sender names it, for the keys of other messages."""
    kind = content["type"]
    if kind in MEDIA:
        return _with_context(_build_media(kind, content), content)
    return _with_context(_BUILD[kind](content, chat), content)


def _text(content: Content, _chat: str) -> Any:
    if "quoted" in content:
        return P.Message(extendedTextMessage=P.Message.ExtendedTextMessage(text=content["text"]))
    return P.Message(conversation=content["text"])


def _location(content: Content, _chat: str) -> Any:
    return P.Message(locationMessage=P.Message.LocationMessage(
        degreesLatitude=content["latitude"], degreesLongitude=content["longitude"],
        name=content.get("name"), address=content.get("address"),
    ))  # fmt: skip


def _contact(content: Content, _chat: str) -> Any:
    return P.Message(contactMessage=P.Message.ContactMessage(displayName=content["name"], vcard=content["vcard"]))


def _key(content: Content, chat: str) -> Any:
    return P.MessageKey(
        remoteJid=chat, id=content["id"], fromMe=content.get("from_me", False), participant=content.get("participant")
    )


def _reaction(content: Content, chat: str) -> Any:
    return P.Message(reactionMessage=P.Message.ReactionMessage(
        key=_key(content, chat), text=content["text"], senderTimestampMs=int(time.time() * 1000)
    ))  # fmt: skip


def _edit(content: Content, chat: str) -> Any:
    protocol = P.Message.ProtocolMessage(
        key=_key({"from_me": True, **content}, chat), type=P.Message.ProtocolMessage.MESSAGE_EDIT,
        editedMessage=P.Message(conversation=content["text"]), timestampMs=int(time.time() * 1000),
    )  # fmt: skip
    return P.Message(editedMessage=P.Message.FutureProofMessage(message=P.Message(protocolMessage=protocol)))


def _delete(content: Content, chat: str) -> Any:
    return P.Message(protocolMessage=P.Message.ProtocolMessage(
        key=_key({"from_me": True, **content}, chat), type=P.Message.ProtocolMessage.REVOKE
    ))  # fmt: skip


_BUILD = {
    "text": _text, "location": _location, "contact": _contact, "reaction": _reaction, "edit": _edit, "delete": _delete,
}  # fmt: skip


def _build_media(kind: str, content: Content) -> Any:
    media = dict(content["media"])
    name, voice = media.pop("file_name", None), content.get("voice", False)
    message = P.Message()
    part = getattr(message, f"{kind}Message")
    for field, value in media.items():
        setattr(part, field, value)
    if kind == "document":
        part.fileName = name or "file"
    if kind == "audio":
        part.ptt = voice
    if content.get("text"):
        part.caption = content["text"]
    return message


def _with_context(message: Any, content: Content) -> Any:
    quoted = content.get("quoted")
    if quoted:
        part = getattr(message, message.ListFields()[0][0].name)
        part.contextInfo.stanzaId = quoted["id"]
        part.contextInfo.participant = str(parse(quoted["from"]))
        part.contextInfo.quotedMessage.conversation = quoted.get("text", "")
    return message


def stanza_type(content: Content) -> str:
    if content["type"] in (*MEDIA, "contact"):
        return "media"
    return "reaction" if content["type"] == "reaction" else "text"


def edit_attribute(content: Content) -> str | None:
    if content["type"] == "reaction" and not content["text"]:
        return "7"
    return {"edit": "1", "delete": "7"}.get(content["type"])


def describe(message: Any) -> Content:
    """What the message says, without what differs from one try to the next (keys of media, secrets, times)."""
    inner = message.deviceSentMessage.message if message.HasField("deviceSentMessage") else message
    for wrapper in ("ephemeralMessage", "documentWithCaptionMessage", "viewOnceMessage", "editedMessage"):
        if inner.HasField(wrapper):
            inner = getattr(inner, wrapper).message
    content = _describe_part(inner)
    context = _context(inner)
    if context is not None and context.stanzaId:
        content["quoted"] = context.stanzaId
    return content


def _describe_part(message: Any) -> Content:
    if message.HasField("conversation"):
        return {"type": "text", "text": message.conversation}
    if message.HasField("extendedTextMessage"):
        return {"type": "text", "text": message.extendedTextMessage.text}
    for kind in MEDIA:
        if message.HasField(f"{kind}Message"):
            return _describe_media(kind, getattr(message, f"{kind}Message"))
    if message.HasField("locationMessage"):
        place = message.locationMessage
        return {"type": "location", "latitude": place.degreesLatitude, "longitude": place.degreesLongitude,
                "name": place.name, "address": place.address}  # fmt: skip
    if message.HasField("contactMessage"):
        return {"type": "contact", "name": message.contactMessage.displayName, "vcard": message.contactMessage.vcard}
    if message.HasField("reactionMessage"):
        reaction = message.reactionMessage
        return {"type": "reaction", "text": reaction.text, "id": reaction.key.id, "from_me": reaction.key.fromMe}
    if message.HasField("protocolMessage"):
        return _describe_protocol(message.protocolMessage)
    return {"type": "unknown", "fields": [field.name for field, _ in message.ListFields()]}


def _describe_media(kind: str, part: Any) -> Content:
    content: Content = {"type": kind, "sha256": part.fileSha256.hex(), "size_bytes": part.fileLength,
                        "mime_type": part.mimetype}  # fmt: skip
    if kind == "document":
        content["file_name"] = part.fileName
    if kind == "audio":
        content["voice"] = part.ptt
    if kind in ("image", "video", "document"):
        content["text"] = part.caption
    return content


def _describe_protocol(part: Any) -> Content:
    kinds = P.Message.ProtocolMessage
    if part.type == kinds.MESSAGE_EDIT:
        return {"type": "edit", "id": part.key.id, "text": _describe_part(part.editedMessage).get("text")}
    if part.type == kinds.REVOKE and part.key.id:
        return {"type": "delete", "id": part.key.id}
    return {"type": "protocol", "kind": int(part.type)}


def _context(message: Any) -> Any | None:
    for field, value in message.ListFields():
        if field.name.endswith("Message") and "contextInfo" in value.DESCRIPTOR.fields_by_name:
            return value.contextInfo
    return None


def content_hash(content: Content) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
