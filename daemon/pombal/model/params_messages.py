"""The params of methods on messages and contacts."""

from typing import Annotated, Literal, Self

from pydantic import Field, WithJsonSchema, model_validator

from pombal.model.content import ContactCard, Location, MediaReference, Reaction, check_media, check_parts
from pombal.model.errors import PombalError
from pombal.model.ids import check_message_id
from pombal.model.message import Direction, MessageStatus, MessageType, Origin
from pombal.model.params_base import (
    Count,
    Cursor,
    Limit,
    Natural,
    Params,
    PhoneNumber,
    SessionRef,
    TimeText,
    refusing,
)
from pombal.model.text import TEXT_MAX_CHARACTERS

ChatId = Annotated[str, Field(max_length=128)]
SearchText = Annotated[str, Field(max_length=256)]
NewMessageId = Annotated[
    str,
    refusing(check_message_id),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"}),
]
MessageId = Annotated[str, Field(min_length=1, max_length=128)]


class SendParams(Params):
    """message.send"""

    session: SessionRef
    to: Annotated[str, Field(min_length=1, max_length=128)] = Field(
        description="A phone number in any usual spelling, or …@s.whatsapp.net, …@lid, …@g.us.",
        examples=["5511999999999"],
    )
    type: MessageType = Field(MessageType.TEXT, strict=False)
    text: str | None = Field(
        None,
        description="The text, or the caption of media; at most 65,536 characters.",
        json_schema_extra={"maxLength": TEXT_MAX_CHARACTERS},
    )
    media: MediaReference | None = Field(None, description="A file put before with media.put.")
    location: Location | None = None
    contact: ContactCard | None = None
    reaction: Reaction | None = None
    quoted_message_id: MessageId | None = Field(
        None, description="The message_id of a message of the same chat that this one answers."
    )
    message_id: NewMessageId | None = Field(
        None,
        description="The caller's idempotency key: 1 to 128 printable ASCII characters.",
        examples=["ticket-4711-3"],
    )

    @model_validator(mode="after")
    def _parts_fit_the_type(self) -> Self:
        parts = {"media": self.media, "location": self.location, "contact": self.contact, "reaction": self.reaction}
        try:
            check_parts(self.type, {"text": self.text, **parts})
            if self.media is not None:
                check_media(self.type, self.media.mime_type)
        except PombalError as error:
            raise ValueError(error.message) from None
        for name, part in parts.items():
            if part is not None and any(isinstance(value, str) and "\0" in value for value in part.__dict__.values()):
                raise ValueError(f"{name} holds a NUL character (U+0000), which WhatsApp cannot carry; remove it")
        return self


class MessageRefParams(Params):
    """message.get, message.cancel and message.resend: by session and message_id, or by id"""

    session: SessionRef | None = None
    message_id: MessageId | None = None
    id: Natural | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        by_message_id = self.session is not None and self.message_id is not None
        by_id = self.id is not None and self.session is None and self.message_id is None
        if by_id or (by_message_id and self.id is None):
            return self
        raise ValueError("give session and message_id, or id alone")


class MessageGetParams(MessageRefParams):
    """message.get"""


class MessageListParams(Params):
    """message.list"""

    session: SessionRef | None = None
    direction: Direction | None = Field(None, strict=False)
    message_type: MessageType | None = Field(None, strict=False)
    status: MessageStatus | None = Field(None, strict=False)
    origin: Origin | None = Field(None, strict=False)
    chat_id: ChatId | None = None
    contact_number: PhoneNumber | None = None
    since: TimeText | None = Field(None, description="Queued (outbound) or sent (inbound) at or after this time.")
    until: TimeText | None = Field(None, description="… and before this one.")
    search: SearchText | None = Field(
        None, description="Prefixes of words, all of them, in text, contact number and contact name."
    )
    order: Literal["desc", "asc"] = Field("desc", description="By id: desc shows the newest first.")
    limit: Limit = 50
    cursor: Cursor | None = None
    count: Count = False


class HighLatencyParams(MessageListParams):
    """message.high_latency"""

    threshold_ms: Natural | None = Field(
        None, description="Total latency at or over this; default: [latency] acceptable_ms."
    )


class ChatListParams(Params):
    """chat.list"""

    session: SessionRef
    search: SearchText | None = Field(
        None, description="Prefixes of words, all of them, in the contact's number and name."
    )
    limit: Limit = 50
    cursor: Cursor | None = None


class MarkReadParams(Params):
    """message.mark_read"""

    session: SessionRef
    message_ids: Annotated[list[MessageId], Field(min_length=1, max_length=1000)]


class ContactCheckParams(Params):
    """contact.check"""

    session: SessionRef
    numbers: Annotated[list[PhoneNumber], Field(min_length=1, max_length=100)]
