"""The registry: every session's seat, by name and by id, and the supervisor that keeps an actor on each."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any

import structlog
import trio

from pombal.actors.mailbox import Mailbox
from pombal.actors.supervisor import RestartIntensityExceeded, supervise
from pombal.actors.tree import ActorTree
from pombal.model.changes import Change, SetSessionState
from pombal.model.errors import Kind, PombalError, no_session, not_found
from pombal.model.events import EventRow, EventType
from pombal.model.message import MessageRow, MessageStatus
from pombal.model.session import LinkKind, SessionRow
from pombal.model.session_state import Trigger, at_daemon_start
from pombal.recorder.recorder import RecorderClosed
from pombal.session.actor import SessionActor
from pombal.session.census import Census
from pombal.session.commands import CLOSES_LINK, RECORDED, Command, Start
from pombal.session.context import SessionContext
from pombal.session.moves import count_error, move
from pombal.session.outbox import Outbox
from pombal.session.seat import Seat
from pombal.store.writer import CommitReport

log = structlog.get_logger()

WATCH_EVERY_S = 1.0
WATCH_SLICE = 500
BOOT_SLICE = 500
EMPLOY_SLICE = 100


class Registry:
    """All sessions that are there. Its nursery is given by ``run``; each actor lives in it."""

    def __init__(self, context: SessionContext, tree: ActorTree, restarted: Callable[[str, str], None]) -> None:
        """restarted: told the link and the reason of each restart of an actor."""
        self._context = context
        self._restarted = restarted
        self._scope = trio.CancelScope()
        self._tree = tree
        self._by_key: dict[int, Seat] = {}
        self._by_name: dict[str, Seat] = {}
        self._by_id: dict[str, Seat] = {}
        self._nursery: trio.Nursery | None = None
        self.census = Census()

    # Who is there

    def find(self, name_or_id: str) -> Seat:
        """The session of that name or id. Raises PombalError (not_found)."""
        seat = self._by_name.get(name_or_id) or self._by_id.get(name_or_id)
        if seat is None or seat.is_deleted:
            raise no_session(name_or_id)
        return seat

    def by_key(self, key: int) -> Seat | None:
        return self._by_key.get(key)

    def __iter__(self) -> Iterator[Seat]:
        return iter(self._by_key.values())

    def __len__(self) -> int:
        return len(self._by_key)

    # Their life

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Own the actors' nursery, and watch over their links, until ``stop``."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                task_status.started()
                while not self._context.draining.is_set():
                    await trio.sleep(WATCH_EVERY_S)
                    await self._watch()

    async def _watch(self) -> None:
        """Look at every link, a slice at a time, so that ten thousand of them hold up nobody."""
        now, settings = self._context.clock(), self._context.settings
        for number, seat in enumerate(list(self), 1):
            if seat.connection is not None:
                seat.connection.watch(now, settings)
            if number % WATCH_SLICE == 0:
                await trio.lowlevel.checkpoint()

    def stop(self) -> None:
        """End all actors, and with them their links."""
        self._scope.cancel()

    async def reconcile(self, rows: list[SessionRow], queue_depths: dict[int, int]) -> None:
        """At the daemon's start: whatever the store says of active sessions, none is connected; then start them."""
        now = self._context.clock()
        changes: list[Change] = []
        for row in rows:
            seat = self._seat_for(row, queue_depths.get(row.key, 0))
            if row.is_active:
                after = at_daemon_start(row.state, now.wall_ms)
                if after != row.state:
                    seat.move_to(after)
                    changes.append(SetSessionState(at=now, session_key=row.key, state=after))
        for start in range(0, len(changes), BOOT_SLICE):
            await self._context.recorder.submit(changes[start : start + BOOT_SLICE])
        if self._nursery is None:
            raise PombalError(Kind.UNAVAILABLE, "the daemon is still starting")
        self._nursery.start_soon(self._employ_all, list(self))

    async def _employ_all(self, seats: list[Seat]) -> None:
        """A slice at a time: tasks that start together run together, and hold up everybody else meanwhile.

        A command for a session whose turn has not come waits in its mailbox.
        """
        for number, seat in enumerate(seats, 1):
            self._employ(seat)
            if number % EMPLOY_SLICE == 0:
                await trio.lowlevel.checkpoint()

    async def ask(self, seat: Seat, command: Command) -> Any:
        """Have the session's actor carry a command out. Raises PombalError: its refusal, unavailable, crashed."""
        if seat.is_deleted:
            raise not_found(f"session {seat.name!r} was deleted")
        if isinstance(command, RECORDED):
            self._context.recorder.refuse_while_unavailable()
        with seat.about_to_close() if isinstance(command, CLOSES_LINK) else nullcontext():
            return await seat.mailbox.ask(command, self._context.settings.sessions.command_timeout_s)

    def tell(self, seat: Seat, command: Command) -> None:
        """Leave a command whose outcome nobody waits for. One that finds the mailbox full or closed is dropped."""
        with suppress(PombalError):
            seat.mailbox.tell(command, self._context.settings.sessions.command_timeout_s)

    def release(self, seat: Seat, row: MessageRow) -> None:
        """A message that was held back from going out may go again, if it still waits."""
        seat.outbox.release(row)
        if seat.connection is not None:
            seat.connection.wake_dispatcher()

    def close_mailboxes(self) -> None:
        """The daemon drains: commands that wait are answered so, and no more are taken."""
        for seat in self:
            seat.mailbox.close()

    async def quiet(self) -> None:
        """The daemon drains: wait until no link is read from or sent over any more; all of them stay open."""
        for seat in list(self):
            if seat.connection is not None:
                await seat.connection.stopped()

    def _seat_for(self, row: SessionRow, queued: int) -> Seat:
        settings = self._context.settings
        owner = f"session {row.name!r}"
        if (gone := self._by_name.get(row.name)) is not None:
            self._forget(gone)  # deleted, but its actor has not had its last turn yet
        mailbox: Mailbox[Command] = Mailbox(owner, settings.sessions.mailbox_capacity)
        seat = Seat(
            key=row.key,
            id=row.id,
            name=row.name,
            owner=row.owner,
            link=LinkKind(row.link),
            settings=row.settings,
            device_name=row.device_name,
            phone_number=row.phone_number,
            is_active=row.is_active,
            state=row.state,
            mailbox=mailbox,
            actor=self._tree.enter(row.name, "session", mailbox),
            outbox=Outbox(settings.outbox.window, queued),
            census=self.census,
        )
        self.census.entered(seat.state, seat.link, queued)
        self._by_key[seat.key] = self._by_name[seat.name] = self._by_id[seat.id] = seat
        return seat

    def _employ(self, seat: Seat) -> None:
        if self._nursery is None:
            raise PombalError(Kind.UNAVAILABLE, "the daemon is still starting")
        if not self._nursery.cancel_scope.cancel_called:
            self._nursery.start_soon(self._keep, seat)

    async def _keep(self, seat: Seat) -> None:
        """One for one: this session's crashes are its own. Too many of them, and it rests; never a silent end."""
        while True:
            try:
                await supervise(
                    seat.actor,
                    lambda: SessionActor(seat, self._context).run(),
                    self._context.restart_policy(),
                    on_crash=partial(self._crashed, seat),
                )
                break
            except RestartIntensityExceeded as too_often:
                log.error("session crashed too often", session=seat.name, reason=str(too_often))  # noqa: TRY400  # crashes were logged
                with suppress(RecorderClosed):
                    await move(seat, self._context, Trigger.CRASH_LOOP)
        if seat.is_deleted:
            self._forget(seat)

    async def _crashed(self, seat: Seat, error: Exception) -> None:
        """Say so before the restart: a session whose actor has died is not connected."""
        text = f"crashed: {seat.actor.last_crash.error if seat.actor.last_crash else error}"
        self._restarted(seat.link, "crash")
        with suppress(RecorderClosed):
            await move(seat, self._context, Trigger.LINK_LOST, last_error=text)
            await count_error(seat, self._context, text, restarts=1)

    def _forget(self, seat: Seat) -> None:
        if seat.census is not None:
            seat.census.left(seat.state, seat.link, seat.outbox.depth)
            seat.census = None
        self._by_key.pop(seat.key, None)
        self._by_id.pop(seat.id, None)
        if self._by_name.get(seat.name) is seat:
            del self._by_name[seat.name]
        self._tree.leave(seat.actor)
        seat.mailbox.close()

    # What is committed

    def committed(self, report: CommitReport) -> None:
        """Follow what is on disk now; called in commit order.

        Here and not where it was asked for: whoever asked may have gone before the answer.
        """
        sending: dict[int, Seat] = {}
        for written in report.events:
            match written.row.type:
                case EventType.MESSAGE_QUEUED | EventType.MESSAGE_STATUS if written.message is not None:
                    seat = self._by_key.get(written.row.session_key)
                    if seat is not None and self._message(seat, written.row, written.message):
                        sending[seat.key] = seat
                case EventType.SESSION_CREATED:
                    self._created(written.session)
                case EventType.SESSION_UPDATED if written.row.session_key in self._by_key:
                    self._by_key[written.row.session_key].follow(written.session)
        for seat in sending.values():  # once each, however many messages of it there were
            if seat.connection is not None:
                seat.connection.wake_dispatcher()

    def _created(self, row: SessionRow) -> None:
        seat = self._seat_for(row, 0)
        self._employ(seat)
        if self._context.draining.is_set():
            seat.mailbox.close()
        elif row.is_active:
            self.tell(seat, Start())

    def _message(self, seat: Seat, event: EventRow, message: MessageRow) -> bool:
        """Let the outbox know what entered and left its queue; whether it was anything."""
        changed = event.data or {}
        if event.type == EventType.MESSAGE_QUEUED or changed.get("status") == MessageStatus.QUEUED:
            seat.outbox.offer(message)
            self.census.queued += 1
            return True
        if changed.get("previous_status") == MessageStatus.QUEUED:
            seat.outbox.left(message)
            self.census.queued -= 1
            return True
        return False
