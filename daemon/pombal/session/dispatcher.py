"""The dispatcher: takes a session's outbox to its link, in commit order a chat, paced, within the window."""

from collections.abc import Callable
from functools import partial
from itertools import islice

import trio

from pombal.link.base import Link, Outgoing
from pombal.model.clock import Stamp
from pombal.model.message import MessageRow
from pombal.session.context import SessionContext
from pombal.session.handover import HandOver
from pombal.session.lanes import Lanes, is_upload, lane_of, upload_s
from pombal.session.outgoing import outgoing
from pombal.session.pacing import Pace, Pacer, pace_of
from pombal.session.queue_ends import SLICE
from pombal.session.recipients import ASKED_AT_ONCE, Recipients, is_stranger
from pombal.session.seat import Seat
from pombal.store.message_queries import queued_messages

_AT_A_TURN = 32
"""So many messages are handed to a link that does not let us wait, before others have their turn in the loop."""


class Dispatcher:
    """Works while there is something to send; ``wake`` tells it of more. One for each open link.

    One task picks messages and hands texts over, one after the other. A message with a file, and the question who a
    recipient is, get a task of their own, hold their chat back meanwhile, and wake the first one when they are done.
    """

    def __init__(self, seat: Seat, context: SessionContext, link: Link, may_send: Callable[[], bool]) -> None:
        """may_send: whether the session is in a state to send; once it is again, ``wake`` says so."""
        self._seat = seat
        self._context = context
        self._link = link
        self._may_send = may_send
        self._lanes = Lanes(context.settings.outbox.uploads)
        self._hand_over = HandOver(seat, context, link)
        self._recipients = Recipients(seat, context, link)
        self._in_hand: set[str] = set()
        self._strangers: dict[str, list[MessageRow]] = {}  # by lane, in the order in which they are asked about
        self._pace: Pace | None = None
        self._pacer: Pacer | None = None
        self._woken = trio.Event()
        self.is_running = False

    @property
    def in_hand(self) -> frozenset[str]:
        """The link_ids of what is being handed over at this moment."""
        return frozenset(self._in_hand)

    def wake(self, nursery: trio.Nursery) -> None:
        """There may be something to do: more in the outbox, room in the window, a chat that is free again."""
        self._woken.set()
        self._lanes.uploads_max = self._context.settings.outbox.uploads
        if not self.is_running and self._may_send() and (self._next() is not None or self._must_read()):
            self.is_running = True
            nursery.start_soon(self._run, nursery)

    def is_stuck(self, now_mono_ms: int, timeout_ms: float) -> bool:
        """Whether the link has been given a message without a file and, for longer than timeout_ms, not taken it."""
        return self._hand_over.is_stuck(now_mono_ms, timeout_ms)

    def _next(self) -> MessageRow | None:
        return self._seat.outbox.next(self._lanes)

    def _must_read(self) -> bool:
        return self._seat.outbox.must_read(self._lanes, self._context.settings.outbox.lookahead)

    async def _run(self, nursery: trio.Nursery) -> None:
        """Until nothing may go; an idle session has no such task."""
        handed_over = 0
        try:
            while self._may_send() and (row := await self._pick()) is not None:
                if is_stranger(row, self._link):
                    self._ask_about_strangers(nursery)
                    continue
                message = await outgoing(row, self._context)
                await self._room_in_window()
                await self._wait_for_pace()
                # While it waited for its turn it may have been cancelled, or the account restricted.
                if self._may_send() and self._next() is row:
                    await self._dispatch(row, message, nursery)
                    handed_over += 1
                    if handed_over % _AT_A_TURN == 0:
                        await trio.lowlevel.checkpoint()
        finally:
            self.is_running = False

    async def _pick(self) -> MessageRow | None:
        while (row := self._next()) is None:
            if not self._must_read():
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

    async def _wait_for_pace(self) -> None:
        pace = pace_of(self._seat.link, self._seat.settings, self._context.settings.outbox)
        if pace != self._pace:
            self._pace, self._pacer = pace, None if pace is None else Pacer(*pace, trio.current_time())
        if self._pacer is not None:
            await trio.sleep(self._pacer.wait_s(trio.current_time()))

    async def _dispatch(self, row: MessageRow, message: Outgoing, nursery: trio.Nursery) -> None:
        """Hand one message over; one with a file in a task of its own."""
        at, outbox = self._context.clock(), self._seat.outbox
        if self._expired(row, at.wall_ms):
            outbox.dropped(row)
            return
        grace_s = upload_s(row, self._context.settings.outbox)
        outbox.dispatched(row, at.mono_ms, is_upload=is_upload(row), grace_ms=grace_s * 1000)
        if self._pacer is not None:
            self._pacer.take(trio.current_time())
        self._in_hand.add(row.link_id)  # from now on, and not only once a task has begun with it
        if is_upload(row):
            self._lanes.begin_upload(row)
            nursery.start_soon(self._upload, row, message, at, nursery)
        else:
            await self._carry(row, message, at)

    async def _carry(self, row: MessageRow, message: Outgoing, at: Stamp) -> None:
        try:
            await self._hand_over.carry(row, message, at)
        finally:
            self._in_hand.discard(row.link_id)

    async def _upload(self, row: MessageRow, message: Outgoing, at: Stamp, nursery: trio.Nursery) -> None:
        try:
            await self._carry(row, message, at)
        finally:
            self._lanes.end_upload(row)
        self.wake(nursery)

    def _ask_about_strangers(self, nursery: trio.Nursery) -> None:
        """Hold back the chats of all strangers that wait, until it is known who they are."""
        found: dict[str, list[MessageRow]] = {}
        for row in self._seat.outbox.waiting():
            if is_stranger(row, self._link) and not self._lanes.is_busy(lane_of(row)):
                found.setdefault(lane_of(row), []).append(row)
        for lane in found:
            self._lanes.hold(lane)
        is_asking = bool(self._strangers)
        self._strangers |= found
        if not is_asking:
            nursery.start_soon(self._ask, nursery)

    async def _ask(self, nursery: trio.Nursery) -> None:
        """One question at a time; whoever comes while it is open goes into the next one."""
        while lanes := list(islice(self._strangers, ASKED_AT_ONCE)):
            await self._recipients.resolve([row for lane in lanes for row in self._strangers[lane]])
            for lane in lanes:
                del self._strangers[lane]
                self._lanes.free(lane)
            self.wake(nursery)

    def _expired(self, row: MessageRow, now_ms: int) -> bool:
        """Too old to go out. Housekeeping fails it; here it only must not slip through before that."""
        return row.queued_at is not None and now_ms - row.queued_at > self._context.settings.outbox.max_age_s * 1000
