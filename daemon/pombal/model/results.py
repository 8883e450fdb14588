"""The results of every method that does not answer with a Session or a Message as it is."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, RootModel

from pombal.model.erasure import ErasureState
from pombal.model.message import Message
from pombal.model.params import FaultKind
from pombal.model.params_base import Base64Data
from pombal.model.session import Session
from pombal.model.session_state import SessionStatus
from pombal.model.times import Instant


class Result(BaseModel):
    """What a method answers with."""

    model_config = ConfigDict(frozen=True)


Counted = Annotated[int | None, Field(exclude_if=lambda count: count is None)]
"""How many there are in all; only there where it was asked for."""


class Nothing(Result):
    """Done; there is nothing more to say."""


# The daemon


class RecorderFacts(Result):
    """``commit_seconds_p99`` is null until something was committed."""

    queue_depth: int
    commit_seconds_p99: float | None


class StoreFacts(Result):
    path: str
    size_bytes: int
    disk_free_bytes: int
    schema_version: int


class DaemonStatus(Result):
    """daemon.status; ``sessions`` counts them by status."""

    version: str
    pid: int
    started_at: Instant
    uptime_seconds: float
    sessions: dict[SessionStatus, int]
    outbox_depth: int
    recorder: RecorderFacts
    store: StoreFacts
    log_id: str
    last_event_seq: int


class CommitFacts(Result):
    """One transaction: when it was done, how many changes it carried, how long it took."""

    at: Instant
    changes: int
    seconds: float


class RecorderInternals(Result):
    """``unavailable``: why nothing can be recorded now; ``commits``: the newest ones, oldest first."""

    queue_depth: int
    queue_capacity: int
    unavailable: str | None
    commits: list[CommitFacts]


class SubscriberFacts(Result):
    """Who listens to events over one transport, and how many events the slowest of them is behind."""

    transport: str
    count: int
    lag_events: int


class Removed(Result):
    """What retention has removed since the daemon started."""

    messages: int
    events: int
    audit: int
    rollups: int
    media_files: int
    media_bytes: int


class RetentionFacts(Result):
    """``last_round_at``: when a round of retention was last finished; null until the first one is."""

    last_round_at: Instant | None
    removed: Removed


class DaemonInternals(Result):
    """daemon.internals"""

    recorder: RecorderInternals
    subscribers: list[SubscriberFacts]
    retention: RetentionFacts


class ActorFacts(Result):
    """One actor of the supervision tree; ``last_crash`` is the exception in a line.

    ``memory_bytes``: of an actor that is a process of its own (kind `gateway`), else null.
    """

    name: str
    kind: str
    state: str
    mailbox_depth: int
    mailbox_capacity: int
    restarts: int
    last_crash: str | None
    uptime_seconds: float
    memory_bytes: int | None


class ActorPage(Result):
    """daemon.actors"""

    results: list[ActorFacts]
    next: str | None


class Reloaded(Result):
    """daemon.reload: which keys took effect, and which wait for a restart."""

    changed: list[str]
    needs_restart: list[str]


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


class Percentiles(Result):
    """Milliseconds, within 2 % of the exact nearest rank; null where nothing was measured."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


class LatencyPercentiles(Result):
    to_sent: Percentiles = Percentiles()
    to_delivered: Percentiles = Percentiles()
    to_read: Percentiles = Percentiles()
    inbound: Percentiles = Percentiles()


class LatencyStats(Result):
    """latency.stats; ``since`` and ``until`` are the range as widened to whole rollups."""

    since: Instant | None
    until: Instant | None
    total_messages: int
    measured_messages: int
    average_latency_to_sent_ms: float | None
    average_latency_to_delivered_ms: float | None
    average_latency_to_read_ms: float | None
    average_inbound_latency_ms: float | None
    acceptable_rate: float | None
    high_latency_count: int
    acceptable_ms: int
    percentiles: LatencyPercentiles


class SessionMetrics(Result):
    """session.metrics; ``error_rate`` is failed over all sent and failed, 0 where there are none."""

    session: str
    status: SessionStatus
    uptime_seconds: float
    total_messages_sent: int
    total_messages_received: int
    total_messages_failed: int
    error_count: int
    restart_count: int
    error_rate: float
    outbox_depth: int
    latency: LatencyStats


class LatencyPoint(Result):
    """One step of latency.series, from ``at`` on."""

    at: Instant
    outbound_messages: int
    inbound_messages: int
    measured_messages: int
    high_latency_count: int
    percentiles: LatencyPercentiles


class LatencyBar(Result):
    """How many took at most ``up_to_ms`` and longer than the bar before; null: all that were slower still."""

    up_to_ms: int | None
    count: int


class LatencyDistribution(Result):
    to_sent: list[LatencyBar]
    to_delivered: list[LatencyBar]
    to_read: list[LatencyBar]
    inbound: list[LatencyBar]


class LatencySeries(Result):
    """latency.series; the range is widened to whole steps, and a step without messages is not listed."""

    since: Instant
    until: Instant
    step_seconds: int
    acceptable_ms: int
    results: list[LatencyPoint]
    distribution: LatencyDistribution


class SessionFigures(Result):
    """One session in session.figures; ``acceptable_rate`` is null where nothing was measured."""

    session: str
    session_id: str
    outbox_depth: int
    outbound_messages: int
    inbound_messages: int
    measured_messages: int
    high_latency_count: int
    acceptable_rate: float | None
    percentiles: LatencyPercentiles


class SessionFiguresList(Result):
    """session.figures"""

    since: Instant
    until: Instant
    results: list[SessionFigures]


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
