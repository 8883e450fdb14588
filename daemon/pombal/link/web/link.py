"""A session's Link over a conversation with a gateway."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pombal.config.settings import WebSettings
from pombal.link.base import ContactInfo, Delivery, Gap, LinkLost, MediaShelf, Outgoing, PairCode, SendRefused
from pombal.link.web.conversation import Conversation
from pombal.link.web.questions import GatewayDeclined
from pombal.link.web.transfers import put_file
from pombal.link.wire import commands
from pombal.link.wire.commands import Command
from pombal.model.errors import Kind, PombalError

NO_SEQ = -1
MEDIA_MISSING = "media_missing"
LOST = "lost"
# A send that is declined so is none of the message's fault: it goes again, once the gateway can.
NOT_NOW = {LOST, "not_ready", "unavailable"}


class WebLink:
    """A Link. gap: what to say first, about the time before this connection; said: called once that is committed."""

    def __init__(
        self,
        conversation: Conversation,
        shelf: MediaShelf,
        settings: WebSettings,
        gap: str | None,
        said: Callable[[], None],
    ) -> None:
        self._conversation = conversation
        self._shelf = shelf
        self._settings = settings
        self._gap = gap
        self._said = said
        self._is_gap_under_way = False

    @property
    def deduplicates(self) -> bool:
        gateway = self._conversation.end.gateway
        return gateway is not None and gateway.deduplicates

    @property
    def resolves(self) -> bool:
        return True

    @property
    def is_alive(self) -> bool:
        facts = self._conversation.facts
        return self._conversation.is_open and facts is not None and facts.is_alive

    @property
    def last_frame_at_ms(self) -> int | None:
        facts = self._conversation.facts
        return None if facts is None else facts.last_frame_at_ms

    async def receive(self) -> Sequence[Delivery]:
        """See Link. A gap that is to be said has no number of the gateway's."""
        if self._gap is not None:
            gap, self._gap, self._is_gap_under_way = self._gap, None, True
            return [Delivery(NO_SEQ, Gap(gap))]
        return await self._conversation.receive()

    def acknowledge(self, seq: int) -> None:
        if self._is_gap_under_way:
            self._is_gap_under_way = False
            self._said()
        if seq != NO_SEQ:
            self._conversation.acknowledge(seq)

    async def send(self, message: Outgoing) -> None:
        """Its file first, where the gateway does not have it."""
        try:
            sha256 = _media_of(message)
            if sha256 is None:
                await self._ask(message)
            else:
                await self._send_with_file(message, sha256)
        except GatewayDeclined as declined:
            if declined.kind in NOT_NOW:
                raise LinkLost(declined.detail or "the gateway is not connected to WhatsApp") from declined
            raise SendRefused(declined.kind, declined.detail) from declined
        except PombalError as error:
            kind = MEDIA_MISSING if error.kind == Kind.NOT_FOUND else error.kind
            if error.kind == Kind.UNAVAILABLE:
                raise LinkLost(error.message) from error  # the disk may answer again; the message is not to blame
            raise SendRefused(kind, error.message) from error

    async def _send_with_file(self, message: Outgoing, sha256: str) -> None:
        has = await self._ask(commands.HasMedia(sha256))
        if not (isinstance(has, commands.Has) and has.has):
            await self._put(sha256)
        try:
            await self._ask(message)
        except GatewayDeclined as declined:
            if declined.kind != MEDIA_MISSING:
                raise
            await self._put(sha256)
            await self._ask(message)

    async def _put(self, sha256: str) -> None:
        await put_file(self._conversation, self._shelf, sha256, self._settings.transfer_timeout_s)

    async def mark_read(self, chat_id: str, participant: str, link_ids: Sequence[str]) -> None:
        await self._carried(self._ask(commands.MarkRead(chat_id, participant, tuple(link_ids))))

    async def check_contacts(self, numbers: Sequence[str]) -> list[ContactInfo]:
        found = await self._carried(self._ask(commands.CheckContacts(tuple(numbers))))
        if not isinstance(found, commands.Contacts) or len(found.results) != len(numbers):
            raise PombalError(Kind.UNAVAILABLE, f"the gateway did not answer for each of {len(numbers)} numbers")
        return list(found.results)

    async def pair_code(self, phone_number: str) -> PairCode:
        made = await self._carried(self._ask(commands.GetPairCode(phone_number)))
        if not isinstance(made, PairCode):
            raise PombalError(Kind.UNAVAILABLE, "the gateway gave no code")
        return made

    async def logout(self) -> None:
        await self._carried(self._ask(commands.Logout()))

    async def probe(self) -> None:
        """The caller sets the deadline, so there is none here."""
        await self._carried(self._conversation.ask(commands.Probe(), float("inf")))

    async def _ask(self, command: Command) -> commands.Result:
        return await self._conversation.ask(command, self._settings.answer_timeout_s)

    async def _carried(self, asked: Awaitable[commands.Result]) -> commands.Result:
        """What was asked for. Raises LinkLost, and PombalError for what the gateway declines."""
        try:
            return await asked
        except GatewayDeclined as declined:
            if declined.kind == LOST:
                raise LinkLost(declined.detail or "the gateway is not connected to WhatsApp") from declined
            kind = Kind(declined.kind) if declined.kind in set(Kind) else Kind.UNAVAILABLE
            raise PombalError(kind, declined.detail or f"the gateway declined: {declined.kind}") from declined


def _media_of(message: Outgoing) -> str | None:
    media: Any = (message.content or {}).get("media")
    return media["sha256"] if media else None
