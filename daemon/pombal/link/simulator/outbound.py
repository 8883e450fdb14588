"""What becomes of the messages we send: refused, lost, or taken, delivered and read, each in its time."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from pombal.link.base import Failed, LinkEvent, Outgoing, Receipt, SendRefused, Sent
from pombal.link.simulator import behaviour, people
from pombal.link.simulator.account import Account, Parcel
from pombal.link.simulator.behaviour import Step
from pombal.link.simulator.durable import Durable
from pombal.link.simulator.engine import Engine
from pombal.link.simulator.link import SimulatedLink
from pombal.model.message import MessageStatus
from pombal.model.phone import number_of


@dataclass(slots=True)
class InFlight:
    """A send on its way, with the steps that are still to be told. link: over which it came, None after a restart."""

    account: Account
    link: SimulatedLink | None
    link_id: str
    steps: list[Step]
    told_ms: float = 0.0


class Outbound:
    """Takes sends and tells what becomes of them."""

    def __init__(self, engine: Engine, durable: Durable | None, remembered_max: int) -> None:
        self._engine = engine
        self._durable = durable
        self._remembered_max = remembered_max
        # The newest of all accounts together, so that a repeated send is known by its id.
        self._taken: OrderedDict[tuple[str, str], None] = OrderedDict()

    async def send(self, link: SimulatedLink, message: Outgoing) -> None:
        """Take a message over a connection. Raises SendRefused for a recipient who is not on WhatsApp."""
        account = link.account
        self._check_recipient(message)
        await account.room()
        is_repeat = (account.session_id, message.link_id) in self._taken
        if not is_repeat and (failure := self._refusal(account, message.link_id)) is not None:
            self._fail(link, failure)
        elif is_repeat or not account.dice("sends").chance(account.profile.drop_ack_rate):
            await self._take(link, message, is_repeat=is_repeat)

    def restore(self, sends: Iterable[tuple[str, str]]) -> None:
        """Know these again: (session_id, link_id), oldest first."""
        for key in sends:
            self._remember(key)

    def receipts_again(self, account: Account, link_id: str) -> None:
        """The receipts of a send of a former life, which were never acknowledged."""
        steps = behaviour.plan_kept_receipts(account.profile, account.dice("sends"))
        self._follow(InFlight(account, None, link_id, steps))

    @staticmethod
    def _check_recipient(message: Outgoing) -> None:
        number = message.contact_number or number_of(message.chat_id)
        if number is not None and not people.exists(number):
            raise SendRefused("not_on_whatsapp", f"the number {number} is not on WhatsApp")

    def _refusal(self, account: Account, link_id: str) -> Failed | None:
        if account.is_restricted:
            return Failed(link_id, "restricted", "the account may not send until its restriction ends")
        if account.refusals:
            account.refusals -= 1
            return Failed(link_id, "rejected", "the simulator was told to refuse this message")
        if account.dice("sends").chance(account.profile.fail_rate):
            return Failed(link_id, "rejected", "refused at the rate set by fail_rate")
        return None

    def _fail(self, link: SimulatedLink, failure: Failed) -> None:
        account = link.account
        delay_ms = account.delay_ms(account.profile.sent_ms, "sends")
        account.in_flight += 1
        self._engine.after_ms(delay_ms, partial(self._tell_failure, link, failure))

    def _tell_failure(self, link: SimulatedLink, failure: Failed) -> None:
        link.account.in_flight -= 1
        self._answer(link, failure)
        link.account.made_room()

    async def _take(self, link: SimulatedLink, message: Outgoing, *, is_repeat: bool) -> None:
        """It counts as received from here; on disk first, where this network is durable.

        Who waits for that may be cancelled, as a session is that restarts: what the network has taken takes its course.
        """
        account = link.account
        deduplicates = account.profile.deduplicates
        self._remember((account.session_id, message.link_id))
        account.received += not (is_repeat and deduplicates)
        steps = behaviour.plan_sent(account.profile, account.dice("sends"))
        follow = partial(self._follow, InFlight(account, link, message.link_id, steps))
        if self._durable is None:
            follow()
        else:
            kept = self._durable.send(
                account.session_id,
                message.link_id,
                message.chat_id,
                message.text,
                self._engine.whatsapp_ms,
                follow,
                deduplicates=deduplicates,
            )
            await kept.wait()

    def _remember(self, key: tuple[str, str]) -> None:
        self._taken[key] = None
        self._taken.move_to_end(key)
        if len(self._taken) > self._remembered_max:
            self._taken.popitem(last=False)

    def _follow(self, flight: InFlight) -> None:
        flight.account.in_flight += 1
        self._next(flight)

    def _next(self, flight: InFlight) -> None:
        """One timer a send, not one a step."""
        after_ms = flight.steps[0][0] - flight.told_ms
        self._engine.after_ms(after_ms, partial(self._step, flight))

    def _step(self, flight: InFlight) -> None:
        flight.told_ms, status = flight.steps.pop(0)
        if status != MessageStatus.SENT:
            self._receipt(flight, status)
        elif flight.link is not None:
            self._answer(flight.link, Sent(flight.link_id, self._engine.whatsapp_s))
        if flight.steps:
            self._next(flight)
        else:
            flight.account.in_flight -= 1
            flight.account.made_room()

    @staticmethod
    def _answer(link: SimulatedLink, event: LinkEvent) -> None:
        """An answer travels over the connection that asked; when that is gone, so is the answer."""
        if link.is_alive:
            link.account.keep([Parcel(event)])

    def _receipt(self, flight: InFlight, status: MessageStatus) -> None:
        """A receipt waits for the account, whatever connection it comes back on; not once the device is logged out."""
        if not flight.account.is_paired:
            return
        is_last = not flight.steps or all(later == MessageStatus.SENT for _, later in flight.steps)
        receipt = Receipt((flight.link_id,), status, self._engine.whatsapp_s)
        flight.account.keep([Parcel(receipt, settles=flight.link_id if is_last else None)])
