"""Everything that can be written: the vocabulary between those who want something recorded and the recorder.

Each change is one decision of the writer's, taken inside its transaction on what is stored by then. What a change
answers with is named in its docstring; a PombalError is an answer too.
"""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any

from pombal.model.clock import Stamp
from pombal.model.contact import Contact
from pombal.model.errors import PombalError
from pombal.model.frozen import frozen
from pombal.model.message import Direction, MessageRow, MessageStatus, MessageType, Origin
from pombal.model.session import LinkKind
from pombal.model.session_state import SessionState


@frozen(kw_only=True)
class Change:
    """Base of all changes; ``at`` is when it happened, on both clocks."""

    at: Stamp


class Asked:
    """Mark of changes that somebody waits for and may be refused while the store is unavailable.

    All others tell what has happened already: they are kept and tried again until they are on disk.
    """

    __slots__ = ()


# Sessions


@frozen(kw_only=True)
class CreateSession(Asked, Change):
    """→ SessionRow, or already_exists."""

    id: str
    name: str
    owner: str
    link: LinkKind
    is_active: bool
    device_name: str | None = None
    phone_number: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)


@frozen(kw_only=True)
class UpdateSession(Asked, Change):
    """→ SessionRow. Only the fields given are changed."""

    session_key: int
    fields: dict[str, Any]


@frozen(kw_only=True)
class DeleteSession(Asked, Change):
    """→ None. Its queue has been failed before (FailQueue), and its messages removed where that was asked for."""

    session_key: int
    messages_deleted: int


@frozen(kw_only=True)
class SetSessionState(Change):
    """→ SessionRow. ``fields`` holds what changed with it: is_active, phone_number, device_name, last_error."""

    session_key: int
    state: SessionState
    fields: dict[str, Any] = field(default_factory=dict)
    link_alive: bool = False


@frozen(kw_only=True)
class CountSession(Change):
    """→ None. Errors and restarts that are no change of state."""

    session_key: int
    errors: int = 0
    restarts: int = 0
    last_error: str | None = None


@frozen(kw_only=True)
class TellGap(Change):
    """→ None. Messages may be missing that WhatsApp will not bring again; told, and kept as the last error."""

    session_key: int
    detail: str


@frozen(kw_only=True)
class ShowCode(Change):
    """→ None. A QR code or pairing code to be shown, until expires_at_ms."""

    session_key: int
    is_qr: bool
    code: str
    expires_at_ms: int


# Messages


@frozen(kw_only=True)
class QueueMessage(Asked, Change):
    """→ Queued, or conflict, or invalid (unknown media, quote or reaction target).

    refusal: what it is answered with unless it repeats a send that was accepted before.
    """

    session_key: int
    message_id: str
    link_id: str
    message_type: MessageType
    chat_id: str
    contact_number: str | None
    text: str | None
    content: dict[str, Any] | None
    quoted_message_id: str | None
    content_hash: str
    refusal: PombalError | None = None


@frozen()
class Queued:
    """What a send is answered with; ``created`` is False where the same send had been accepted before."""

    message: MessageRow
    created: bool


@frozen(kw_only=True)
class RecordMessage(Change):
    """→ MessageRow, or None where it is recorded already. What a link brought: inbound, or from the phone itself.

    chat_id and participant are as the link gave them, by number or by LID; canonical_id is the contact's address by
    number, where that is known. One that could not be read before is filled in, and answered with.
    """

    session_key: int
    message_id: str
    link_id: str
    direction: Direction
    origin: Origin
    message_type: MessageType
    chat_id: str
    sent_at_ms: int
    participant: str = ""
    contact_number: str | None = None
    contact_lid: str | None = None
    contact_name: str | None = None
    canonical_id: str | None = None
    text: str | None = None
    content: dict[str, Any] | None = None
    quoted_link_id: str | None = None
    offline: bool = False


@frozen(kw_only=True)
class LearnContacts(Change):
    """→ list[MessageRow]: of the messages named, those that still wait, now with their recipients' canonical ids.

    contacts: what WhatsApp says of numbers that exist. message_ids: queued messages to these people.
    """

    session_key: int
    contacts: tuple[Contact, ...]
    message_ids: tuple[int, ...] = ()


@frozen(kw_only=True)
class MarkDispatched(Change):
    """→ None. The first try of these messages was handed to the link."""

    message_ids: tuple[int, ...]


@frozen(kw_only=True)
class Advance(Change):
    """→ MessageRow, or None where nothing was learnt. A message reached a status; WhatsApp's second if known."""

    session_key: int
    link_id: str
    status: MessageStatus
    whatsapp_s: int | None = None
    error_kind: str | None = None
    error_detail: str | None = None


@frozen(kw_only=True)
class CancelMessage(Asked, Change):
    """→ MessageRow (failed/cancelled), or conflict when it is no longer queued or has been dispatched, or not_found."""

    session_key: int
    message_id: str


@frozen(kw_only=True)
class ResendMessage(Asked, Change):
    """→ MessageRow (queued again, same ids), or conflict when it neither failed nor is uncertain, or not_found."""

    session_key: int
    message_id: str


@frozen(kw_only=True)
class MarkRead(Asked, Change):
    """→ list[MessageRow] of the inbound messages that were not read before; not_found names the unknown ones."""

    session_key: int
    message_ids: tuple[str, ...]


@frozen(kw_only=True)
class EditMessage(Change):
    """→ MessageRow or None. Somebody edited a message."""

    session_key: int
    chat_id: str
    link_id: str
    text: str


@frozen(kw_only=True)
class RevokeMessage(Change):
    """→ MessageRow or None. Somebody deleted a message for everyone: the event says so, the row stays."""

    session_key: int
    chat_id: str
    link_id: str


@frozen(kw_only=True)
class MarkOverdue(Change):
    """→ None. These were dispatched and not acknowledged in time; told once a message."""

    message_ids: tuple[int, ...]


@frozen(kw_only=True)
class FailQueue(Change):
    """→ int, how many were failed (at most limit). queued_before_ms: only what has been queued before then.

    only_dispatched: those whose answer will never come, which become `uncertain` and not `failed`. is_unsure: all of it
    may have been sent, and becomes `uncertain`.
    """

    session_key: int | None
    error_kind: str
    error_detail: str
    limit: int
    queued_before_ms: int | None = None
    only_dispatched: bool = False
    is_unsure: bool = False


@frozen(kw_only=True)
class KeepRejected(Change):
    """→ None. Something a link brought that could not be understood: kept raw, for a person to look at."""

    session_key: int
    source: str
    raw: str
    reason: str


@frozen(kw_only=True)
class PutMedia(Asked, Change):
    """→ None. A file lies in the media store, and may be spoken of from now on."""

    sha256: str
    size_bytes: int


@frozen(kw_only=True)
class NoteCall(Change):
    """→ None. Who did what: a row of the audit log; see model/audit.py."""

    method: str
    outcome: str
    caller: Mapping[str, Any]
    target: Mapping[str, Any]


# Moving in


class Imported(StrEnum):
    """What became of something that another system has recorded."""

    ADDED = "added"
    MOVED_ON = "moved_on"  # it was here, and has reached another status since
    KNOWN = "known"


@frozen(kw_only=True)
class ImportSession(Asked, Change):
    """→ (Imported, SessionRow), or not_found where it has been deleted. It gets the first of ``names`` that is free.

    By its id it is known again. The totals are those that the other system had counted.
    """

    id: str
    names: tuple[str, ...]
    owner: str
    link: LinkKind
    device_name: str | None
    phone_number: str | None
    connected_at_ms: int | None
    total_messages_sent: int
    total_messages_received: int
    error_count: int


@frozen(kw_only=True)
class ImportMessage(Asked, Change):
    """→ Imported, or conflict. The row as it shall be, of origin history; its id is set when it is written."""

    session_key: int
    message: MessageRow


# The erasure of a person; see decisions/erasure.py


# Housekeeping, in slices of at most ``limit`` rows so that none holds up a commit

RecentKey = tuple[int, int, str, int]
"""Of a row of latencies that are not spread yet: session key, minute (epoch ms), measure and histogram bucket."""


@frozen(kw_only=True)
class SpreadRollups(Change):
    """→ RecentKey | None. Recent latencies, from behind ``after`` on, are spread over minutes, hours, days and weeks.

    The answer is where the next slice goes on; None: there is no more.
    """

    after: RecentKey | None = None
    limit: int
