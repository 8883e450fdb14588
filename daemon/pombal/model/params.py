"""The params of every method, for the control socket and HTTP alike.

Times are text that the service reads with model.times.parse_time: only it knows what now is.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from pombal.model.content import Sha256
from pombal.model.events import EventType
from pombal.model.ids import check_session_name
from pombal.model.message import Direction, MessageType
from pombal.model.params_base import (
    MEDIA_CHUNK_MAX_BYTES,
    Base64Data,
    Count,
    Cursor,
    Label,
    Limit,
    Natural,
    NoParams,
    Params,
    PhoneNumber,
    Sequence,
    SessionRef,
    TimeText,
    parse_params,
    refusing,
)
from pombal.model.params_messages import (
    ChatListParams,
    ContactCheckParams,
    HighLatencyParams,
    MarkReadParams,
    MessageGetParams,
    MessageListParams,
    MessageRefParams,
    SendParams,
)
from pombal.model.session import LinkKind
from pombal.model.session_state import SessionStatus

NewSessionName = Annotated[str, refusing(check_session_name)]

# The daemon


class ActorsParams(Params):
    """daemon.actors"""

    kind: Annotated[str, Field(max_length=64)] | None = Field(None, description="Only actors of this kind.")
    crashed: bool | None = Field(None, description="Only those that have crashed; false: only those that never did.")
    limit: Limit = 50
    cursor: Cursor | None = None


# Sessions


class SessionCreateParams(Params):
    """session.create"""

    name: NewSessionName = Field(description="Unique; [a-z0-9][a-z0-9._-]{0,63}.", examples=["suporte"])
    link: LinkKind | None = Field(None, strict=False, description="Default: [sessions] default_link.")
    owner: Label | None = Field(None, description="Whose it is; default: [sessions] default_owner.")
    phone_number: PhoneNumber | None = None
    device_name: Label | None = Field(None, description="What the phone's list of linked devices shows.")
    settings: dict[str, Any] | None = Field(None, description="The link's own settings for this session.")
    start: bool = Field(True, description="Start it at once.")


class SessionUpdateParams(Params):
    """session.update: only what is given changes; a device_name of null goes back to the default."""

    name: SessionRef
    owner: Label = Field("", description="The new owner.")
    device_name: Label | None = None
    settings: dict[str, Any] = Field(default_factory=dict, description="Takes the place of all settings before.")

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.changes():
            raise ValueError("nothing to change: give owner, device_name or settings")
        return self

    def changes(self) -> dict[str, Any]:
        """The fields that were given, with their new values."""
        return {name: getattr(self, name) for name in self.model_fields_set - {"name"}}


class SessionNameParams(Params):
    """session.get, start, stop, restart, logout, qr and metrics"""

    name: SessionRef


class SessionDeleteParams(Params):
    """session.delete"""

    name: SessionRef
    purge: bool = Field(False, description="Delete its messages as well; files in the media store stay.")


class SessionListParams(Params):
    """session.list"""

    status: SessionStatus | None = Field(None, strict=False)
    is_active: bool | None = Field(None, description="Whether the operator wants it running.")
    owner: Label | None = None
    link: LinkKind | None = Field(None, strict=False)
    search: Annotated[str, Field(max_length=256)] | None = Field(
        None, description="In name, phone number and device name."
    )
    limit: Limit = 50
    cursor: Cursor | None = None
    count: Count = False


class PairCodeParams(Params):
    """session.pair_code"""

    name: SessionRef
    phone_number: PhoneNumber


# Latency and events


class LatencyParams(Params):
    """latency.stats"""

    session: SessionRef | None = None
    direction: Direction | None = Field(None, strict=False)
    since: TimeText | None = None
    until: TimeText | None = None


class LatencySeriesParams(Params):
    """latency.series"""

    session: SessionRef | None = None
    since: TimeText = "1h"
    until: TimeText | None = None


class SessionFiguresParams(Params):
    """session.figures"""

    sessions: Annotated[list[SessionRef], Field(min_length=1, max_length=500)] | None = Field(
        None, description="These, in this order; absent: those with the most late messages."
    )
    since: TimeText = "1h"
    until: TimeText | None = None
    limit: Limit = 50


class SubscribeParams(Params):
    """events.subscribe"""

    after: Sequence | None = Field(None, description="Everything past this; 0: from the oldest kept; absent: from now.")
    sessions: Annotated[list[SessionRef], Field(min_length=1, max_length=1000)] | None = Field(
        None, description="Only events of these sessions."
    )
    types: Annotated[list[Annotated[EventType, Field(strict=False)]], Field(min_length=1, max_length=64)] | None = None
    log_id: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        None, description="The log that `after` is of; with another one a gap is told first."
    )


class UnsubscribeParams(Params):
    """events.unsubscribe"""

    subscription: Annotated[str, Field(min_length=1, max_length=64)]


class EventListParams(SubscribeParams):
    """events.list; without `after` the newest page"""

    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    count: Count = False


# Media


class MediaPutParams(Params):
    """media.put: one chunk of at most 512 KiB.

    The first has offset 0 and no `upload`, and is answered with {upload, offset}: give `upload` with every further
    chunk, and as `offset` the one answered. The last carries `sha256` of the whole file, and is answered with {sha256,
    size_bytes}; a file that fits into one chunk is that chunk alone, with its sha256.
    """

    upload: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    offset: Natural = 0
    data: Base64Data
    sha256: Sha256 | None = Field(None, description="With the last chunk: of the whole file, 64 hex digits.")

    @model_validator(mode="after")
    def _first_chunk_starts_at_0(self) -> Self:
        if self.upload is None and self.offset != 0:
            raise ValueError("the first chunk (without upload) has offset 0")
        return self


class MediaGetParams(Params):
    """media.get"""

    sha256: Sha256
    offset: Natural = 0
    limit: Annotated[int, Field(ge=1, le=MEDIA_CHUNK_MAX_BYTES)] = Field(
        MEDIA_CHUNK_MAX_BYTES, description="Bytes at most, before base64."
    )


# Tokens


class TokenCreateParams(Params):
    """token.create"""

    owner: Label = Field(description="Whose sessions it shows and touches.", examples=["42"])
    role: Literal["user", "admin"] = Field("user", description="admin: everybody's sessions.")
    expires_s: Annotated[int, Field(ge=1, le=315_360_000)] | None = Field(
        None, description="How long it lives; default: [auth] token_lifetime_s."
    )
    sign_in_link: bool = Field(False, description="Also make a link that signs a browser in, once, within ten minutes.")


# The rights of a contact

Whom = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        description="A phone number in any usual spelling, or a person's address (…@lid).",
        examples=["5511999999999"],
    ),
]


class ContactExportParams(Params):
    """contact.export"""

    number: Whom


class ContactExportChunkParams(Params):
    """contact.export_chunk"""

    export: Annotated[str, Field(min_length=1, max_length=64, description="As contact.export answered.")]
    offset: Natural = 0
    limit: Annotated[int, Field(ge=1, le=MEDIA_CHUNK_MAX_BYTES)] = Field(
        MEDIA_CHUNK_MAX_BYTES, description="Bytes at most, before base64."
    )


class ContactEraseParams(Params):
    """contact.erase"""

    number: Whom
    wait_s: Annotated[float, Field(ge=0, le=86_400)] | None = Field(
        None, description="Answer after so long, done or not; default: when it is done."
    )


class ContactErasureParams(Params):
    """contact.erasure"""

    erasure: Annotated[str, Field(min_length=1, max_length=64, description="As contact.erase answered.")]


# The audit log


class AuditListParams(Params):
    """audit.list"""

    method: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        None, description="Only this method, or a family of them (`session.`)."
    )
    owner: Label | None = Field(None, description="Only what was done with this owner's tokens.")
    uid: Natural | None = Field(None, description="Only what this user of the machine did.")
    outcome: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        None, description="`ok`, or the kind of a refusal."
    )
    session: SessionRef | None = Field(None, description="Only what was done to this session, as it was named then.")
    since: TimeText | None = None
    until: TimeText | None = None
    limit: Limit = 50
    cursor: Cursor | None = None
    count: Count = False


# The simulator


class FaultKind(StrEnum):
    """What can be done to a simulated session."""

    DISCONNECT = "disconnect"
    LOGGED_OUT = "logged_out"
    REPLACED = "replaced"
    BANNED = "banned"
    RESTRICTED = "restricted"
    CLIENT_OUTDATED = "client_outdated"
    PASSKEY_REQUIRED = "passkey_required"
    BAD_CREDENTIALS = "bad_credentials"
    CRASH = "crash"
    HANG = "hang"
    STALL = "stall"
    NACK = "nack"
    GARBAGE = "garbage"


class InjectParams(Params):
    """simulator.inject"""

    name: SessionRef
    from_: PhoneNumber = Field(alias="from", description="Who writes.")
    text: str | None = Field(None, description="Absent: the simulator thinks of something.")
    type: MessageType = Field(MessageType.TEXT, strict=False)
    count: Annotated[int, Field(ge=1, le=100_000)] = Field(1, description="How many messages.")


class FaultParams(Params):
    """simulator.fault"""

    name: SessionRef
    kind: FaultKind = Field(strict=False)


__all__ = [
    "ActorsParams", "AuditListParams", "ChatListParams", "ContactCheckParams", "ContactEraseParams",
    "ContactErasureParams", "ContactExportChunkParams", "ContactExportParams", "EventListParams", "FaultKind",
    "FaultParams", "HighLatencyParams", "InjectParams", "LatencyParams", "LatencySeriesParams", "MarkReadParams",
    "MediaGetParams", "MediaPutParams", "MessageGetParams", "MessageListParams", "MessageRefParams", "NoParams",
    "PairCodeParams", "Params", "SendParams", "SessionCreateParams", "SessionDeleteParams", "SessionFiguresParams",
    "SessionListParams", "SessionNameParams", "SessionUpdateParams", "SubscribeParams", "TokenCreateParams",
    "UnsubscribeParams", "parse_params",
]  # fmt: skip
