"""Chats and messages as they are read: who wrote, what stands there, and what has become of it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from pombal.dashboard.views.stages import Part, bar_of, guilty_stage, stage_key
from pombal.model.message import Direction, Message, MessageStatus
from pombal.model.phone import USER_SERVER
from pombal.model.results import Chat

PREVIEW_CHARACTERS = 120
LONG_CHARACTERS, LONG_LINES = 500, 12
# Shown in the page; everything else is offered as a file.
INLINE_TYPES = {
    "image": frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"}),
    "audio": frozenset({"audio/ogg", "audio/mpeg", "audio/mp4", "audio/aac", "audio/wav", "audio/webm", "audio/opus"}),
    "video": frozenset({"video/mp4", "video/webm", "video/ogg"}),
}
_NUMBER = re.compile(r"\+[0-9 ().\u00a0-]*[0-9]")
_CAN_RESEND = frozenset({MessageStatus.FAILED, MessageStatus.UNCERTAIN})


def bare_type(mime_type: str) -> str:
    """'audio/ogg; codecs=opus' → 'audio/ogg'"""
    return mime_type.partition(";")[0].strip().lower()


def shown_as(mime_type: str) -> str:
    """image, audio or video where a browser may show the file in the page; file for any other."""
    bare = bare_type(mime_type)
    return next((how for how, types in INLINE_TYPES.items() if bare in types), "file")


def title_of(chat_id: str, name: str | None, number: str | None) -> str:
    """Whom a chat is with: a name, else the number, else WhatsApp's own id."""
    if name:
        return name
    if number:
        return f"+{number}"
    user, _, server = chat_id.partition("@")
    return f"+{user}" if server == USER_SERVER and user.isdigit() else chat_id


def address_of(chat_id: str, number: str | None) -> str:
    """Where a chat is: its number as people write it, else WhatsApp's own id (a group, a LID nobody knows)."""
    user, _, server = chat_id.partition("@")
    if number:
        return f"+{number}"
    return f"+{user}" if server == USER_SERVER and user.isdigit() else chat_id


def search_for(typed: str | None) -> str | None:
    """What is asked for where somebody typed this: a number as people write it is its digits, as it is recorded."""
    if typed is None or not _NUMBER.fullmatch(typed):
        return typed
    return "".join(filter(str.isdigit, typed))


@dataclass(frozen=True, slots=True)
class ChatLine:
    chat: Chat
    title: str
    last: "MessageLine"


def chat_line(chat: Chat) -> ChatLine:
    title = title_of(chat.chat_id, chat.contact_name, chat.contact_number)
    return ChatLine(chat, title, message_line(chat.last_message))


def preview_of(message: Message) -> str:
    """The beginning of the text, in one line; empty where the type has to say it."""
    text = message.text_content or _named(message) or ""
    line = " ".join(text[: PREVIEW_CHARACTERS * 4].split())
    return f"{line[: PREVIEW_CHARACTERS - 1]}…" if len(line) > PREVIEW_CHARACTERS else line


def _named(message: Message) -> str | None:
    """What a message without a text is called: its emoji, its place, its contact, its file."""
    if message.media is not None:
        return message.media.file_name
    content = message.reaction or message.location or message.contact or {}
    return content.get("emoji") or content.get("name")


@dataclass(frozen=True, slots=True)
class MessageLine:
    """``at_ms`` is when it happened; ``day`` (an ISO date) stands with the first message of a day in a thread.

    ``is_long``: scrolls in its place. ``guilty``: the key of the words for the stage that took most of its time.
    ``about``: the message that it answers, or reacts to, where that is known.
    """

    message: Message
    is_ours: bool
    at_ms: int
    day: str | None
    media_as: str | None
    bar: list[Part]
    is_late: bool
    guilty: str | None
    preview: str
    is_long: bool
    can_cancel: bool
    can_resend: bool
    sender: str | None
    title: str
    about: "Quote | None"
    marks: "Marks"


@dataclass(frozen=True, slots=True)
class Quote:
    """The message that another one is about; ``author`` is None where we wrote it ourselves."""

    message: Message
    author: str | None
    preview: str


@dataclass(frozen=True, slots=True)
class Marks:
    """When somebody changed a message after it was sent, in epoch milliseconds; None where nobody did."""

    edited_at: int | None = None
    deleted_at: int | None = None


UNTOUCHED = Marks()


@dataclass(frozen=True, slots=True)
class Beside:
    """What messages are about, by message_id; and what became of those that were changed, by row id."""

    named: Mapping[str, Message] = field(default_factory=dict)
    marks: Mapping[int, Marks] = field(default_factory=dict)


NOTHING = Beside()


def message_line(message: Message, beside: Beside = NOTHING, day: str | None = None) -> MessageLine:
    ours = message.direction == Direction.OUTBOUND
    guilty, about = guilty_stage(message), beside.named.get(named_by(message) or "")
    return MessageLine(
        message=message,
        is_ours=ours,
        at_ms=happened_at(message),
        day=day,
        media_as=None if message.media is None else shown_as(message.media.mime_type),
        bar=bar_of(message),
        is_late=message.is_latency_acceptable is False,
        guilty=None if guilty is None else stage_key(guilty, message.direction),
        preview=preview_of(message),
        is_long=_is_long(message.text_content or ""),
        can_cancel=ours and message.status == MessageStatus.QUEUED and message.dispatched_at is None,
        can_resend=ours and message.status in _CAN_RESEND,
        sender=_sender(message),
        title=title_of(message.chat_id, message.contact_name, message.contact_number),
        about=None if about is None else _quote(about),
        marks=beside.marks.get(message.id, UNTOUCHED),
    )


def _is_long(text: str) -> bool:
    """Whether it may be higher than what is shown at once, so that a keyboard has to be able to scroll it."""
    return len(text) > LONG_CHARACTERS or text.count("\n") > LONG_LINES


def _quote(message: Message) -> Quote:
    sent = message.direction == Direction.OUTBOUND
    address = message.participant or message.chat_id
    author = None if sent else title_of(address, message.contact_name, message.contact_number)
    return Quote(message, author, preview_of(message))


def named_by(message: Message) -> str | None:
    """The message_id of the message that this one answers, or reacts to."""
    return message.quoted_message_id or (message.reaction or {}).get("message_id")


def thread_of(messages: Iterable[Message], zone: tzinfo, beside: Beside = NOTHING) -> list[MessageLine]:
    """Oldest first, each day's first message marked; messages come newest first, as lists do."""
    lines: list[MessageLine] = []
    today = None
    for message in reversed(list(messages)):
        day = datetime.fromtimestamp(happened_at(message) / 1000, zone).date().isoformat()
        lines.append(message_line(message, beside, None if day == today else day))
        today = day
    return lines


def happened_at(message: Message) -> int:
    """When a person would say it was: queued for what goes out, WhatsApp's stamp for what comes in (epoch ms)."""
    if message.direction == Direction.OUTBOUND:
        return message.queued_at or message.sent_at or 0
    return message.sent_at or message.received_at or message.delivered_at or 0


def _sender(message: Message) -> str | None:
    """Who wrote, in a group; in a chat with one person no message needs a name."""
    if message.direction == Direction.OUTBOUND or not message.participant:
        return None
    return title_of(message.participant, message.contact_name, message.contact_number)
