"""Gauges: read when somebody scrapes, from what the daemon holds in memory. Never from the database."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import nsmallest
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pombal.config.settings import MetricsSettings
from pombal.model.session import LinkKind
from pombal.model.session_state import SessionStatus


@dataclass(frozen=True, slots=True)
class OutboxGauges:
    """Messages that are queued, and how long the oldest of them has been; 0 where there is none."""

    depth: int
    oldest_age_s: float


@dataclass(frozen=True, slots=True)
class StoreGauges:
    size_bytes: int
    wal_bytes: int
    disk_free_bytes: int


@dataclass(frozen=True, slots=True)
class TransportGauges:
    """Subscribers of one transport, and by how many events the one furthest behind lags."""

    subscribers: int
    lag_events: int


@dataclass(frozen=True, slots=True)
class SessionGauges:
    """One session; last_frame_age_s is None where no frame has come yet."""

    name: str
    is_up: bool
    outbox_depth: int
    last_frame_age_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the gauges come from. All are called on the loop at each scrape, and must answer from memory.

    sessions: how many are in each status, by link. mailbox_depths: the deepest mailbox of each kind of actor.
    events: by transport.
    """

    sessions: Callable[[], Mapping[tuple[SessionStatus, LinkKind], int]]
    outbox: Callable[[], OutboxGauges]
    recorder_queue_depth: Callable[[], int]
    store: Callable[[], StoreGauges]
    mailbox_depths: Callable[[], Mapping[str, int]]
    events: Callable[[], Mapping[str, TransportGauges]]
    per_session: Callable[[], Iterable[SessionGauges]]
    retention_at_ms: Callable[[], int | None] = lambda: None


def measure_files(database: Path) -> StoreGauges:
    """The sizes of the database's files and the room beside them, by stat(2)."""
    room = os.statvfs(database.parent)
    return StoreGauges(
        _size_bytes(database), _size_bytes(database.with_name(f"{database.name}-wal")), room.f_bavail * room.f_frsize
    )


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


class Gauges(Collector):
    """Turns what the sources say into metric families; without sources, into families that have no samples."""

    def __init__(self, settings: Callable[[], MetricsSettings]) -> None:
        self._settings = settings
        self.sources: Sources | None = None

    def describe(self) -> Iterator[Metric]:
        yield from _families().values()
        yield from _session_families().values()

    def collect(self) -> Iterator[Metric]:
        families = _families()
        if self.sources is not None:
            _fill(families, self.sources)
        yield from families.values()
        settings = self._settings()
        if settings.per_session:
            yield from self._collect_sessions(settings.max_sessions)

    def _collect_sessions(self, limit: int) -> Iterator[Metric]:
        families = _session_families()
        # By name, so that it is the same ones at each scrape.
        sessions = nsmallest(limit, self.sources.per_session(), key=lambda each: each.name) if self.sources else []
        for each in sessions:
            families["up"].add_metric([each.name], float(each.is_up))
            families["outbox_depth"].add_metric([each.name], each.outbox_depth)
            if each.last_frame_age_s is not None:
                families["last_frame_age"].add_metric([each.name], each.last_frame_age_s)
        yield from families.values()


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=labels)


def _families() -> dict[str, GaugeMetricFamily]:
    return {
        "sessions": _gauge("pombal_sessions", "Sessions by status and link.", "status", "link"),
        "outbox_depth": _gauge("pombal_outbox_depth", "Outbound messages that are queued."),
        "outbox_age": _gauge("pombal_outbox_oldest_age_seconds", "How long the oldest queued message has waited."),
        "recorder_queue": _gauge("pombal_recorder_queue_depth", "Submissions that wait for the recorder."),
        "store_size": _gauge("pombal_store_size_bytes", "Size of the database file."),
        "wal": _gauge("pombal_store_wal_bytes", "Size of the database's write-ahead log."),
        "disk_free": _gauge("pombal_disk_free_bytes", "Room on the state directory's file system."),
        "retention": _gauge("pombal_retention_last_round_timestamp_seconds", "When retention was last through."),
        "mailbox": _gauge("pombal_actor_mailbox_depth", "Depth of the deepest mailbox, by kind of actor.", "kind"),
        "subscribers": _gauge("pombal_event_subscribers", "Subscribers to events, by transport.", "transport"),
        "lag": _gauge("pombal_event_lag_events", "Events that the furthest subscriber is behind.", "transport"),
    }


def _session_families() -> dict[str, GaugeMetricFamily]:
    return {
        "up": _gauge("pombal_session_up", "Whether the session is ready.", "session"),
        "outbox_depth": _gauge("pombal_session_outbox_depth", "Messages of the session that are queued.", "session"),
        "last_frame_age": _gauge(
            "pombal_session_last_frame_age_seconds", "How long ago the session's link heard a frame.", "session"
        ),
    }


def _fill(families: dict[str, GaugeMetricFamily], sources: Sources) -> None:
    _fill_sessions(families["sessions"], sources.sessions())
    outbox, store = sources.outbox(), sources.store()
    families["outbox_depth"].add_metric([], outbox.depth)
    families["outbox_age"].add_metric([], outbox.oldest_age_s)
    families["recorder_queue"].add_metric([], sources.recorder_queue_depth())
    families["store_size"].add_metric([], store.size_bytes)
    families["wal"].add_metric([], store.wal_bytes)
    families["disk_free"].add_metric([], store.disk_free_bytes)
    if (retention_at_ms := sources.retention_at_ms()) is not None:
        families["retention"].add_metric([], retention_at_ms / 1000)
    for kind, depth in sources.mailbox_depths().items():
        families["mailbox"].add_metric([kind], depth)
    for transport, gauges in sources.events().items():
        families["subscribers"].add_metric([transport], gauges.subscribers)
        families["lag"].add_metric([transport], gauges.lag_events)


def _fill_sessions(family: GaugeMetricFamily, counts: Mapping[tuple[SessionStatus, LinkKind], int]) -> None:
    """Every status of every link in use, zeros too: a series that comes and goes makes alerts blink."""
    for link in sorted({link for _, link in counts}):
        for status in SessionStatus:
            family.add_metric([status, link], counts.get((status, link), 0))
