"""What the daemon says of itself, from memory: health, the status line, the gauges."""

from collections.abc import Iterable

from pombal import __version__
from pombal.actors.tree import ActorTree
from pombal.app.rooms import Rooms
from pombal.config.paths import Paths
from pombal.config.reload import LiveSettings
from pombal.model.clock import Stamp, system_clock
from pombal.model.health import WELL, Check, Health
from pombal.model.session_state import SessionStatus
from pombal.ops.gauges import OutboxGauges, SessionGauges, Sources, TransportGauges, measure_files


class Facts:
    """``is_started`` and ``is_draining`` are set by the daemon as it goes through its life."""

    def __init__(self, rooms: Rooms, live: LiveSettings, tree: ActorTree, paths: Paths, started: Stamp) -> None:
        self._rooms = rooms
        self._live = live
        self._tree = tree
        self._paths = paths
        self._started = started
        self.is_started = False
        self.is_draining = False

    def health(self) -> Health:
        return Health(
            checks={"loop": WELL, "writer": self._writer(), "store": self._store(), "links": self._links()},
            is_started=self.is_started,
            is_draining=self.is_draining,
            simulator=self._live.current.simulator.enabled,
            version=__version__,
            uptime_s=(system_clock().mono_ms - self._started.mono_ms) / 1000,
        )

    def status_line(self) -> str:
        """One line for `systemctl status`."""
        registry = self._rooms.registry
        ready = sum(n for (status, _), n in registry.census.counts().items() if status == SessionStatus.READY)
        line = f"{ready} of {len(registry)} sessions ready, {registry.census.queued} messages queued"
        return f"{line}; store: {self._rooms.recorder.unavailable}" if self._rooms.recorder.unavailable else line

    def sources(self) -> Sources:
        return Sources(
            sessions=self._rooms.registry.census.counts,
            outbox=lambda: OutboxGauges(
                self._rooms.registry.census.queued, self._rooms.housekeeping.oldest_queued_age_s()
            ),
            recorder_queue_depth=lambda: self._rooms.recorder.queue_depth,
            store=lambda: measure_files(self._paths.database),
            mailbox_depths=self._tree.max_depths,
            events=lambda: {
                transport: TransportGauges(count, lag)
                for transport, (count, lag) in self._rooms.hub.subscribers().items()
            },
            per_session=self._per_session,
            retention_at_ms=lambda: self._rooms.removals.last_round_at_ms,
        )

    def _writer(self) -> Check:
        """A writer that answers, be it with an error, is well; one that does not return is not."""
        busy_s, hang_s = self._rooms.writer.thread.busy_s, self._live.current.recorder.hang_s
        return WELL if busy_s < hang_s else Check(ok=False, detail=f"the writer has not returned for {busy_s:.0f} s")

    def _store(self) -> Check:
        reason = self._rooms.recorder.unavailable or self._stall()
        return WELL if reason is None else Check(ok=False, detail=f"nothing can be recorded: {reason}")

    def _stall(self) -> str | None:
        """A disk that stands still raises no error: that the writer does not return is all there is to see of it."""
        busy_s = self._rooms.writer.thread.busy_s
        stalled = busy_s >= self._live.current.recorder.stall_s
        return f"the disk has not answered for {busy_s:.0f} s" if stalled else None

    def _links(self) -> Check:
        """Sessions whose link is not there: the simulator was switched off, say, or the link is not built yet."""
        missing = {link for _, link in self._rooms.registry.census.counts()} - self._rooms.context.links.keys()
        return Check(ok=False, detail=f"sessions cannot run on: {', '.join(sorted(missing))}") if missing else WELL

    def _per_session(self) -> Iterable[SessionGauges]:
        now_ms = system_clock().wall_ms
        for seat in self._rooms.registry:
            last = seat.live_facts().last_frame_at
            age_s = None if last is None else max(0, now_ms - last) / 1000
            yield SessionGauges(seat.name, seat.state.status == SessionStatus.READY, seat.outbox.depth, age_s)
