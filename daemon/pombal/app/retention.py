"""Retention: what is older than it is to be kept goes, in slices with a pause behind each, so that no commit waits."""

import structlog
import trio

from pombal.app.media_collector import MediaCollector
from pombal.config.reload import LiveSettings
from pombal.config.settings import RetentionSettings
from pombal.model.clock import Clock
from pombal.model.errors import PombalError
from pombal.model.removal_changes import PruneAudit, PruneEvents, PruneMessages, PruneRollups, RemovedMessages
from pombal.model.removals import Removals
from pombal.recorder.recorder import Recorder
from pombal.session.registry import Registry
from pombal.store.latency_stats import DAY_MS, MINUTES_KEPT_MS

log = structlog.get_logger()

EVERY_S = 600.0
RETRY_S = 30.0
ROWS_SLICE = 500
# A message costs more than an event to remove: its indexes, its words, its chat.
MESSAGES_SLICE = 100
SESSIONS_SLICE = 500
PAUSE_MIN_S = 0.01


class Retention:
    """An actor of its own: a first round over years of history takes long, and housekeeping must not wait for it."""

    def __init__(
        self, recorder: Recorder, registry: Registry, live: LiveSettings, clock: Clock, collector: MediaCollector,
        removals: Removals,
    ) -> None:  # fmt: skip
        self._recorder = recorder
        self._registry = registry
        self._live = live
        self._clock = clock
        self._collector = collector
        self._removals = removals
        self._slice_began_s = 0.0

    async def run(self) -> None:
        while True:
            try:
                await self._round(self._live.current.retention)
            except PombalError as refusal:
                # The store is unavailable, which health says already.
                log.info("retention put off", reason=refusal.message)
                await trio.sleep(RETRY_S)
            else:
                self._removals.last_round_at_ms = self._clock().wall_ms
                await trio.sleep(EVERY_S)

    async def _round(self, settings: RetentionSettings) -> None:
        before = dict(self._removals.counts)
        now = self._clock()
        events = PruneEvents(at=now, before_ms=self._days_ago_ms(settings.events_days), limit=ROWS_SLICE)
        audit = PruneAudit(at=now, before_ms=self._days_ago_ms(settings.audit_days), limit=ROWS_SLICE)
        await self._rows("events", events)
        await self._rows("audit", audit)
        await self._rollups()
        if settings.messages_days is not None:
            await self._messages(settings.messages_days)
        await self._files(settings)
        removed = {what: count - before[what] for what, count in self._removals.counts.items() if count != before[what]}
        if removed:
            log.info("retention", **removed)

    async def _rows(self, what: str, change: PruneEvents | PruneAudit) -> None:
        while True:
            self._begin_slice()
            count: int = await self._recorder.commit(change)
            self._removals.add(what, count)
            if count < change.limit:
                return
            await self._pause()

    async def _rollups(self) -> None:
        """By minute, for a week: those by hour and by day have said the same all along."""
        now = self._clock()
        keys = [0, *(seat.key for seat in self._registry)]
        for start in range(0, len(keys), SESSIONS_SLICE):
            part = tuple(keys[start : start + SESSIONS_SLICE])
            self._begin_slice()
            change = PruneRollups(at=now, session_keys=part, before_ms=now.wall_ms - MINUTES_KEPT_MS)
            self._removals.add("rollups", await self._recorder.commit(change))
            await self._pause()

    async def _messages(self, days: float) -> None:
        """Their files follow, where nothing else speaks of them; they are found with all others that nobody needs."""
        change = PruneMessages(at=self._clock(), before_ms=self._days_ago_ms(days), limit=MESSAGES_SLICE)
        while True:
            self._begin_slice()
            removed: RemovedMessages = await self._recorder.commit(change)
            self._removals.add("messages", removed.count)
            if removed.count < MESSAGES_SLICE:
                return
            await self._pause()

    async def _files(self, settings: RetentionSettings) -> None:
        unused_before_ms = self._days_ago_ms(settings.unused_media_days)
        self._begin_slice()
        await self._collector.collect(unused_before_ms, None, self._pause)
        if settings.media_days is not None:
            said_before_ms = self._days_ago_ms(settings.media_days)
            await self._collector.collect(min(unused_before_ms, said_before_ms), said_before_ms, self._pause)
        await self._collector.strays(unused_before_ms)

    def _days_ago_ms(self, days: float) -> int:
        return self._clock().wall_ms - int(days * DAY_MS)

    def _begin_slice(self) -> None:
        self._slice_began_s = trio.current_time()

    async def _pause(self) -> None:
        """As long as the slice took: at most half of the writer's time, and less when it is busy."""
        await trio.sleep(max(PAUSE_MIN_S, trio.current_time() - self._slice_began_s))
        self._begin_slice()
