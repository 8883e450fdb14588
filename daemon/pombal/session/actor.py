"""The session actor: one mailbox, one link, one owner of the session's state."""

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
import trio

from pombal.actors.backoff import Backoff
from pombal.actors.tree import ActorState
from pombal.link.base import Ended, EndKind, LinkContext, LinkLost
from pombal.model.changes import DeleteSession, PurgeMessages
from pombal.model.errors import Kind, PombalError
from pombal.model.session import SessionRow
from pombal.model.session_state import ALIVE, CRASH_LOOP, IDLE, Trigger
from pombal.session import commands
from pombal.session.connection import TRIGGER_OF_END, Connection, ProbeFailed
from pombal.session.context import SessionContext
from pombal.session.dispatcher import SLICE, fail_queue
from pombal.session.moves import move, move_and_wait
from pombal.session.randomness import jitter
from pombal.session.seat import Seat
from pombal.session.start_slot import start_slot

log = structlog.get_logger()

UNLINK_TIMEOUT_S = 5.0


class SessionActor:
    """Runs one session. Made anew after each crash; what must outlive that is in its seat."""

    def __init__(self, seat: Seat, context: SessionContext) -> None:
        self._seat = seat
        self._context = context
        self._link_scope: trio.CancelScope | None = None
        self._link_closed = trio.Event()

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
                    return

    async def _carry_out(self, command: commands.Command, nursery: trio.Nursery) -> Any:
        match command:
            case commands.Start():
                return await self._start(nursery)
            case commands.Stop():
                return await self._stop()
            case commands.Restart():
                await self._close()
                await move(self._seat, self._context, Trigger.STOP)
                return await self._start(nursery)
            case commands.Logout():
                return await self._logout()
            case commands.Delete(purge):
                return await self._delete(purge=purge)
            case commands.GetPairCode(phone_number):
                return await self._open_link().link.pair_code(phone_number)
            case commands.CheckContacts(numbers):
                return await self._open_link().link.check_contacts(numbers)
            case commands.TellRead(rows):
                return await self._tell_read(rows)

    # Commands

    async def _start(self, nursery: trio.Nursery) -> SessionRow:
        if self._seat.state.place in IDLE:
            await self._close()
            row = await move_and_wait(self._seat, self._context, Trigger.START, is_active=True)
            self._open(nursery)
            return row
        return await move_and_wait(self._seat, self._context, Trigger.START)

    async def _stop(self) -> SessionRow:
        await self._close()
        return await move_and_wait(self._seat, self._context, Trigger.STOP, is_active=False)

    async def _logout(self) -> SessionRow:
        await self._open_link().link.logout()
        return await self._stop()

    async def _delete(self, *, purge: bool) -> dict[str, Any]:
        """Unlink, give the queue up, then tell that the session is gone; in that order, so that each can be read."""
        seat, context = self._seat, self._context
        if seat.connection is not None:
            await seat.connection.unlink(UNLINK_TIMEOUT_S)
        await self._close()
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
            slice_removed: int = await self._context.recorder.commit(change)
            removed += slice_removed
            if slice_removed < SLICE:
                return removed

    async def _tell_read(self, rows: Any) -> None:
        """As well as can be: a receipt that finds no link is not kept, for the sender has no use for a late one."""
        if self._seat.connection is None:
            return
        chats: dict[tuple[str, str], list[str]] = defaultdict(list)
        for row in rows:
            chats[row.chat_id, row.participant].append(row.link_id)
        try:
            await self._seat.connection.tell_read(chats)
        except LinkLost:
            log.info("read receipts not told, link lost", session=self._seat.name, count=len(rows))

    def _open_link(self) -> Connection:
        if self._seat.connection is None:
            raise PombalError(
                Kind.NOT_READY,
                f"session {self._seat.name!r} has no open link ({self._seat.state.status}); start it first",
            )
        return self._seat.connection

    # The link

    def _open(self, nursery: trio.Nursery) -> None:
        self._link_scope, self._link_closed = trio.CancelScope(), trio.Event()
        nursery.start_soon(self._keep_link, self._link_scope, self._link_closed)

    async def _close(self) -> None:
        """Close the link, if there is one, and wait until it is closed."""
        if self._link_scope is not None:
            self._link_scope.cancel()
            await self._link_closed.wait()
            self._link_scope = None

    async def _keep_link(self, scope: trio.CancelScope, closed: trio.Event) -> None:
        try:
            with scope:
                await self._connect_for_ever()
        finally:
            closed.set()

    async def _connect_for_ever(self) -> None:
        """Reconnect is not restart: a lost link is retried without end; one that ended waits for a person."""
        settings = self._context.settings.link
        backoff = Backoff(settings.reconnect_min_s, settings.reconnect_max_s, jitter)
        while True:
            began_s = trio.current_time()
            ended, lost = await self._serve_link()
            if ended is not None:
                await self._told_end(ended)
                return
            trigger = Trigger.LINK_LOST if isinstance(lost, ProbeFailed) else Trigger.LOST
            await move(self._seat, self._context, trigger, last_error=str(lost) or None)
            if trio.current_time() - began_s >= settings.stable_s:
                backoff.reset()
            pause_s = backoff.next_s()
            log.info("link lost", session=self._seat.name, reason=str(lost), retry_in_s=round(pause_s, 1))
            await trio.sleep(pause_s)

    async def _serve_link(self) -> tuple[Ended | None, LinkLost | None]:
        """One connection, from its opening to its end: why it ended for good, or how it was lost."""
        lost: LinkLost | None = None
        try:
            async with self._connected() as connection:
                return await connection.serve(), None
        except* LinkLost as group:
            lost = _first(group)
        return None, lost

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        seat, context = self._seat, self._context
        link_context = LinkContext(
            seat.id, seat.name, seat.state.identity, seat.phone_number, seat.device_name, seat.settings
        )
        async with start_slot(context.starts) as settled, context.links[seat.link](link_context) as link:
            connection = seat.connection = Connection(seat, context, link, settled)
            try:
                yield connection
            finally:
                seat.connection = None

    async def _told_end(self, ended: Ended) -> None:
        trigger = TRIGGER_OF_END[ended.kind]
        log.warning("session ended by WhatsApp", session=self._seat.name, reason=ended.kind)
        error = ended.detail or None if ended.kind != EndKind.PAIRING_TIMEOUT else None
        details = {"last_error": error} if error else {}
        await move(self._seat, self._context, trigger, until_ms=ended.until_ms, **details)

    async def _cool_down(self, nursery: trio.Nursery) -> None:
        """After too many crashes: rest, then try again. A `start` meanwhile does not wait for it."""
        self._seat.actor.state = ActorState.COOLING_DOWN
        await trio.sleep(self._context.settings.sessions.cooldown_s)
        if self._seat.state.place == CRASH_LOOP:
            self._seat.actor.state = ActorState.RUNNING
            await move(self._seat, self._context, Trigger.START)
            self._open(nursery)


def _first(group: BaseExceptionGroup[Any]) -> LinkLost:
    """The LinkLost inside groups of one."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, LinkLost) else LinkLost(str(error))
