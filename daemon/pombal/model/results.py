"""The results of every method that does not answer with a Session or a Message as it is."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, RootModel

from pombal.model.erasure import ErasureState
from pombal.model.message import Message
from pombal.model.params import FaultKind
from pombal.model.params_base import Base64Data
from pombal.model.session import Session
from pombal.model.times import Instant


class Result(BaseModel):
    """What a method answers with."""

    model_config = ConfigDict(frozen=True)


Counted = Annotated[int | None, Field(exclude_if=lambda count: count is None)]
"""How many there are in all; only there where it was asked for."""


class Nothing(Result):
    """Done; there is nothing more to say."""


# The daemon


# Sessions


class SessionPage(Result):
    """session.list; ``last_seq`` is the event sequence of the snapshot that answered."""

    results: list[Session]
    next: str | None
    last_seq: int
    count: Counted = None


class SessionDeleted(Result):
    """session.delete"""

    deleted: bool
    messages_deleted: int


class LinkCode(Result):
    """session.qr and session.pair_code: what to scan or to type, and until when."""

    code: str
    expires_at: Instant


# Latency


# Messages


class Chat(Result):
    """One conversation of a session; name and number are those of whoever wrote last at the other end."""

    chat_id: str
    contact_name: str | None
    contact_number: str | None
    unread_count: int
    last_message: Message


class ChatPage(Result):
    """chat.list"""

    results: list[Chat]
    next: str | None
    last_seq: int


class MessagePage(Result):
    """message.list and message.high_latency"""

    results: list[Message]
    next: str | None
    last_seq: int
    count: Counted = None


class Marked(Result):
    """message.mark_read: how many were not read before."""

    marked: int


class ContactFacts(Result):
    """What WhatsApp knows of a number; ``canonical_id`` and ``lid`` are its addresses."""

    number: str
    exists: bool
    canonical_id: str | None = None
    lid: str | None = None


class ContactsChecked(Result):
    """contact.check, in the order asked"""

    results: list[ContactFacts]


# Events


class Subscribed(Result):
    """events.subscribe"""

    subscription: str
    log_id: str


class EventPage(Result):
    """events.list; ``results`` are events as they are notified."""

    results: list[dict[str, Any]]
    last_seq: int
    log_id: str
    count: Counted = None


# Media


class MediaUpload(Result):
    """An upload that goes on: the next chunk starts at ``offset``."""

    model_config = ConfigDict(extra="forbid")

    upload: str
    offset: int


class MediaStored(Result):
    """A file that is in the media store."""

    model_config = ConfigDict(extra="forbid")

    sha256: str
    size_bytes: int


class MediaPutAnswer(RootModel[MediaStored | MediaUpload]):
    """media.put: {sha256, size_bytes} when the file is whole, {upload, offset} before."""


class MediaChunk(Result):
    """media.get; ``eof`` when nothing follows."""

    data: Base64Data
    eof: bool


# Tokens


class TokenCreated(Result):
    """token.create; ``sign_in_link`` is null where none was asked for."""

    token: str
    expires_at: Instant
    sign_in_link: str | None = None


# The rights of a contact


class ContactExport(Result):
    """contact.export: a zip that is ready to be read, and how much of what is in it."""

    export: str
    size_bytes: int
    messages: int
    media_files: int
    events: int
    contacts: int
    rejected: int


class Erasure(Result):
    """contact.erase and contact.erasure.

    ``number`` is masked; ``state``: wanted, scrubbing or done; ``step``: what is being done, null once it is done.
    ``removed``: rows and files by kind; ``not_reached``: what this daemon cannot clean, in words.
    """

    erasure: str
    number: str
    state: ErasureState
    step: str | None
    wanted_at: Instant
    done_at: Instant | None
    removed: dict[str, int]
    not_reached: list[str]


# The audit log


class AuditCaller(Result):
    """Who called. uid, pid, user: at the control socket; owner, token_id: with a token. What is not known is null."""

    name: str
    role: str
    owner: str | None = None
    uid: int | None = None
    pid: int | None = None
    user: str | None = None
    token_id: str | None = None


class AuditEntry(Result):
    """One call. ``target``: names and ids as they were given, phone numbers masked; ``outcome``: ok, or why not."""

    id: int
    at: Instant
    method: str
    outcome: str
    caller: AuditCaller
    target: dict[str, Any]


class AuditPage(Result):
    """audit.list, newest first"""

    results: list[AuditEntry]
    next: str | None
    count: Counted = None


# The simulator


class Scanned(Result):
    """simulator.scan"""

    scanned: bool = True


class Injected(Result):
    """simulator.inject: how many messages are on their way."""

    injected: int


class Faulted(Result):
    """simulator.fault"""

    fault: FaultKind = Field(description="What was done.")
