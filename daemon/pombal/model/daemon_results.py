"""What methods about the daemon itself answer with."""

from pombal.model.results import Result
from pombal.model.session_state import SessionStatus
from pombal.model.times import Instant


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
