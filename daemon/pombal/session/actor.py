"""The session actor: one mailbox, one link, one owner of the session's state."""

import math
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import structlog
import trio

from pombal.actors.backoff import Backoff
from pombal.actors.tree import ActorState
from pombal.link.base import ContactInfo, Ended, Link, LinkContext, LinkLost, OpenLink, SendRefused
from pombal.model.changes import DeleteSession, LearnContacts, SetSessionState
from pombal.model.errors import Kind, PombalError
from pombal.model.removal_changes import PurgeMessages, RemovedMessages
from pombal.model.session import SessionRow
from pombal.model.session_state import ALIVE, CRASH_LOOP, IDLE, Trigger
from pombal.recorder.recorder import RecorderClosed
from pombal.session import commands
from pombal.session.connection import Connection, ProbeFailed
from pombal.session.context import SessionContext
from pombal.session.moves import move, move_and_wait, moved, recorded
from pombal.session.queue_ends import SLICE, fail_queue
from pombal.session.randomness import jitter
from pombal.session.recipients import ask, contacts_in
from pombal.session.seat import Seat
from pombal.session.start_slot import start_slot

log = structlog.get_logger()

T = TypeVar("T")
UNLINK_TIMEOUT_S = 5.0


class SessionActor:
    """Runs one session. Made anew after each crash; what must outlive that is in its seat."""

    def __init__(self, seat: Seat, context: SessionContext) -> None:
        self._seat = seat
        self._context = context
        self._link_scope: trio.CancelScope | None = None
        self._link_closed = trio.Event()
        self._rest: trio.CancelScope | None = None
        self._was_ready_for_s = 0.0

    async def run(self) -> None:
        """Carry commands out, one after the other, until the session is deleted or the daemon stops."""
        seat = self._seat
        async with trio.open_nursery() as nursery:
            if seat.is_active and seat.state.place in ALIVE:
                self._open(nursery)
            elif seat.state.place == CRASH_LOOP:
                nursery.start_soon(self._cool_down, nursery)
            async for envelope in seat.mailbox:
                with envelope.handling():
                    envelope.answer(await self._carry_out(envelope.command, nursery))
                if seat.is_deleted:
                    nursery.cancel_scope.cancel()
                    break

    async def _carry_out(self, command: commands.Command, nursery: trio.Nursery) -> Any:
        match command:
            case commands.Start():
                return await self._start(nursery)
            case commands.Stop():
                return await self._stop()
            case commands.Restart():
                return await self._restart(nursery)
            case commands.Logout():
                return await self._logout()
            case commands.Delete(purge):
                return await self._delete(purge=purge)
            case commands.GetPairCode(phone_number):
                return await self._at_link(lambda connection: connection.pair_code(phone_number))
            case commands.CheckContacts(numbers):
                return await self._at_link(lambda connection: self._check(connection.link, numbers))
            case commands.TellRead(rows):
                return await self._tell_read(rows)

    # Commands

    async def _start(self, nursery: trio.Nursery) -> SessionRow:
        if self._seat.state.place in IDLE or self._link_scope is None:
            await self._close()
            return await self._begin(nursery, [])
        return await move_and_wait(self._seat, self._context, Trigger.START)

    async def _restart(self, nursery: trio.Nursery) -> SessionRow:
        await self._close()
        stopped = moved(self._seat, self._context, Trigger.STOP)
        return await self._begin(nursery, [stopped] if stopped is not None else [])

    async def _begin(self, nursery: trio.Nursery, before: list[SetSessionState]) -> SessionRow:
        """Start, with the moves that were made just before."""
        started = moved(self._seat, self._context, Trigger.START, is_active=True)
        try:
            return await recorded(self._context, [*before, *([started] if started is not None else [])])
        finally:
            self._open(nursery)  # whoever asked may be gone by now, but the session counts as started

    async def _stop(self) -> SessionRow:
        await self._close()
        return await move_and_wait(self._seat, self._context, Trigger.STOP, is_active=False)

    async def _logout(self) -> SessionRow:
        await self._at_link(lambda connection: connection.log_out())
        return await self._stop()

    async def _delete(self, *, purge: bool) -> dict[str, Any]:
        """Unlink, stop, give the queue up, then tell that the session is gone; in that order, so that each can be read.

        Should it fail half-way, a stopped session is left, and whoever asked may ask again.
        """
        seat, context = self._seat, self._context
        if seat.connection is not None:
            await seat.connection.unlink(UNLINK_TIMEOUT_S)
        await self._close()
        await move(seat, context, Trigger.STOP, is_active=False)
        await fail_queue(seat, context, "session_deleted", "the session was deleted while this message waited")
        removed = await self._purge() if purge else 0
        await context.recorder.commit(DeleteSession(at=context.clock(), session_key=seat.key, messages_deleted=removed))
        if (forget := context.forget.get(seat.link)) is not None:
            forget(seat.id)
        seat.is_deleted = True
        return {"deleted": True, "messages_deleted": removed}

    async def _purge(self) -> int:
        removed = 0
        while True:
            change = PurgeMessages(at=self._context.clock(), session_key=self._seat.key, limit=SLICE)
            slice_removed: RemovedMessages = await self._context.recorder.commit(change)
            await self._context.forget_media(slice_removed.media)
            removed += slice_removed.count
            if slice_removed.count < SLICE:
                return removed

    async def _check(self, link: Link, numbers: Sequence[str]) -> list[ContactInfo]:
        """What WhatsApp says is kept: the first message to them need not ask again."""
        try:
            answers = await ask(link, numbers)
        except SendRefused as refusal:
            raise PombalError(Kind.UNAVAILABLE, f"WhatsApp does not say: {refusal.detail}") from refusal
        learnt = LearnContacts(at=self._context.clock(), session_key=self._seat.key, contacts=contacts_in(answers))
        with suppress(RecorderClosed):
            await self._context.recorder.submit([learnt])
        return answers

    async def _tell_read(self, rows: Any) -> None:
        """As well as can be: a receipt that finds no link is not kept, for the sender has no use for a late one."""
        if self._seat.connection is None:
            return
        chats: dict[tuple[str, str], list[str]] = defaultdict(list)
        for row in rows:
            chats[row.chat_id, row.participant].append(row.link_id)
        await self._at_link(lambda connection: connection.tell_read(chats))

    async def _at_link(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """What work brings from the open link. Given up as soon as somebody asks for the link to be closed.

        Raises PombalError: not_ready where no link is open, unavailable where it is lost or closed meanwhile.
        """
        seat = self._seat
        if seat.connection is None:
            raise PombalError(
                Kind.NOT_READY, f"session {seat.name!r} has no open link ({seat.state.status}); start it first"
            )
        try:
            with trio.CancelScope() as seat.link_work:
                if seat.is_about_to_close:
                    seat.link_work.cancel()
                return await work(seat.connection)
        except LinkLost as lost:
            why = f"lost its link: {lost}; it connects again by itself"
            raise PombalError(Kind.UNAVAILABLE, f"session {seat.name!r} {why}") from lost
        finally:
            seat.link_work = None
        raise PombalError(Kind.UNAVAILABLE, f"session {seat.name!r} is closing its link")

    # The link

    def _open(self, nursery: trio.Nursery) -> None:
        if self._context.draining.is_set():
            return
        self._seat.actor.state = ActorState.RUNNING
        self._link_scope, self._link_closed = trio.CancelScope(), trio.Event()
        nursery.start_soon(self._keep_link, self._link_scope, self._link_closed)

    async def _close(self) -> None:
        """Close the link, if there is one, and wait until it is closed. A rest after crashes ends, too."""
        if self._rest is not None:
            self._rest.cancel()
        if self._link_scope is not None:
            self._link_scope.cancel()
            await self._link_closed.wait()
            self._link_scope = None

    async def _keep_link(self, scope: trio.CancelScope, closed: trio.Event) -> None:
        try:
            with scope:
                await self._connect_for_ever()
        except* RecorderClosed:
            log.debug("link given up, nothing is recorded any more", session=self._seat.name)
        finally:
            closed.set()

    async def _connect_for_ever(self) -> None:
        """Reconnect is not restart: a lost link is retried without end; one that ended waits for a person."""
        settings = self._context.settings.link
        backoff = Backoff(settings.reconnect_min_s, settings.reconnect_max_s, jitter)
        while not self._context.draining.is_set():
            ended, lost = await self._serve_link()
            if ended is not None:
                log.warning("session ended by WhatsApp", session=self._seat.name, reason=ended.kind)
                return
            trigger = Trigger.LINK_LOST if isinstance(lost, ProbeFailed) else Trigger.LOST
            await move(self._seat, self._context, trigger, last_error=str(lost) or None)
            if self._was_ready_for_s >= settings.stable_s:
                backoff.reset()
            pause_s = backoff.next_s()
            log.info("link lost", session=self._seat.name, reason=str(lost), retry_in_s=round(pause_s, 1))
            await trio.sleep(pause_s)

    async def _serve_link(self) -> tuple[Ended | None, LinkLost | None]:
        """One connection, from its opening to its end: why it ended for good, or how it was lost."""
        lost: LinkLost | None = None
        self._was_ready_for_s = 0.0
        try:
            async with self._connected() as connection:
                return await connection.serve(), None
        except* LinkLost as group:
            lost = _first(group)
        return None, lost

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        """An open link, once there is a slot to open it in. Raises LinkLost where that takes too long."""
        seat, context = self._seat, self._context
        link_context = LinkContext(
            seat.id, seat.name, seat.state.identity, seat.phone_number, seat.device_name, seat.settings
        )
        async with start_slot(context.starts) as settled:
            timeout_s = context.settings.link.connect_timeout_s
            with trio.move_on_after(timeout_s) as opening:
                async with self._open_link()(link_context) as link:
                    opening.deadline = math.inf
                    connection = seat.connection = Connection(seat, context, link, settled)
                    try:
                        yield connection
                    finally:
                        self._was_ready_for_s = connection.ready_for_s()
                        seat.connection = None
        if opening.cancelled_caught:
            raise LinkLost(f"no connection within {timeout_s:g} s")

    def _open_link(self) -> OpenLink:
        if (open_link := self._context.links.get(self._seat.link)) is None:
            raise LinkLost(f"this daemon has no link {self._seat.link}: it is switched off, or not built yet")
        return open_link

    async def _cool_down(self, nursery: trio.Nursery) -> None:
        """After too many crashes: rest, then try again. A command that starts or stops the session ends the rest."""
        self._seat.actor.state = ActorState.COOLING_DOWN
        with trio.CancelScope() as self._rest:
            await trio.sleep(self._context.settings.sessions.cooldown_s)
        self._seat.actor.state = ActorState.RUNNING
        if not self._rest.cancelled_caught:
            self._rest = None
            self._open(nursery)
            with suppress(RecorderClosed):
                await move(self._seat, self._context, Trigger.START)


def _first(group: BaseExceptionGroup[Any]) -> LinkLost:
    """The LinkLost inside groups of one."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, LinkLost) else LinkLost(str(error))
