"""A network of links that do as they are told.

It keeps each account's unacknowledged events and brings them again with the next link, as every link must.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import trio

from pombal.link.base import (
    Authenticated,
    ContactInfo,
    Delivery,
    IncomingMessage,
    LinkContext,
    LinkEvent,
    LinkLost,
    Outgoing,
    PairCode,
    Qr,
    Ready,
    Sent,
)

NUMBER = "5511911110000"
LATER_MS = 4_000_000_000_000

OnOpen = Callable[["FakeLink"], Awaitable[None] | None]
OnSend = Callable[["FakeLink", Outgoing], Awaitable[None]]


def paired(number: str = NUMBER) -> Authenticated:
    return Authenticated(number, number, "Pombal")


def incoming(link_id: str, text: str | None = "oi", **fields: object) -> IncomingMessage:
    plain = {"chat_id": "5511922220000@s.whatsapp.net", "timestamp_s": 1_750_000_000}
    return IncomingMessage(link_id=link_id, text=text, **(plain | fields))  # type: ignore[arg-type]


async def log_in(link: "FakeLink") -> None:
    """What a link does that is paired already."""
    link.tell(paired(), Ready())


async def show_qr(link: "FakeLink") -> None:
    link.tell(Qr(f"qr {link.number}", LATER_MS))


class FakeAccount:
    """One session's side of the network, over all its links."""

    def __init__(self) -> None:
        self.next_seq = 1
        self.links: list[FakeLink] = []
        self.unacknowledged: list[LinkEvent] = []
        self.sends: list[tuple[int, Outgoing]] = []  # over which link, by its number
        self.received: Counter[str] = Counter()

    @property
    def link(self) -> "FakeLink":
        """The newest."""
        return self.links[-1]

    @property
    def is_open(self) -> bool:
        return bool(self.links) and self.link.is_alive


class FakeNetwork:
    """``on_open`` is awaited at each opening (raise LinkLost, hang, tell); ``answers``: sends are acknowledged.

    ``directory``: whom WhatsApp knows, by the number that is asked for; who is not in it exists under that number.
    ``asked``: what was. ``on_send`` is awaited while a send is on its way.
    """

    def __init__(self) -> None:
        self.accounts: dict[str, FakeAccount] = {}
        self.on_open: OnOpen = log_in
        self.deduplicates = True
        self.resolves = False
        self.answers = True
        self.directory: dict[str, ContactInfo] = {}
        self.asked: list[list[str]] = []
        self.on_send: OnSend | None = None
        self.opening = 0
        self.most_opening = 0
        self.forgotten: list[str] = []

    def account(self, session_id: str) -> FakeAccount:
        return self.accounts.setdefault(session_id, FakeAccount())

    @asynccontextmanager
    async def open(self, context: LinkContext) -> AsyncIterator["FakeLink"]:
        account = self.account(context.session_id)
        link = FakeLink(self, account, context)
        self.opening += 1
        self.most_opening = max(self.most_opening, self.opening)
        try:
            await trio.lowlevel.checkpoint()
            account.links.append(link)
            made = self.on_open(link)
            if made is not None:
                await made
        finally:
            self.opening -= 1
        again, account.unacknowledged = account.unacknowledged, []
        link.tell(*again)
        try:
            yield link
        finally:
            link.close()

    def forget(self, session_id: str) -> None:
        self.forgotten.append(session_id)
        self.accounts.pop(session_id, None)


class FakeLink:
    """``hung``: commands that never return; ``gates``: those that wait; ``failing``: what they raise after that."""

    def __init__(self, network: FakeNetwork, account: FakeAccount, context: LinkContext) -> None:
        self._network = network
        self.account = account
        self.context = context
        self.number = len(account.links) + 1
        self.is_closed = False
        self.is_alive = True
        self.last_frame_at_ms: int | None = None
        self.hung: set[str] = set()
        self.failing: dict[str, Exception] = {}
        self.gates: dict[str, trio.Event] = {}
        self.called: list[str] = []
        self.acknowledged = 0
        self.marked_read: list[tuple[str, str, tuple[str, ...]]] = []
        self.probes = 0
        self._waiting: list[Delivery] = []
        self._kept: list[Delivery] = []
        self._error: Exception | None = None
        self._wake = trio.Event()

    # What the test does

    def tell(self, *events: LinkEvent) -> None:
        """One batch for the next receive, if it does not wait already."""
        for event in events:
            self._waiting.append(Delivery(self.account.next_seq, event))
            self.account.next_seq += 1
        self._wake.set()

    def lose(self, reason: str = "the connection was reset") -> None:
        self.fail(LinkLost(reason))

    def fail(self, error: Exception) -> None:
        """receive raises it."""
        self._error = error
        self.is_alive = False
        self._wake.set()

    def close(self) -> None:
        """Messages that were not acknowledged come again with the next link."""
        self.is_closed, self.is_alive = True, False
        lost = [delivery.event for delivery in [*self._kept, *self._waiting]]
        self.account.unacknowledged = [event for event in lost if isinstance(event, IncomingMessage)]
        self._kept, self._waiting = [], []

    @property
    def sent(self) -> list[Outgoing]:
        """What was sent over this link."""
        return [message for number, message in self.account.sends if number == self.number]

    @property
    def texts(self) -> list[str]:
        return [message.text or "" for message in self.sent]

    # The Link

    @property
    def deduplicates(self) -> bool:
        return self._network.deduplicates

    @property
    def resolves(self) -> bool:
        return self._network.resolves

    async def receive(self) -> Sequence[Delivery]:
        await trio.lowlevel.checkpoint()
        while not self._waiting:
            if self._error is not None:
                raise self._error
            self._wake = trio.Event()
            await self._wake.wait()
        batch, self._waiting = self._waiting, []
        self._kept += batch
        return batch

    def acknowledge(self, seq: int) -> None:
        assert seq > self.acknowledged
        self.acknowledged = seq
        self._kept = [delivery for delivery in self._kept if delivery.seq > seq]

    async def send(self, message: Outgoing) -> None:
        await self._command("send")
        if self._network.on_send is not None:
            await self._network.on_send(self, message)
        self.account.sends.append((self.number, message))
        if self._network.deduplicates:
            self.account.received[message.link_id] = 1
        else:
            self.account.received[message.link_id] += 1
        if self._network.answers:
            self.tell(Sent(message.link_id))

    async def mark_read(self, chat_id: str, participant: str, link_ids: Sequence[str]) -> None:
        await self._command("mark_read")
        self.marked_read.append((chat_id, participant, tuple(link_ids)))

    async def check_contacts(self, numbers: Sequence[str]) -> list[ContactInfo]:
        await self._command("check_contacts")
        self._network.asked.append(list(numbers))
        return [
            self._network.directory.get(number)
            or ContactInfo(number, exists=True, canonical_id=f"{number}@s.whatsapp.net")
            for number in numbers
        ]

    async def pair_code(self, phone_number: str) -> PairCode:
        await self._command("pair_code")
        return PairCode("ABCD-1234", LATER_MS)

    async def logout(self) -> None:
        await self._command("logout")
        self.lose("logged out")

    async def probe(self) -> None:
        self.probes += 1
        await self._command("probe")

    async def _command(self, name: str) -> None:
        self.called.append(name)
        await trio.lowlevel.checkpoint()
        if name in self.hung:
            await trio.sleep_forever()
        if name in self.gates:
            await self.gates[name].wait()
        if name in self.failing:
            raise self.failing[name]
        if self.is_closed or self._error is not None:
            raise LinkLost("the link is closed")
