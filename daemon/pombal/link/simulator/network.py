"""The simulated network itself: every account, and all that can be done to them from outside."""

from functools import partial
from pathlib import Path

import trio

from pombal.config.settings import SimulatorSettings
from pombal.link.base import (
    Ended,
    EndKind,
    IncomingMessage,
    LinkContext,
    LinkEvent,
    LinkLost,
    Outgoing,
    PairCode,
)
from pombal.link.simulator.account import Account, Parcel
from pombal.link.simulator.durable import Durable
from pombal.link.simulator.engine import Engine
from pombal.link.simulator.faults import apply_fault
from pombal.link.simulator.inbound import Inbound
from pombal.link.simulator.ledger import Saved
from pombal.link.simulator.link import SimulatedLink
from pombal.link.simulator.outbound import Outbound
from pombal.link.simulator.pairing import Pairing
from pombal.link.simulator.profiles import Profiles
from pombal.model.clock import Clock
from pombal.model.errors import Kind, PombalError, not_found
from pombal.model.message import MessageType
from pombal.model.person import Person


class SimulatedNetwork:
    """WhatsApp, as far as the daemon can tell. ``open`` is an OpenLink; without ``run`` nothing happens.

    durable_path: where it keeps its own side (see ledger.py); None: in memory alone.
    """

    def __init__(self, settings: SimulatorSettings, clock: Clock, durable_path: Path | None = None) -> None:
        self.clock = clock
        self._profiles = Profiles(settings)
        self._accounts: dict[str, Account] = {}
        self._engine = Engine(clock)
        self._durable = None if durable_path is None else Durable(durable_path, settings.remembered_sends)
        self._inbound = Inbound(self._engine, self._durable)
        self._outbound = Outbound(self._engine, self._durable, settings.remembered_sends)
        self._pairing = Pairing(self._engine, self)
        self._is_running = False

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled; started once connections may be opened. All of them are lost when it ends.

        Raises PombalError (unavailable) when its own database cannot be opened.
        """
        saved = None if self._durable is None else await self._durable.open()
        async with trio.open_nursery() as nursery:
            if self._durable is not None and saved is not None:
                nursery.start_soon(self._durable.run)
                self._restore(saved)
            self._is_running = True
            try:
                task_status.started()
                await self._engine.run()
            finally:
                self._is_running = False
                for account in self._accounts.values():
                    if account.link is not None:
                        account.link.lose("the simulated network was stopped")

    # For sessions

    def open(self, context: LinkContext) -> SimulatedLink:
        """A connection, open while its ``async with`` block runs. Raises PombalError (invalid) for bad settings.

        An account is paired from the start if the daemon knows its identity and the network knows nothing of it.
        """
        account = self._accounts.get(context.session_id)
        if account is None:
            account = self._enter(context)
        else:
            account.profile = self._profiles.of(context.settings)
        return SimulatedLink(self, account, context)

    def forget(self, session_id: str) -> None:
        """The session has been deleted. One that was never here changes nothing."""
        account = self._accounts.pop(session_id, None)
        if account is None:
            return
        account.is_paired = False
        self._inbound.stop(account)
        if account.link is not None:
            account.link.lose("the session was deleted")
        if self._durable is not None:
            self._durable.forget(session_id)

    async def forget_person(self, person: Person) -> int:
        """What is kept of a person: on its way to any account, and on disk. Raises PombalError (unavailable)."""
        removed = sum(account.drop(partial(_is_of, person)) for account in self._accounts.values())
        return removed if self._durable is None else await self._durable.erase(person)

    # For whoever plays the phone, the people or fate

    async def scan(self, session_id: str) -> None:
        """The phone scans the QR code. Raises PombalError: not_found, or not_ready when none is shown."""
        account = self._account(session_id)
        if account.link is None or not account.link.is_pairing:
            raise PombalError(Kind.NOT_READY, f"{account.name} shows no QR code now; start it, if it is not paired yet")
        self._pairing.scan(account.link)
        await self._keep(account)

    async def inject(
        self,
        session_id: str,
        from_: str,
        text: str | None = None,
        message_type: MessageType = MessageType.TEXT,
        count: int = 1,
    ) -> list[str]:
        """Messages from a person, a group's member or a LID; returns their link_ids, once they are kept.

        An account that is not connected gets them when it is. Raises PombalError: not_found, not_ready when it is not
        paired, invalid, unavailable when too many wait already.
        """
        account = self._account(session_id)
        if not account.is_paired:
            raise PombalError(Kind.NOT_READY, f"{account.name} is not paired; scan its QR code first")
        return await self._inbound.inject(account, from_, text, message_type, count)

    async def fault(self, session_id: str, kind: str) -> None:
        """Make something go wrong (faults.FAULTS). Raises PombalError: not_found, invalid, not_ready."""
        account = self._account(session_id)
        was_paired = account.is_paired
        apply_fault(kind, account, self._engine)
        if account.is_paired != was_paired:
            await self._keep(account)

    def received(self, session_id: str) -> int:
        """How many messages of this session have reached their recipients in this life of the network."""
        return self._account(session_id).received

    @property
    def wakeups(self) -> int:
        """How often its task woke up: what an idle network costs."""
        return self._engine.wakeups

    # The Exchange, for connections

    async def connect(self, link: SimulatedLink) -> None:
        account = link.account
        await trio.sleep(account.delay_ms(account.profile.connect_ms, "connect") / 1000)
        if not self._is_running or self._accounts.get(account.session_id) is not account:
            raise LinkLost("the simulated network does not answer")
        if account.link is not None:
            account.link.end(Ended(EndKind.REPLACED, "the account was opened once more"))
        account.link = link
        account.start_over()
        self._pairing.begin(link)

    async def send(self, link: SimulatedLink, message: Outgoing) -> None:
        await self._outbound.send(link, message)

    async def log_out(self, link: SimulatedLink) -> None:
        link.account.is_paired = False
        link.close()
        await self._keep(link.account)

    def pair_code(self, link: SimulatedLink, phone_number: str) -> PairCode:
        return self._pairing.pair_code(link, phone_number)

    def acknowledge(self, account: Account, seq: int) -> None:
        done = account.acknowledge(seq)
        if done and self._durable is not None:
            arrival = max(parcel.arrival for parcel in done)
            settled = [parcel.settles for parcel in done if parcel.settles is not None]
            self._durable.acknowledged(account.session_id, arrival, seq + 1, settled)
        if done and account.is_paired:
            self._inbound.flow(account)

    # The PairingHooks

    def paired(self, account: Account) -> None:
        self._save(account)

    def online(self, link: SimulatedLink) -> None:
        self._inbound.flow(link.account)

    def _account(self, session_id: str) -> Account:
        account = self._accounts.get(session_id)
        if account is None:
            raise not_found(f"the simulated network does not know session {session_id}; start it first")
        return account

    def _enter(self, context: LinkContext) -> Account:
        number = context.identity or context.phone_number
        account = Account(context.session_id, context.session_name, self._profiles.of(context.settings), number)
        self._accounts[context.session_id] = account
        if context.identity is not None:
            account.is_paired = True
            self._save(account)
        return account

    def _save(self, account: Account) -> trio.Event | None:
        if self._durable is None:
            return None
        return self._durable.account(account.session_id, account.name, account.number, account.is_paired)

    async def _keep(self, account: Account) -> None:
        if (kept := self._save(account)) is not None:
            await kept.wait()

    def _restore(self, saved: Saved) -> None:
        """Take up a former life; nothing is done to accounts that this life has met already."""
        self._outbound.restore(saved.sends)
        for each in saved.accounts:
            if each.session_id in self._accounts:
                continue
            account = Account(each.session_id, each.name, self._profiles.default, each.number)
            account.is_paired, account.next_seq, account.arrivals = each.is_paired, each.next_seq, each.arrivals
            account.mail = [Parcel(message, arrival) for arrival, message in each.messages]
            self._accounts[each.session_id] = account
            for link_id in each.unsettled:
                self._outbound.receipts_again(account, link_id)


def _is_of(person: Person, event: LinkEvent) -> bool:
    if not isinstance(event, IncomingMessage):
        return False
    return (
        not person.addresses.isdisjoint((event.chat_id, event.participant))
        or event.contact_number in person.numbers
        or event.contact_lid in person.lids
    )
