"""daemon.status, daemon.actors, daemon.reload"""

import os
from pathlib import Path

from pombal import __version__
from pombal.actors.tree import ActorInfo
from pombal.config.errors import ConfigError
from pombal.model import daemon_results
from pombal.model import params as p
from pombal.model.caller import Caller
from pombal.model.errors import invalid
from pombal.model.session_state import SessionStatus
from pombal.model.times import iso
from pombal.service.deps import Deps
from pombal.service.pages import bad_cursor, split
from pombal.store.migrations import SCHEMA_VERSION


class DaemonMethods:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def status(self, params: p.NoParams, caller: Caller) -> daemon_results.DaemonStatus:
        deps = self._deps
        counts = dict.fromkeys(SessionStatus, 0)
        for (status, _), count in deps.registry.census.counts().items():
            counts[status] += count
        room = os.statvfs(deps.database.parent)
        return daemon_results.DaemonStatus(
            version=__version__,
            pid=os.getpid(),
            started_at=deps.started_at_ms,
            uptime_seconds=(deps.clock().mono_ms - deps.started_mono_ms) / 1000,
            sessions=counts,
            outbox_depth=deps.registry.census.queued,
            recorder=daemon_results.RecorderFacts(
                queue_depth=deps.recorder.queue_depth, commit_seconds_p99=deps.recorder.commit_seconds_p99
            ),
            store=daemon_results.StoreFacts(
                path=str(deps.database),
                size_bytes=_size_bytes(deps.database),
                disk_free_bytes=room.f_bavail * room.f_frsize,
                schema_version=SCHEMA_VERSION,
            ),
            log_id=deps.hub.log_id,
            last_event_seq=deps.hub.last_seq,
        )

    async def actors(self, params: p.ActorsParams, caller: Caller) -> daemon_results.ActorPage:
        after = None
        if params.cursor is not None:
            kind, slash, name = params.cursor.partition("/")
            if not slash:
                raise bad_cursor()
            after = kind, name
        found = self._deps.tree.page(params.kind, after, params.limit + 1, crashed=params.crashed)
        page, cursor = split(found, params.limit, lambda info: f"{info.kind}/{info.name}")
        return daemon_results.ActorPage(results=[_facts(info) for info in page], next=cursor)

    async def internals(self, params: p.NoParams, caller: Caller) -> daemon_results.DaemonInternals:
        recorder, listeners = self._deps.recorder, self._deps.hub.subscribers()
        return daemon_results.DaemonInternals(
            recorder=daemon_results.RecorderInternals(
                queue_depth=recorder.queue_depth,
                queue_capacity=recorder.capacity,
                unavailable=recorder.unavailable,
                commits=[
                    daemon_results.CommitFacts(at=commit.at_ms, changes=commit.changes, seconds=commit.seconds)
                    for commit in recorder.commits
                ],
            ),
            subscribers=[
                daemon_results.SubscriberFacts(transport=transport, count=count, lag_events=lag)
                for transport, (count, lag) in sorted(listeners.items())
            ],
            retention=daemon_results.RetentionFacts(
                last_round_at=self._deps.removals.last_round_at_ms,
                removed=daemon_results.Removed(**self._deps.removals.counts),
            ),
        )

    async def reload(self, params: p.NoParams, caller: Caller) -> daemon_results.Reloaded:
        try:
            report = self._deps.reload()
        except ConfigError as error:
            raise invalid(f"nothing was changed: {error}") from error
        return daemon_results.Reloaded.model_validate(report.object())


def _size_bytes(database: Path) -> int:
    """With the write-ahead log, where what was committed last still lies."""
    wal = database.with_name(f"{database.name}-wal")
    return database.stat().st_size + (wal.stat().st_size if wal.exists() else 0)


def _facts(info: ActorInfo) -> daemon_results.ActorFacts:
    shown = info.show()
    crash = shown.last_crash
    return daemon_results.ActorFacts(
        name=shown.name,
        kind=shown.kind,
        state=shown.state,
        mailbox_depth=shown.mailbox_depth,
        mailbox_capacity=shown.mailbox_capacity,
        restarts=shown.restarts,
        last_crash=None if crash is None else f"{iso(crash.at)} {crash.error}",
        uptime_seconds=shown.uptime_seconds,
        memory_bytes=shown.memory_bytes,
    )
