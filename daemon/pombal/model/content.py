"""What a message carries, as callers give it and as its idempotency is decided by."""

import hashlib
import json
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from pombal.model.errors import PombalError, invalid
from pombal.model.message import MEDIA_TYPES, MessageType
from pombal.model.phone import Recipient, parse_number

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


MimeType = Annotated[
    str, StringConstraints(max_length=255, pattern=r"^[A-Za-z0-9][\w.+-]*/[A-Za-z0-9][\w.+-]*( *;[ -~]*)?$")
]


class MediaReference(_Part):
    """A file that was put into the media store before, by media.put."""

    sha256: Sha256
    mime_type: MimeType = Field(examples=["image/jpeg"])
    file_name: str | None = Field(None, max_length=255)


class Location(_Part):
    """A point on the map, in degrees (WGS 84)."""

    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    name: str | None = Field(None, max_length=1024)
    address: str | None = Field(None, max_length=1024)


class ContactCard(_Part):
    """A contact passed on; vcard is RFC 6350 text, made from name and number where it is absent."""

    name: str = Field(min_length=1, max_length=256)
    number: str | None = Field(None, max_length=32)
    vcard: str | None = Field(None, max_length=16_384)

    @model_validator(mode="after")
    def _says_how_to_reach_them(self) -> Self:
        if self.vcard is None and self.number is None:
            raise ValueError("give number, or a vcard")
        if self.number is not None:
            try:
                parse_number(self.number)
            except PombalError as error:
                raise ValueError(f"number: {error.message}") from None
        if self.vcard is not None and not self.vcard.lstrip().upper().startswith("BEGIN:VCARD"):
            raise ValueError("vcard is no vCard: it begins with BEGIN:VCARD (RFC 6350)")
        return self


class Reaction(_Part):
    """An emoji on a message of the same chat; the empty string takes it back."""

    message_id: str = Field(min_length=1, max_length=128)
    emoji: str = Field(max_length=64)


# What each type must carry, beside an optional text (a caption, for media).
_REQUIRED: dict[MessageType, str] = {
    MessageType.TEXT: "text",
    MessageType.LOCATION: "location",
    MessageType.CONTACT: "contact",
    MessageType.REACTION: "reaction",
} | dict.fromkeys(MEDIA_TYPES, "media")


# What phones show a text with; WhatsApp drops it silently elsewhere, so it is refused there.
_WITH_TEXT = frozenset({MessageType.TEXT, MessageType.IMAGE, MessageType.VIDEO, MessageType.DOCUMENT})
_MIME_OF = {
    MessageType.IMAGE: "image/",
    MessageType.AUDIO: "audio/",
    MessageType.VIDEO: "video/",
    MessageType.STICKER: "image/webp",
}


def check_media(message_type: MessageType, mime_type: str) -> None:
    """Refuse a file that its type cannot be: phones would show nothing. Raises PombalError (invalid)."""
    wanted = _MIME_OF.get(message_type)
    if wanted is not None and not mime_type.lower().startswith(wanted):
        kind = f"{wanted}…" if wanted.endswith("/") else wanted
        raise invalid(
            f"a message of type {message_type} needs media of mime_type {kind}, not {mime_type[:100]}; "
            "any file can go as a document"
        )


def check_parts(message_type: MessageType, parts: dict[str, Any]) -> None:
    """Refuse a message without what its type is for, or with a part that its type cannot carry.

    parts: text, media, location, contact, reaction; None where absent. Raises PombalError (invalid).
    """
    if message_type not in _REQUIRED:
        raise invalid(f"type {message_type} can be received but not sent")
    needed = _REQUIRED[message_type]
    if not parts.get(needed):
        raise invalid(f"a message of type {message_type} needs {needed}")
    allowed = {needed, "text"} if message_type in _WITH_TEXT else {needed}
    if extra := [name for name, value in parts.items() if value is not None and name not in allowed]:
        raise invalid(f"a message of type {message_type} cannot carry {', '.join(extra)}")


_CANONICAL = json.JSONEncoder(sort_keys=True)


def content_hash(
    recipient: Recipient,
    message_type: MessageType,
    text: str | None,
    content: dict[str, Any] | None,
    quoted_message_id: str | None,
) -> str:
    """What makes two sends under one message_id the same send: 64 hex digits.

    Media count by their sha256 alone: a retry may call the same bytes by another file name.
    """
    parts = dict(content or {})
    if "media" in parts:
        parts["media"] = parts["media"]["sha256"]
    canonical = _CANONICAL.encode([recipient.key, message_type, text, parts, quoted_message_id])
    return hashlib.sha256(canonical.encode()).hexdigest()
