"""daemon.status, daemon.actors, daemon.reload"""

import os
from pathlib import Path

from pombal import __version__
from pombal.actors.tree import ActorInfo
from pombal.config.errors import ConfigError
from pombal.model import params as p
from pombal.model import results as r
from pombal.model.caller import Caller
from pombal.model.errors import invalid
from pombal.model.session_state import SessionStatus
from pombal.model.times import iso
from pombal.service.deps import Deps
from pombal.service.pages import split
from pombal.store.migrations import SCHEMA_VERSION


class DaemonMethods:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def status(self, params: p.NoParams, caller: Caller) -> r.DaemonStatus:
        deps = self._deps
        counts = dict.fromkeys(SessionStatus, 0)
        for (status, _), count in deps.registry.counts().items():
            counts[SessionStatus(status)] += count
        room = os.statvfs(deps.database.parent)
        return r.DaemonStatus(
            version=__version__,
            pid=os.getpid(),
            started_at=deps.started_at_ms,
            uptime_seconds=(deps.clock().mono_ms - deps.started_mono_ms) / 1000,
            sessions=counts,
            outbox_depth=sum(seat.outbox.depth for seat in deps.registry),
            recorder=r.RecorderFacts(
                queue_depth=deps.recorder.queue_depth, commit_seconds_p99=deps.recorder.commit_seconds_p99
            ),
            store=r.StoreFacts(
                path=str(deps.database),
                size_bytes=_size_bytes(deps.database),
                disk_free_bytes=room.f_bavail * room.f_frsize,
                schema_version=SCHEMA_VERSION,
            ),
            log_id=deps.hub.log_id,
            last_event_seq=deps.hub.last_seq,
        )

    async def actors(self, params: p.ActorsParams, caller: Caller) -> r.ActorPage:
        after = None
        if params.cursor is not None:
            kind, slash, name = params.cursor.partition("/")
            if not slash:
                raise invalid("cursor: not one of ours; pass `next` of the page before as it is")
            after = kind, name
        found = self._deps.tree.page(params.kind, after, params.limit + 1)
        page, cursor = split(found, params.limit, lambda info: f"{info.kind}/{info.name}")
        return r.ActorPage(results=[_facts(info) for info in page], next=cursor)

    async def internals(self, params: p.NoParams, caller: Caller) -> r.DaemonInternals:
        recorder, listeners = self._deps.recorder, self._deps.hub.subscribers()
        return r.DaemonInternals(
            recorder=r.RecorderInternals(
                queue_depth=recorder.queue_depth,
                queue_capacity=recorder.capacity,
                unavailable=recorder.unavailable,
                commits=[
                    r.CommitFacts(at=commit.at_ms, changes=commit.changes, seconds=commit.seconds)
                    for commit in recorder.commits
                ],
            ),
            subscribers=[
                r.SubscriberFacts(transport=transport, count=count, lag_events=lag)
                for transport, (count, lag) in sorted(listeners.items())
            ],
            retention=r.RetentionFacts(
                last_round_at=self._deps.removals.last_round_at_ms,
                removed=r.Removed(**self._deps.removals.counts),
            ),
        )

    async def reload(self, params: p.NoParams, caller: Caller) -> r.Reloaded:
        try:
            report = self._deps.reload()
        except ConfigError as error:
            raise invalid(f"nothing was changed: {error}") from error
        return r.Reloaded.model_validate(report.object())


def _size_bytes(database: Path) -> int:
    """With the write-ahead log, where what was committed last still lies."""
    wal = database.with_name(f"{database.name}-wal")
    return database.stat().st_size + (wal.stat().st_size if wal.exists() else 0)


def _facts(info: ActorInfo) -> r.ActorFacts:
    shown = info.show()
    crash = shown.last_crash
    return r.ActorFacts(
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
