"""Housekeeping: what minutes do to the store. Queues expire, codes are emptied, latencies are spread.

Days are for retention.py.
"""

import structlog
import trio

from pombal.config.reload import LiveSettings
from pombal.model.changes import Change, FailQueue, RecentKey, SpreadRollups
from pombal.model.clock import Clock
from pombal.model.errors import PombalError
from pombal.model.removal_changes import ClearCodes
from pombal.recorder.recorder import Recorder
from pombal.session.registry import Registry
from pombal.store.message_queries import oldest_queued_at
from pombal.store.reader import Reader

log = structlog.get_logger()

EVERY_S = 5.0
SLICE = 500
SPREAD_EVERY_S = 60.0
SPREAD_AT_MOST_S = 5.0
SPREAD_SLICE = 250  # each row becomes some four others, and commits wait for a whole slice


class Housekeeping:
    """One actor; every change it makes is a slice, so that it holds up a commit for milliseconds."""

    def __init__(
        self, recorder: Recorder, reader: Reader, registry: Registry, live: LiveSettings, clock: Clock
    ) -> None:
        self._recorder = recorder
        self._reader = reader
        self._registry = registry
        self._live = live
        self._clock = clock
        self._oldest_queued_at: int | None = None
        self._spread_due_s = 0.0
        self._spread_up_to: RecentKey | None = None

    async def run(self) -> None:
        while True:
            for step in (self._clear_codes, self._expire, self._spread):
                try:
                    await step()
                except PombalError as refusal:
                    # The store is unavailable, which health says already: what is due now is due in the next round too.
                    log.info("housekeeping put off", reason=refusal.message)
            await trio.sleep(EVERY_S)

    async def _clear_codes(self) -> None:
        await self._recorder.commit(ClearCodes(at=self._clock()))

    def oldest_queued_age_s(self) -> float:
        """As of the last round; 0 where nothing waits."""
        if self._oldest_queued_at is None or not self._registry.census.queued:
            return 0.0
        return max(0, self._clock().wall_ms - self._oldest_queued_at) / 1000

    async def _expire(self) -> None:
        """Yesterday's answers must not flood out after an outage."""
        max_age_s = self._live.current.outbox.max_age_s
        self._oldest_queued_at = await self._reader.run(oldest_queued_at)
        before_ms = self._clock().wall_ms - int(max_age_s * 1000)
        if self._oldest_queued_at is None or self._oldest_queued_at >= before_ms:
            return
        detail = f"it waited longer than {max_age_s:g} s ([outbox] max_age_s)"
        await self._slices(
            FailQueue(
                at=self._clock(), session_key=None, error_kind="expired", error_detail=detail, limit=SLICE,
                queued_before_ms=before_ms,
            )
        )  # fmt: skip

    async def _spread(self) -> None:
        """Recent latencies, over minutes, hours, days and weeks. Whoever asks meanwhile finds each of them once."""
        if (now_s := trio.current_time()) < self._spread_due_s:
            return
        until_s = now_s + SPREAD_AT_MOST_S  # the rest in the next round: codes and queues expire meanwhile
        while (began_s := trio.current_time()) < until_s:
            change = SpreadRollups(at=self._clock(), after=self._spread_up_to, limit=SPREAD_SLICE)
            self._spread_up_to = await self._recorder.commit(change)
            if self._spread_up_to is None:
                self._spread_due_s = now_s + SPREAD_EVERY_S
                return
            await trio.sleep(trio.current_time() - began_s)  # at most half of the writer's time

    async def _slices(self, change: Change) -> None:
        while await self._recorder.commit(change) >= SLICE:
            pass
