"""One account of the simulated network: who it is, and what waits for it until it is acknowledged."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import trio

from pombal.config.settings import Delay, Lognormal, SimulatorProfile
from pombal.link.base import Delivery, Ended, LinkEvent
from pombal.link.simulator.behaviour import Dice, draw_ms
from pombal.link.simulator.people import mobile_number
from pombal.link.simulator.schedule import Timer

if TYPE_CHECKING:
    from pombal.link.simulator.link import SimulatedLink

# Deliveries of one account that may be handed over and not yet acknowledged; then the link waits.
UNACKNOWLEDGED_MAX = 1000
# What the network keeps for one account at most: waiting, unacknowledged and on its way. Beyond it senders wait.
KEPT_MAX = 10_000


class Parcel:
    """One event that is kept until it is acknowledged; it comes again with each new connection.

    arrival: the number of an inbound message in the account's life. settles: the link_id of a send of which this is the
    last receipt. seq: under which it was handed over on the present connection, 0 before that.
    """

    __slots__ = ("arrival", "event", "seq", "settles")

    def __init__(self, event: LinkEvent, arrival: int = 0, settles: str | None = None) -> None:
        self.event = event
        self.arrival = arrival
        self.settles = settles
        self.seq = 0


class Account:
    """Everything the network knows of one account. Idle, it takes under a kilobyte; its dice are made when thrown."""

    __slots__ = (
        "_dice", "_handed", "_room", "arrivals", "fated", "in_flight", "inbound_timer", "is_paired", "landing", "link",
        "mail", "name", "next_seq", "number", "profile", "received", "refusals", "restricted_until_ms",
        "restricted_until_s", "session_id",
    )  # fmt: skip

    def __init__(self, session_id: str, name: str, profile: SimulatorProfile, number: str | None = None) -> None:
        self.session_id = session_id
        self.name = name
        self.profile = profile
        self.number = number or mobile_number(Dice(profile.seed, name, "number"))
        self.is_paired = False
        self.link: SimulatedLink | None = None
        self.next_seq = 1
        self.arrivals = 0
        self.mail: list[Parcel] = []
        self.in_flight = 0  # sends whose receipts are still to come
        self.landing = 0  # messages to us that are being made durable
        self.received = 0
        self.inbound_timer: Timer | None = None
        self.fated: Ended | None = None
        self.refusals = 0
        self.restricted_until_s = 0.0
        self.restricted_until_ms = 0
        self._handed = 0
        self._room: trio.Event | None = None
        self._dice: dict[str, Dice] | None = None

    def dice(self, purpose: str) -> Dice:
        """A stream of chance of its own for each purpose, so that sends do not change what people write."""
        if self._dice is None:
            self._dice = {}
        if purpose not in self._dice:
            self._dice[purpose] = Dice(self.profile.seed, self.name, purpose)
        return self._dice[purpose]

    def delay_ms(self, delay: Delay, purpose: str) -> float:
        """A delay as it is set. Where nothing is left to chance, no dice are made: most accounts never need any."""
        return draw_ms(delay, self.dice(purpose)) if isinstance(delay, Lognormal) else delay

    @property
    def is_online(self) -> bool:
        return self.link is not None and self.link.is_ready

    @property
    def is_restricted(self) -> bool:
        return trio.current_time() < self.restricted_until_s

    # Mail

    @property
    def load(self) -> int:
        """What is kept for the account or on its way to it."""
        return self.waiting + self.in_flight

    @property
    def waiting(self) -> int:
        """What is kept for it, or about to be."""
        return len(self.mail) + self.landing

    def keep(self, parcels: Iterable[Parcel]) -> None:
        """Keep these until they are acknowledged, and hand them over when the account is online."""
        self.mail.extend(parcels)
        if self.link is not None:
            self.link.arrived()

    def number_delivery(self, event: LinkEvent) -> Delivery:
        delivery = Delivery(self.next_seq, event)
        self.next_seq += 1
        return delivery

    @property
    def may_hand_over(self) -> bool:
        """Whether the present connection can be given more."""
        return self._handed < min(len(self.mail), UNACKNOWLEDGED_MAX)

    def hand_over(self) -> list[Delivery]:
        """What the present connection has not been given yet, as far as its acknowledgements go."""
        deliveries = []
        for parcel in self.mail[self._handed : UNACKNOWLEDGED_MAX]:
            parcel.seq = self.next_seq
            deliveries.append(self.number_delivery(parcel.event))
        self._handed += len(deliveries)
        return deliveries

    def start_over(self) -> None:
        """A new connection: all that was not acknowledged comes again, under new numbers."""
        for parcel in self.mail[: self._handed]:
            parcel.seq = 0
        self._handed = 0

    def acknowledge(self, seq: int) -> list[Parcel]:
        """Drop what was handed over up to seq, and return it."""
        count = 0
        while count < self._handed and self.mail[count].seq <= seq:
            count += 1
        done = self.mail[:count]
        del self.mail[:count]
        self._handed -= count
        self.made_room()
        if done and self.link is not None and len(self.mail) > self._handed:
            self.link.arrived()  # what was held back may be handed over now
        return done

    def drop(self, is_dropped: Callable[[LinkEvent], bool]) -> int:
        """Forget what is kept of these events, handed over or not; how many there were."""
        handed = [is_dropped(parcel.event) for parcel in self.mail[: self._handed]]
        before = len(self.mail)
        self.mail = [parcel for parcel in self.mail if not is_dropped(parcel.event)]
        self._handed -= sum(handed)
        self.made_room()
        return before - len(self.mail)

    async def room(self) -> None:
        """Wait until less than KEPT_MAX is kept: who does not acknowledge stops the stream, not the memory."""
        while self.load >= KEPT_MAX:
            if self._room is None:
                self._room = trio.Event()
            await self._room.wait()

    def made_room(self) -> None:
        if self._room is not None and self.load < KEPT_MAX:
            self._room.set()
            self._room = None
