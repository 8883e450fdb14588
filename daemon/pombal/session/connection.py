"""One open link of a session: what it tells goes to the recorder, what waits in the outbox goes to it."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NoReturn

import structlog
import trio

from pombal.config.settings import Settings
from pombal.link import base
from pombal.link.base import Delivery, EndKind, Link, LinkLost
from pombal.model.changes import Change, MarkOverdue, ShowCode
from pombal.model.clock import Stamp
from pombal.model.message import MessageRow
from pombal.model.session import LiveFacts
from pombal.model.session_state import QRCODE, READY, RESTRICTED, Trigger
from pombal.model.text import storable
from pombal.session.context import SessionContext
from pombal.session.dispatcher import Dispatcher
from pombal.session.intake import changes_of
from pombal.session.moves import count_error, move, moved
from pombal.session.queue_ends import fail_queue, settle_unanswered
from pombal.session.seat import Code, Seat
from pombal.session.silence import Silence

log = structlog.get_logger()

MANY_OVERDUE = 3


class ProbeFailed(LinkLost):
    """The socket is there, but nobody answers: the link counts as lost."""


class Connection:
    """Serves one link until it ends. The actor owns the link and the nursery that ``serve`` opens."""

    def __init__(self, seat: Seat, context: SessionContext, link: Link, settled: Callable[[], None]) -> None:
        """settled: called once it is clear where the connection leads, so that others may connect."""
        now = context.clock()
        self._seat = seat
        self._context = context
        self.link = link
        self._dispatcher = Dispatcher(seat, context, link, self._may_send)
        self._nursery: trio.Nursery | None = None
        self._ended: base.Ended | None = None
        self._is_probing = False
        self._is_ready = self._shows_qr = False
        self._ready_mono_ms: int | None = None
        self._settled = settled
        self._login_since_mono_ms: int | None = now.mono_ms
        self._silence = Silence(now)
        self._stopped: trio.Event | None = None
        self._logout_failed: trio.Event | None = None

    async def serve(self) -> base.Ended:
        """Until the link says that it ended for good. Raises LinkLost, or ProbeFailed, when the connection went.

        When the daemon drains, nothing more is read or sent, but the link stays open so that what has been read can
        still be acknowledged; the caller's cancellation closes it.
        """
        if not self._context.draining.is_set():
            await self._serve_until_drain()
        if self._ended is not None and not self._context.draining.is_set():
            return self._ended
        await trio.sleep_forever()
        raise AssertionError("unreachable: the actor's cancellation ends the line above")

    async def _serve_until_drain(self) -> None:
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._read_until_end, nursery)
                await self._context.draining.wait()
                nursery.cancel_scope.cancel()
        finally:
            self._nursery = None
            if self._stopped is not None:
                self._stopped.set()

    async def stopped(self) -> None:
        """Wait until nothing is read or sent any more, which the drain brings about."""
        if self._nursery is not None:
            self._stopped = self._stopped or trio.Event()
            await self._stopped.wait()

    def _serving(self) -> trio.Nursery | None:
        """The nursery, if it takes tasks: one whose tasks are being ended may have closed, and says so loudly."""
        nursery = self._nursery
        return None if nursery is None or nursery.cancel_scope.cancel_called else nursery

    def live_facts(self) -> LiveFacts:
        return LiveFacts(self.link.is_alive, self.link.last_frame_at_ms)

    def ready_for_s(self) -> float:
        """How long it has been ready; 0 where it never was."""
        return 0.0 if self._ready_mono_ms is None else (self._context.clock().mono_ms - self._ready_mono_ms) / 1000

    def wake_dispatcher(self) -> None:
        """Something was queued, or something in flight was answered."""
        if (nursery := self._serving()) is not None and self._may_send():
            self._dispatcher.wake(nursery)

    def _may_send(self) -> bool:
        return self._is_ready and self._seat.state.place == READY and not self._context.draining.is_set()

    # What the link tells

    async def _read_until_end(self, nursery: trio.Nursery) -> None:
        while self._ended is None:
            await self._take(await self._receive())
        nursery.cancel_scope.cancel()

    async def _receive(self) -> Sequence[Delivery]:
        """The next deliveries. A link that a logout has ended is no lost one: the actor closes it, and says so."""
        try:
            return await self.link.receive()
        except LinkLost:
            if self._logout_failed is not None:
                await self._logout_failed.wait()  # noqa: ASYNC120  # cancelled, the actor knows that it is closed
            raise

    async def _take(self, deliveries: Sequence[Delivery]) -> None:
        """Record a batch in one submission, in order; acknowledge it to the link once it is committed.

        One that changes nothing is submitted, too: its acknowledgement would be one of all that came before it.
        """
        changes: list[Change] = []
        at, is_about_session = self._context.clock(), False
        for delivery in deliveries:
            changes += changes_of(delivery.event, self._seat.key, at)
            if type(delivery.event) in base.SESSION_EVENTS:
                changes += await self._about_session(delivery.event)
                is_about_session = True
        last = deliveries[-1].seq
        await self._context.recorder.submit(changes, lambda _: self.link.acknowledge(last))
        if is_about_session:
            self.wake_dispatcher()
        if self._ended is not None:
            # The link closes next. An end that was not acknowledged by then would be told again, and end the next one.
            await self._context.recorder.commit_all([])  # without changes it is answered in its turn, behind ours

    async def _about_session(self, event: base.LinkEvent) -> list[Change]:
        """The changes that events about the session itself make: its state, its codes, its end."""
        match event:
            case base.Qr(code, expires_at_ms):
                self._login_since_mono_ms, self._shows_qr = None, True
                self._settled()
                return self._show_code(code, expires_at_ms, is_qr=True)
            case base.PairCode(code, expires_at_ms):
                return self._show_code(code, expires_at_ms, is_qr=False)
            case base.Authenticated():
                return await self._authenticated(event)
            case base.Ready():
                return await self._ready()
            case base.Restricted(until_ms, detail):
                return self._moved(Trigger.RESTRICTED, until_ms=until_ms, last_error=detail or None)
            case base.Ended():
                self._ended = event
                return self._moved_to_end(event)
            case base.Gap(detail):
                log.warning("messages may have been lost", session=self._seat.name, reason=storable(detail))
        return []

    def _moved(self, trigger: Trigger, **details: object) -> list[Change]:
        change = moved(self._seat, self._context, trigger, **details)  # type: ignore[arg-type]
        return [] if change is None else [change]

    def _moved_to_end(self, ended: base.Ended) -> list[Change]:
        """Recorded with the acknowledgement: whoever has heard that may take a next connection for a person's wish."""
        error = storable(ended.detail) if ended.kind != EndKind.PAIRING_TIMEOUT else ""
        details = {"last_error": error} if error else {}
        moved_to = moved(self._seat, self._context, TRIGGER_OF_END[ended.kind], until_ms=ended.until_ms, **details)
        return [] if moved_to is None else [replace(moved_to, link_alive=False)]

    def _show_code(self, code: str, expires_at_ms: int, *, is_qr: bool) -> list[Change]:
        changes, shown = self._moved(Trigger.QR), Code(storable(code), expires_at_ms)
        if shown == (self._seat.qr if is_qr else self._seat.pair_code):
            return changes  # a pairing code is answered to whoever asked for it, and may be told as an event, too
        if is_qr:
            self._seat.qr = shown
        else:
            self._seat.pair_code = shown
        at = self._context.clock()
        show = ShowCode(
            at=at, session_key=self._seat.key, is_qr=is_qr, code=shown.code, expires_at_ms=shown.expires_at_ms
        )
        return [*changes, show]

    async def _authenticated(self, event: base.Authenticated) -> list[Change]:
        """Paired, or logged in. With another number than before, the old queue is not this account's to send."""
        self._login_since_mono_ms, self._shows_qr = self._context.clock().mono_ms, False
        before, identity = self._seat.state.identity, storable(event.identity)
        if before is not None and before != identity:
            detail = f"the session was paired with {event.phone_number} after this message had been queued"
            await fail_queue(self._seat, self._context, "identity_changed", detail)
        self._seat.phone_number = event.phone_number
        fields: dict[str, object] = {"phone_number": event.phone_number}
        if event.device_name and self._seat.device_name is None:
            fields["device_name"] = self._seat.device_name = event.device_name
        return self._moved(Trigger.AUTHENTICATED, identity=identity, **fields)

    async def _ready(self) -> list[Change]:
        """From here on messages flow. What an earlier link left without an answer is settled first."""
        seat = self._seat
        if not self.link.deduplicates and seat.outbox.depth:
            await settle_unanswered(seat, self._context)
        seat.outbox.start_over(self._dispatcher.in_hand)
        self._is_ready, self._login_since_mono_ms = True, None
        self._ready_mono_ms = self._context.clock().mono_ms
        self._settled()
        return self._moved(Trigger.READY)

    # What time tells; called by the registry's watch, once a second

    def watch(self, now: Stamp, settings: Settings) -> None:
        """Look for silence, for acknowledgements that are late, for a restriction that has run out."""
        if (nursery := self._serving()) is None:
            return
        try:
            self._look(nursery, now, settings)
        except Exception as error:  # the link's own fault is its session's crash, and none of the registry's
            nursery.start_soon(_crash, error)

    def _look(self, nursery: trio.Nursery, now: Stamp, settings: Settings) -> None:
        timeout_s = settings.outbox.ack_timeout_s
        if self._dispatcher.is_running and self._dispatcher.is_stuck(now.mono_ms, timeout_s * 1000):
            # It holds up all that wait behind that message, which itself may be gone by now: expired, say.
            nursery.start_soon(_crash, LinkLost(f"the link took no message within {timeout_s:g} s"))
            return
        if self._seat.outbox.in_flight:
            overdue = self._seat.outbox.overdue(now.mono_ms, timeout_s * 1000)
            if overdue:
                nursery.start_soon(self._tell_overdue, overdue)
        if self._seat.state.place == RESTRICTED and (self._seat.state.until_ms or 0) <= now.wall_ms:
            nursery.start_soon(self._restriction_ended)
        login_since = self._login_since_mono_ms
        if login_since is not None and now.mono_ms - login_since > settings.link.connect_timeout_s * 1000:
            nursery.start_soon(
                _crash, LinkLost(f"the login did not get on within {settings.link.connect_timeout_s:g} s")
            )
        if not self._is_probing and self._silence.is_due(now):
            quiet_ms = settings.link.probe_after_s * 1000
            self._is_probing = self._silence.is_too_long(now, self.link.last_frame_at_ms, quiet_ms)
            if self._is_probing:
                nursery.start_soon(self._probe)

    async def _tell_overdue(self, rows: list[MessageRow]) -> None:
        at = self._context.clock()
        await self._context.recorder.submit([MarkOverdue(at=at, message_ids=tuple(row.id for row in rows))])
        waiting = sum(flight.is_overdue for flight in self._seat.outbox.in_flight.values())
        if waiting >= MANY_OVERDUE:
            await count_error(self._seat, self._context, f"{waiting} messages wait for WhatsApp's acknowledgement")
        self.wake_dispatcher()

    async def _restriction_ended(self) -> None:
        """What the link has come to meanwhile was not heard."""
        trigger = Trigger.LOST
        if self.link.is_alive and self._is_ready:
            trigger = Trigger.READY
        elif self.link.is_alive and self._shows_qr:
            trigger = Trigger.QR
        await move(self._seat, self._context, trigger)
        self.wake_dispatcher()

    async def _probe(self) -> None:
        """Quiet is not dead: only a question that goes unanswered ends the connection."""
        timeout_s = self._context.settings.link.probe_timeout_s
        with trio.move_on_after(timeout_s) as scope:
            await self.link.probe()
        self._is_probing = False
        self._silence.broken(self._context.clock())
        if scope.cancelled_caught:
            raise ProbeFailed(f"no sign of life within {timeout_s:g} s")

    # Commands that need the link

    async def tell_read(self, chats: dict[tuple[str, str], list[str]]) -> None:
        for (chat_id, participant), link_ids in chats.items():
            await self.link.mark_read(chat_id, participant, link_ids)

    async def pair_code(self, phone_number: str) -> base.PairCode:
        """A code for linking without a camera; told to those who listen, too."""
        made = await self.link.pair_code(phone_number)
        if self._seat.state.place == QRCODE:  # it may have been scanned meanwhile
            shown = self._show_code(made.code, made.expires_at_ms, is_qr=False)
            await self._context.recorder.submit(shown)
        return made

    async def log_out(self) -> None:
        """Remove this device from the account; the link may end with it, and close may follow."""
        failed = self._logout_failed = trio.Event()
        try:
            await self.link.logout()
        except BaseException:
            failed.set()
            raise

    async def unlink(self, timeout_s: float) -> None:
        """Log out as well as can be, on the way to deletion."""
        with suppress(LinkLost), trio.move_on_after(timeout_s):
            await self.log_out()


async def _crash(error: Exception) -> NoReturn:
    await trio.lowlevel.checkpoint()
    raise error


TRIGGER_OF_END: dict[EndKind, Trigger] = {kind: Trigger(kind.value) for kind in EndKind}
