"""A connection to the simulated network: the Link that a session actor holds, and the side the network speaks to."""

from collections.abc import Sequence
from enum import Enum
from types import TracebackType
from typing import Protocol

import trio

from pombal.link.base import (
    Authenticated,
    ContactInfo,
    Delivery,
    Ended,
    LinkContext,
    LinkEvent,
    LinkLost,
    Outgoing,
    PairCode,
    Ready,
)
from pombal.link.simulator import people
from pombal.link.simulator.account import Account
from pombal.link.simulator.schedule import Timer
from pombal.model.clock import Clock
from pombal.model.phone import USER_SERVER

KEEPALIVE_MS = 15_000


class Phase(Enum):
    CONNECTING = 1
    PAIRING = 2
    SYNCING = 3
    READY = 4
    CLOSED = 5


class Exchange(Protocol):
    """What a connection asks of the network."""

    clock: Clock

    async def connect(self, link: "SimulatedLink") -> None: ...
    async def send(self, link: "SimulatedLink", message: Outgoing) -> None: ...
    async def log_out(self, link: "SimulatedLink") -> None: ...
    def pair_code(self, link: "SimulatedLink", phone_number: str) -> PairCode: ...
    def acknowledge(self, account: Account, seq: int) -> None: ...


class SimulatedLink:
    """A Link, open while its ``async with`` block runs. One that is closed or superseded raises LinkLost."""

    __slots__ = (
        "_crash", "_exchange", "_last_frame_at_ms", "_lost", "_phase", "_signals", "_wake", "account", "context",
        "is_hung", "is_stalled", "pairing_ends_at_ms", "pairing_number", "qr_round", "timers",
    )  # fmt: skip

    def __init__(self, exchange: Exchange, account: Account, context: LinkContext) -> None:
        self.account = account
        self.context = context
        self.is_hung = False
        self.is_stalled = False
        self.qr_round = 0
        self.pairing_number: str | None = None
        self.pairing_ends_at_ms = 0
        self.timers: list[Timer] = []
        self._exchange = exchange
        self._phase = Phase.CONNECTING
        self._signals: list[LinkEvent] = []
        self._wake: trio.Event | None = None
        self._lost: str | None = None
        self._crash: Exception | None = None
        self._last_frame_at_ms: int | None = None

    async def __aenter__(self) -> "SimulatedLink":
        await self._exchange.connect(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # The Link

    @property
    def deduplicates(self) -> bool:
        return self.account.profile.deduplicates

    @property
    def resolves(self) -> bool:
        """Numbers are ids here."""
        return False

    @property
    def is_alive(self) -> bool:
        return self._phase not in {Phase.CONNECTING, Phase.CLOSED}

    @property
    def last_frame_at_ms(self) -> int | None:
        """Keepalives among them. Ten thousand idle accounts send none: they are worked out when somebody looks."""
        last_ms = self._last_frame_at_ms
        if last_ms is None or self.is_stalled or not self.is_alive:
            return last_ms
        elapsed_ms = max(0, self._exchange.clock().wall_ms - last_ms)
        return last_ms + elapsed_ms - elapsed_ms % KEEPALIVE_MS

    async def receive(self) -> Sequence[Delivery]:
        if self._has_news:
            await trio.lowlevel.checkpoint()
        while True:
            if self._crash is not None:
                crash, self._crash = self._crash, None
                raise crash
            if self._lost is not None:
                raise LinkLost(self._lost)
            if not self.is_stalled and (deliveries := self._take()):
                return deliveries
            self._check_alive()
            wake = self._wake = trio.Event()
            await wake.wait()

    def acknowledge(self, seq: int) -> None:
        self._exchange.acknowledge(self.account, seq)

    async def send(self, message: Outgoing) -> None:
        await self._command()
        if self._phase not in {Phase.SYNCING, Phase.READY}:
            raise LinkLost("not logged in yet")
        if not self.is_stalled:
            await self._exchange.send(self, message)

    async def mark_read(self, chat_id: str, participant: str, link_ids: Sequence[str]) -> None:
        await self._command()  # the people of this network do not mind whether their ticks turn blue

    async def check_contacts(self, numbers: Sequence[str]) -> list[ContactInfo]:
        await self._command()
        return [self._contact(number) for number in numbers]

    async def pair_code(self, phone_number: str) -> PairCode:
        await self._command()
        return self._exchange.pair_code(self, phone_number)

    async def logout(self) -> None:
        await self._command()
        await self._exchange.log_out(self)

    async def probe(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.is_stalled:
            await trio.sleep_forever()
        self._check_alive()
        self._frame()

    # The network's side

    def stall(self) -> None:
        """From now on nothing flows, keepalives neither; the socket stays up."""
        self._last_frame_at_ms = self.last_frame_at_ms
        self.is_stalled = True

    @property
    def is_pairing(self) -> bool:
        return self._phase is Phase.PAIRING

    @property
    def is_ready(self) -> bool:
        return self._phase is Phase.READY

    def enter(self, phase: Phase) -> None:
        """Go on to the next phase, if it is not closed; timers of the one before are void."""
        self.stop_timers()
        if self._phase is not Phase.CLOSED:
            self._phase = phase

    def tell(self, signal: LinkEvent) -> None:
        """Something about the connection itself: told once, and not if a newer one of its kind comes first."""
        self._signals = [waiting for waiting in self._signals if type(waiting) is not type(signal)]
        self._signals.append(signal)
        self.arrived()

    def ready(self) -> None:
        self.enter(Phase.READY)
        self.tell(Ready())

    def authenticated(self) -> None:
        self.enter(Phase.SYNCING)
        number = self.account.number
        self.tell(Authenticated(number, number, self.context.device_name))

    def arrived(self) -> None:
        """There is something to receive."""
        if not self.is_stalled:
            self._frame()
        self._notify()

    def end(self, ended: Ended) -> None:
        """The last thing it tells, even on a connection that had fallen silent."""
        self.is_stalled = False
        self.tell(ended)
        self.close()

    def lose(self, reason: str) -> None:
        self._lost = reason
        self.close()

    def crash(self) -> None:
        self._crash = RuntimeError("the simulator was told to crash this session")
        self._notify()

    def close(self) -> None:
        """At once, and more than once without harm; the account is disconnected then."""
        self.enter(Phase.CLOSED)
        if self.account.link is self:
            self.account.link = None
        self._notify()

    def stop_timers(self) -> None:
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()

    def _take(self) -> list[Delivery]:
        deliveries = [self.account.number_delivery(signal) for signal in self._signals]
        self._signals.clear()
        if self._phase is Phase.READY:
            deliveries += self.account.hand_over()
        return deliveries

    @property
    def _has_news(self) -> bool:
        """Whether ``receive`` has no need to wait."""
        return bool(self._crash or self._lost or self._signals or self.account.may_hand_over)

    async def _command(self) -> None:
        """Carried out at once: whoever has many does not let go of the loop for each."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if self.is_hung:
            await trio.sleep_forever()
        self._check_alive()

    def _check_alive(self) -> None:
        if not self.is_alive:
            raise LinkLost(self._lost or "the connection is closed")

    def _frame(self) -> None:
        self._last_frame_at_ms = self._exchange.clock().wall_ms

    def _notify(self) -> None:
        if self._wake is not None:
            self._wake.set()
            self._wake = None

    def _contact(self, number: str) -> ContactInfo:
        if not people.exists(number):
            return ContactInfo(number, exists=False)
        return ContactInfo(number, True, f"{number}@{USER_SERVER}", people.lid_of(number))
