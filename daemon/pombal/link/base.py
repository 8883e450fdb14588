"""What a link is: the one way in which a session actor meets WhatsApp, whoever stands behind it.

A link hands over *deliveries*, in order, each with a sequence number; the actor acknowledges up to a number once all of
it is committed, and what was not acknowledged comes again when the link is next opened. Commands go the other way. A
send returns when the link has taken it; whether WhatsApp did comes later, as Sent or Failed with the same link_id.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import field
from enum import StrEnum
from typing import Any, Protocol

from pombal.model.frozen import frozen
from pombal.model.message import Direction, MessageStatus, MessageType, Origin


class LinkLost(Exception):
    """The connection to WhatsApp (or to the gateway) is gone: expected, so the actor reconnects with backoff."""


class SendRefused(Exception):
    """The link will never carry this message: it fails with ``kind`` and is not tried again."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


# What a link tells


@frozen()
class Qr:
    """A QR code to scan; each new one replaces the one before."""

    code: str
    expires_at_ms: int


@frozen()
class PairCode:
    """A code to type into the phone."""

    code: str
    expires_at_ms: int


@frozen()
class Authenticated:
    """Paired, or logged in again. identity is WhatsApp's id of the account (its number, as digits)."""

    identity: str
    phone_number: str
    device_name: str | None = None


@frozen()
class Ready:
    """Synced: messages flow."""


@frozen()
class IncomingMessage:
    """A message that was not sent through us: from a contact, from the phone itself, or from history.

    text is as the network gave it (the actor makes it storable); content may hold media, location, contact, reaction.
    """

    link_id: str
    chat_id: str
    timestamp_s: int
    message_type: MessageType = MessageType.TEXT
    text: str | None = None
    participant: str = ""
    contact_number: str | None = None
    contact_lid: str | None = None
    contact_name: str | None = None
    content: Mapping[str, Any] | None = None
    quoted_link_id: str | None = None
    direction: Direction = Direction.INBOUND
    origin: Origin = Origin.API
    offline: bool = False


@frozen()
class Receipt:
    """WhatsApp says that messages were delivered or read (status DELIVERED or READ)."""

    link_ids: tuple[str, ...]
    status: MessageStatus
    timestamp_s: int | None = None


@frozen()
class Sent:
    """WhatsApp's server acknowledged a message of ours."""

    link_id: str
    timestamp_s: int | None = None


@frozen()
class Failed:
    """WhatsApp refused a message of ours."""

    link_id: str
    kind: str
    detail: str = ""


@frozen()
class Edited:
    chat_id: str
    link_id: str
    text: str


@frozen()
class Revoked:
    chat_id: str
    link_id: str


class EndKind(StrEnum):
    """Why a link ended for good, so that only a person's `start` opens it again."""

    PAIRING_TIMEOUT = "pairing_timeout"
    LOGGED_OUT = "logged_out"
    REPLACED = "replaced"
    BANNED = "banned"
    BAD_CREDENTIALS = "bad_credentials"
    PASSKEY_REQUIRED = "passkey_required"
    CLIENT_OUTDATED = "client_outdated"


@frozen()
class Ended:
    """The last thing a link tells; until_ms where WhatsApp said when it ends (bans)."""

    kind: EndKind
    detail: str = ""
    until_ms: int | None = None


@frozen()
class Restricted:
    """The account may not write to strangers (or at all) until then; the link stays up."""

    until_ms: int
    detail: str = ""


@frozen()
class Garbage:
    """Something that could not be understood; kept raw for a person to look at."""

    raw: str
    reason: str


@frozen()
class Gap:
    """Messages may be missing that WhatsApp will not bring again; nobody can say which. detail: what happened."""

    detail: str


LinkEvent = (
    Qr | PairCode | Authenticated | Ready | IncomingMessage | Receipt | Sent | Failed | Edited | Revoked | Ended
    | Restricted | Garbage | Gap
)  # fmt: skip
SESSION_EVENTS = frozenset({Qr, PairCode, Authenticated, Ready, Ended, Restricted, Gap})
"""What is about the session itself, and not about its messages. Each has a case in Connection._about_session."""


@frozen()
class Delivery:
    """One event of a link. Sequence numbers grow by one within a session's life at its link, over reconnects too."""

    seq: int
    event: LinkEvent


# What a link is told


@frozen()
class Outgoing:
    """One message to send, under an id that was fixed before the first try."""

    link_id: str
    chat_id: str
    contact_number: str | None
    message_type: MessageType
    text: str | None = None
    content: Mapping[str, Any] | None = None
    quoted_link_id: str | None = None


@frozen()
class ContactInfo:
    """What WhatsApp knows about a number."""

    number: str
    exists: bool
    canonical_id: str | None = None
    lid: str | None = None


@frozen()
class LinkContext:
    """For whom a link is opened. identity is None until the session has been paired once."""

    session_id: str
    session_name: str
    identity: str | None
    phone_number: str | None
    device_name: str | None
    settings: Mapping[str, Any] = field(default_factory=dict)


# Files: whoever keeps them (the media room) is met by links through these


class MediaSource(Protocol):
    """Files by their sha256 (64 lower-case hex digits), to be read in pieces."""

    async def size_of(self, sha256: str) -> int | None:
        """How many bytes the file has; None where it is not here."""

    async def read(self, sha256: str, offset: int, limit: int) -> bytes:
        """At most limit bytes from offset; none past the end. Raises PombalError: not_found, unavailable."""


class MediaReceiver(Protocol):
    """A file that is being taken in, piece by piece."""

    async def write(self, chunk: bytes) -> None:
        """The next bytes. Raises PombalError: too_large past the size that was told, unavailable."""

    async def keep(self) -> None:
        """All of it is here: check its hash, make it durable and commit its row; then it may be forgotten elsewhere.

        Raises PombalError: invalid where size or hash are not the ones told, unavailable.
        """


class MediaShelf(MediaSource, Protocol):
    """Files that can be added to, too."""

    def receive(self, sha256: str, size_bytes: int) -> AbstractAsyncContextManager[MediaReceiver]:
        """Take a file in. What was not kept when the block ends is removed.

        Entering raises PombalError: too_large beyond [media] max_bytes, unavailable.
        """


class Link(Protocol):
    """An open link. Every method but the properties and ``acknowledge`` may raise LinkLost."""

    @property
    def deduplicates(self) -> bool:
        """Whether a send repeated under one link_id reaches the recipient once."""

    @property
    def resolves(self) -> bool:
        """Whether check_contacts must be asked for a person's canonical id before the first send to them."""

    @property
    def is_alive(self) -> bool:
        """Whether the socket is up; says nothing of the account."""

    @property
    def last_frame_at_ms(self) -> int | None:
        """When the last frame of any kind arrived (epoch ms)."""

    async def receive(self) -> Sequence[Delivery]:
        """All deliveries that wait, at least one; waits for it. Raises LinkLost when the connection ends.

        At most a fixed number goes unacknowledged: a consumer that stops acknowledging stops the stream, not memory.
        """

    def acknowledge(self, seq: int) -> None:
        """Everything up to and including seq is committed."""

    async def send(self, message: Outgoing) -> None:
        """Hand a message over. Raises SendRefused for one that can never go."""

    async def mark_read(self, chat_id: str, participant: str, link_ids: Sequence[str]) -> None:
        """Tell the sender that we have read these."""

    async def check_contacts(self, numbers: Sequence[str]) -> list[ContactInfo]:
        """What WhatsApp knows of these E.164 numbers, in their order."""

    async def pair_code(self, phone_number: str) -> PairCode:
        """A code for linking without a camera; only while the link shows QR codes."""

    async def logout(self) -> None:
        """Remove this device from the account. Returning is the confirmation."""

    async def probe(self) -> None:
        """Ask the server for a sign of life; returns when it came. The caller sets the deadline."""


OpenLink = Callable[[LinkContext], AbstractAsyncContextManager[Link]]
"""Opens a connection; entering may raise LinkLost (reconnect) and cancellation closes it at once."""
