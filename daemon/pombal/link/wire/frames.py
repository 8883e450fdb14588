"""The frames of wire protocol 1, each a frozen dataclass; docs/link-protocol.md says what each is for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field

from pombal.link.base import LinkContext
from pombal.link.wire.commands import Sha256, SizeBytes, TransferId
from pombal.link.wire.limits import NUMBER_MAX
from pombal.link.wire.shapes import opaque

Number = Annotated[int, Field(ge=0, le=NUMBER_MAX)]
Positive = Annotated[int, Field(ge=1, le=NUMBER_MAX)]


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """For whom the connection is; see LinkContext."""

    id: str
    name: str
    identity: str | None = None
    phone_number: str | None = None
    device_name: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, context: LinkContext) -> Self:
        return cls(
            context.session_id, context.session_name, context.identity, context.phone_number, context.device_name,
            context.settings,
        )  # fmt: skip

    def context(self) -> LinkContext:
        return LinkContext(self.id, self.name, self.identity, self.phone_number, self.device_name, self.settings)


# From the daemon


@dataclass(frozen=True, slots=True)
class DaemonHello:
    """The daemon's first frame. max_unacknowledged: how many events it can hold that it has not acknowledged."""

    protocol: Number
    daemon: str
    session: SessionInfo
    max_unacknowledged: Positive = 1000


@dataclass(frozen=True, slots=True)
class Ack:
    """Everything up to and including seq is committed."""

    seq: Number


@dataclass(frozen=True, slots=True)
class CommandFrame:
    """command is one of commands.COMMANDS."""

    id: Number
    command: Mapping[str, Any] = opaque()


# From the gateway


@dataclass(frozen=True, slots=True)
class GatewayHello:
    """The gateway's first frame, if it serves the session. max_unacknowledged: not above what the daemon can hold."""

    protocol: Number
    gateway: str
    deduplicates: bool
    max_unacknowledged: Positive
    capabilities: tuple[str, ...] = ()


class RefusedKind(StrEnum):
    PROTOCOL_VERSION = "protocol_version"
    UNAUTHORIZED = "unauthorized"
    NOT_FOUND = "not_found"
    UNAVAILABLE = "unavailable"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Refused:
    """The gateway's first and last frame, if it does not serve the session. kind: a RefusedKind, or a newer one."""

    kind: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class EventFrame:
    """event is one of events.EVENTS."""

    seq: Number
    event: Mapping[str, Any] = opaque()


@dataclass(frozen=True, slots=True)
class AnswerError:
    kind: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The one answer of a command: a result, or an error."""

    id: Number
    result: Mapping[str, Any] | None = None
    error: AnswerError | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """How the session stands at WhatsApp; the newest holds."""

    is_alive: bool
    last_frame_at_ms: Number | None = None
    rss_bytes: Number | None = None


@dataclass(frozen=True, slots=True)
class MediaItem:
    sha256: Sha256
    size_bytes: SizeBytes
    mime_type: str = ""


@dataclass(frozen=True, slots=True)
class MediaWaiting:
    """All files that wait to be taken (or the first thousand): the newest list holds."""

    items: Annotated[tuple[MediaItem, ...], Field(max_length=1000)]


@dataclass(frozen=True, slots=True)
class Lost:
    """The gateway's own connection to WhatsApp, or its client, is gone beyond its own means; connect again later."""

    detail: str = ""


# Both ways


@dataclass(frozen=True, slots=True)
class Ping:
    n: Number


@dataclass(frozen=True, slots=True)
class Pong:
    n: Number


@dataclass(frozen=True, slots=True)
class ChunkAck:
    """All bytes of the transfer that have been taken so far."""

    transfer: TransferId
    size_bytes: SizeBytes


@dataclass(frozen=True, slots=True)
class Chunk:
    """A binary frame: bytes of a transfer; none: its end."""

    transfer: int
    data: bytes
