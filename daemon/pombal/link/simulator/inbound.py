"""What people write to an account: injected by a test or a person, or by themselves at some rate."""

from functools import partial
from typing import Any

import trio

from pombal.link.base import IncomingMessage
from pombal.link.simulator import behaviour, people
from pombal.link.simulator.account import KEPT_MAX, UNACKNOWLEDGED_MAX, Account, Parcel
from pombal.link.simulator.durable import Durable
from pombal.link.simulator.engine import Engine
from pombal.link.simulator.people import Person
from pombal.model.errors import Kind, PombalError, invalid
from pombal.model.message import MessageType
from pombal.model.phone import GROUP_SERVER, LID_SERVER, Recipient, parse_recipient

# People who write faster than this machine turns are made up for no further back than this, in so large steps.
_LATEST_S = 1.0
_TURN_MAX = 500


class Inbound:
    """Makes messages, has them kept, and hands them over."""

    def __init__(self, engine: Engine, durable: Durable | None) -> None:
        self._engine = engine
        self._durable = durable

    async def inject(
        self, account: Account, from_: str, text: str | None, message_type: MessageType, count: int
    ) -> list[str]:
        """Count messages from one sender, with small talk where there is no text. Returns their link_ids once kept.

        Raises PombalError: invalid for a sender or count that cannot be, unavailable beyond what may wait.
        """
        if not 1 <= count <= KEPT_MAX:
            raise invalid(f"count is {count}; inject 1 to {KEPT_MAX} messages at a time")
        if account.load + count > KEPT_MAX:
            raise PombalError(
                Kind.UNAVAILABLE,
                f"{account.name} has {account.load} messages waiting, and {KEPT_MAX} may; inject fewer, or later",
            )
        sender = parse_recipient(from_)
        messages = [self._message(account, sender, message_type, text) for _ in range(count)]
        if (kept := self._write(account, messages)) is not None:
            await kept.wait()
        return [message.link_id for message in messages]

    def flow(self, account: Account) -> None:
        """People write by themselves, if they are set to: from the first time online, and on once there is room."""
        rate = account.profile.inbound_rate
        if rate and account.inbound_timer is None and self._has_room(account):
            self._schedule(account, trio.current_time() + behaviour.gap_s(rate, account.dice("inbound")))

    def stop(self, account: Account) -> None:
        if account.inbound_timer is not None:
            account.inbound_timer.cancel()
            account.inbound_timer = None

    def _schedule(self, account: Account, due_s: float) -> None:
        delay_ms = (due_s - trio.current_time()) * 1000
        account.inbound_timer = self._engine.after_ms(delay_ms, partial(self._arrive, account, due_s))

    def _arrive(self, account: Account, due_s: float) -> None:
        """Everything that is due; without room the flow ends here, until an acknowledgement makes some."""
        account.inbound_timer = None
        dice, profile = account.dice("inbound"), account.profile
        now_s = trio.current_time()
        due_s = max(due_s, now_s - _LATEST_S)
        room = min(_TURN_MAX, UNACKNOWLEDGED_MAX - account.waiting)
        messages: list[IncomingMessage] = []
        while due_s <= now_s and len(messages) < room and profile.inbound_rate and account.is_paired:
            messages.append(self._spontaneous(account))
            due_s += behaviour.gap_s(profile.inbound_rate, dice)
        if messages:
            self._write(account, messages)
        if profile.inbound_rate and account.is_paired and self._has_room(account):
            self._schedule(account, due_s)

    @staticmethod
    def _has_room(account: Account) -> bool:
        return account.waiting < UNACKNOWLEDGED_MAX

    def _spontaneous(self, account: Account) -> IncomingMessage:
        writer = people.person(
            account.profile.seed, account.name, account.dice("inbound").below(account.profile.contacts)
        )
        return self._message(account, Recipient(writer.chat_id, writer.number), MessageType.TEXT, None, writer)

    def _message(
        self,
        account: Account,
        chat: Recipient,
        message_type: MessageType,
        text: str | None,
        writer: Person | None = None,
    ) -> IncomingMessage:
        account.arrivals += 1
        writer = writer or _writer_in(account, chat)
        dice = account.dice("inbound")
        if text is None and message_type == MessageType.TEXT:
            text = people.small_talk(dice)
        return IncomingMessage(
            link_id=self._link_id(account),
            chat_id=chat.chat_id,
            timestamp_s=self._engine.whatsapp_s,
            message_type=message_type,
            text=text,
            participant=writer.chat_id if chat.chat_id.endswith(GROUP_SERVER) else "",
            contact_number=writer.number or None,
            contact_lid=writer.lid if writer.number else chat.chat_id,
            contact_name=writer.name,
            content=_content(account, message_type, writer),
            offline=not account.is_online,
        )

    def _link_id(self, account: Account) -> str:
        """The network's start is part of it: what is written after a restart must not look like what came before."""
        seed = account.profile.seed
        return behaviour.message_id(seed, account.name, self._engine.started.wall_ms, account.arrivals)

    def _write(self, account: Account, messages: list[IncomingMessage]) -> trio.Event | None:
        """Keep first, then hand over; the event is set when they are kept (None: they are)."""
        first = account.arrivals - len(messages) + 1
        numbered = list(enumerate(messages, first))
        parcels = [parcel for arrival, message in numbered for parcel in self._parcels(account, arrival, message)]
        if self._durable is None:
            account.keep(parcels)
            return None
        account.landing += len(parcels)
        land = partial(self._land, account, parcels)
        return self._durable.inbound(account.session_id, numbered, self._engine.whatsapp_ms, land)

    def _land(self, account: Account, parcels: list[Parcel]) -> None:
        account.landing -= len(parcels)
        account.keep(parcels)

    def _parcels(self, account: Account, arrival: int, message: IncomingMessage) -> list[Parcel]:
        copies = 2 if account.dice("inbound").chance(account.profile.duplicate_rate) else 1
        return [Parcel(message, arrival) for _ in range(copies)]


def _writer_in(account: Account, chat: Recipient) -> Person:
    """Who writes: whoever has the number; in a group one of its members; behind a LID somebody without a number."""
    if chat.contact_number is not None:
        return Person(chat.contact_number, people.person("name of", chat.contact_number).name)
    if chat.chat_id.endswith(LID_SERVER):
        return Person("", people.person("name of", chat.chat_id).name)
    return people.person(account.profile.seed, account.name, account.dice("inbound").below(account.profile.contacts))


def _content(account: Account, message_type: MessageType, writer: Person) -> dict[str, Any] | None:
    """What is neither text nor the same for every type. Files have none: this network carries no bytes."""
    if message_type == MessageType.TEXT:
        return None
    dice = behaviour.Dice(account.profile.seed, account.arrivals)
    if message_type == MessageType.LOCATION:
        place = {"latitude": round(-33 + 30 * dice.share(), 6), "longitude": round(-57 + 20 * dice.share(), 6)}
        return {"location": place | {"name": "Padaria São José", "address": None}}
    if message_type == MessageType.CONTACT:
        friend = people.person("friend of", writer.number)
        return {"contact": {"name": friend.name, "number": friend.number, "vcard": None}}
    if message_type == MessageType.REACTION:
        return {"reaction": {"message_id": behaviour.message_id("reaction to", dice.bits()), "emoji": "👍"}}
    return None
