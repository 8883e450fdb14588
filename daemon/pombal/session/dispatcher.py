"""The dispatcher: takes a session's outbox to its link, in commit order, paced, within the window."""

from collections.abc import Callable
from functools import partial
from typing import Any

import trio

from pombal.link.base import Link, LinkLost, Outgoing, SendRefused
from pombal.model.changes import Advance, FailQueue, MarkDispatched
from pombal.model.message import MessageRow, MessageStatus
from pombal.model.session import LinkKind
from pombal.model.text import storable
from pombal.session.context import SessionContext
from pombal.session.pacing import Pacer
from pombal.session.seat import Seat
from pombal.store.message_queries import link_ids_of, queued_messages

SLICE = 500


class Dispatcher:
    """Works while there is something to send; ``wake`` tells it of more. One for each open link."""

    def __init__(self, seat: Seat, context: SessionContext, link: Link, may_send: Callable[[], bool]) -> None:
        """may_send: whether the session is in a state to send; once it is again, ``wake`` says so."""
        self._seat = seat
        self._context = context
        self._link = link
        self._may_send = may_send
        self._pacer = _pacer(seat, context)
        self._woken = trio.Event()
        self._is_running = False

    def wake(self, nursery: trio.Nursery) -> None:
        """There may be something to do: more in the outbox, or room in the window."""
        self._woken.set()
        if not self._is_running and self._seat.outbox.has_work:
            self._is_running = True
            nursery.start_soon(self._run)

    async def _run(self) -> None:
        """Until the outbox is empty or the session may not send; an idle session has no such task."""
        try:
            while self._may_send() and (row := await self._next()) is not None:
                outgoing = await self._outgoing(row)
                await self._room_in_window()
                await self._pace()
                # While it waited for its turn it may have been cancelled, or the account restricted.
                if self._may_send() and self._seat.outbox.next() is row:
                    await self._dispatch(row, outgoing)
        finally:
            self._is_running = False

    async def _next(self) -> MessageRow | None:
        outbox = self._seat.outbox
        while (row := outbox.next()) is None:
            if not outbox.must_read:
                return None
            await self._read_page()
        return row

    async def _read_page(self) -> None:
        outbox = self._seat.outbox
        page = partial(queued_messages, session_key=self._seat.key, past_id=outbox.start_reading(), limit=SLICE)
        try:
            rows = await self._context.reader.run(page)
            await self._context.recorder.caught_up()
            outbox.page(rows, SLICE)
        finally:
            outbox.stop_reading()

    async def _room_in_window(self) -> None:
        while self._seat.outbox.window_used() >= self._context.settings.outbox.window:
            self._woken = trio.Event()
            await self._woken.wait()

    async def _pace(self) -> None:
        if self._pacer is not None:
            await trio.sleep(self._pacer.wait_s(trio.current_time()))

    async def _dispatch(self, row: MessageRow, outgoing: Outgoing) -> None:
        """Hand one message over. What cannot be deduplicated is on disk as dispatched before it goes."""
        context, outbox = self._context, self._seat.outbox
        at = context.clock()
        if self._expired(row, at.wall_ms):
            outbox.dropped(row)
            return
        mark = MarkDispatched(at=at, message_ids=(row.id,))
        outbox.dispatched(row, at.mono_ms)
        if self._pacer is not None:
            self._pacer.take(trio.current_time())
        if not self._link.deduplicates:
            await context.recorder.commit(mark)
        try:
            await self._hand_over(outgoing)
        except SendRefused as refusal:
            failed = Advance(
                at=context.clock(), session_key=self._seat.key, link_id=row.link_id, status=MessageStatus.FAILED,
                error_kind=storable(refusal.kind), error_detail=storable(refusal.detail),
            )  # fmt: skip
            await context.recorder.submit([mark, failed])
            return
        if self._link.deduplicates:
            await context.recorder.submit([mark])

    async def _hand_over(self, outgoing: Outgoing) -> None:
        """A link that does not even take a message holds up all that wait behind it: it counts as lost."""
        timeout_s = self._context.settings.outbox.ack_timeout_s
        with trio.move_on_after(timeout_s) as scope:
            await self._link.send(outgoing)
        if scope.cancelled_caught:
            raise LinkLost(f"the link took no message within {timeout_s:g} s")

    def _expired(self, row: MessageRow, now_ms: int) -> bool:
        """Too old to go out. Housekeeping fails it; here it only must not slip through before that."""
        return row.queued_at is not None and now_ms - row.queued_at > self._context.settings.outbox.max_age_s * 1000

    async def _outgoing(self, row: MessageRow) -> Outgoing:
        """The message as the link takes it: what it quotes or reacts to, by WhatsApp's own ids."""
        content: dict[str, Any] | None = row.content
        if content and "reaction" in content:
            target = await self._link_id_of(content["reaction"]["message_id"])
            content = {**content, "reaction": {**content["reaction"], "link_id": target}}
        quoted = await self._link_id_of(row.quoted_message_id) if row.quoted_message_id else None
        return Outgoing(
            row.link_id, row.chat_id, row.contact_number, row.message_type, row.text_content, content, quoted
        )

    async def _link_id_of(self, message_id: str) -> str | None:
        return await self._context.reader.run(lambda connection: link_ids_of(connection, self._seat.key, message_id))


async def settle_unanswered(seat: Seat, context: SessionContext) -> None:
    """On a link that cannot deduplicate: what was dispatched without an answer becomes uncertain, never sent again."""
    while True:
        failed: int = await context.recorder.commit(
            FailQueue(
                at=context.clock(),
                session_key=seat.key,
                error_kind="unanswered",
                limit=SLICE,
                only_dispatched=True,
                error_detail="the connection ended before WhatsApp answered; look whether it arrived before you resend",
            )
        )
        if failed < SLICE:
            return


async def fail_queue(seat: Seat, context: SessionContext, kind: str, detail: str) -> None:
    """Give up everything that waits in a session's queue."""
    while True:
        failed: int = await context.recorder.commit(
            FailQueue(at=context.clock(), session_key=seat.key, error_kind=kind, error_detail=detail, limit=SLICE)
        )
        if failed < SLICE:
            return


def _pacer(seat: Seat, context: SessionContext) -> Pacer | None:
    """The pace of this session; none on the simulator, but where its own settings ask for one."""
    outbox = context.settings.outbox
    per_second, burst = seat.settings.get("messages_per_second"), seat.settings.get("burst")
    if seat.link == LinkKind.SIMULATOR and per_second is None:
        return None
    return Pacer(per_second or outbox.messages_per_second, burst or outbox.burst, trio.current_time())
