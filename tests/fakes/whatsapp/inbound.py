"""What people write to a linked account, from their own phones or from the account's."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.fakes.whatsapp.book import Inbound
from tests.fakes.whatsapp.companion import Companion
from tests.fakes.whatsapp.nodes import Node, node
from tests.fakes.whatsapp.payloads import MEDIA, Content, build, describe, edit_attribute, stanza_type
from tests.fakes.whatsapp.people import Group, Person
from tests.fakes.whatsapp.proto import P

if TYPE_CHECKING:
    from tests.fakes.whatsapp.network import Network

REMEMBERED = 2_000


@dataclass
class Letter:
    """One message on its way: from a person, in their own name or as the account's phone (``is_own``)."""

    sender: Person
    account: Person
    content: Content
    message_id: str
    group: Group | None = None
    to: Person | None = None
    addressing: str = "pn"
    sent_at: int = 0

    @property
    def is_own(self) -> bool:
        return self.sender is self.account

    @property
    def chat(self) -> str:
        if self.group:
            return self.group.jid
        return self.to.address(self.addressing) if self.to else self.sender.address(self.addressing)

    def envelope(self) -> dict[str, Any]:
        """The attributes that say who writes where."""
        common = {
            "id": self.message_id, "type": stanza_type(self.content), "t": self.sent_at or int(time.time()),
            "notify": self.sender.name, "edit": edit_attribute(self.content),
        }  # fmt: skip
        if self.group:
            mode = self.group.addressing
            alternative = "participant_pn" if mode == "lid" else "participant_lid"
            return common | {
                "from": self.group.jid, "participant": self.sender.address(mode), "addressing_mode": mode,
                alternative: self.sender.address("pn" if mode == "lid" else "lid"),
            }  # fmt: skip
        other = "pn" if self.addressing == "lid" else "lid"
        if self.to:
            recipient = {"recipient": self.chat, f"peer_recipient_{other}": self.to.address(other)}
            return common | recipient | {"from": self.account.jid}
        return common | {"from": self.chat, f"sender_{other}": self.sender.address(other)}


async def write(network: "Network", letter: Letter, *, broken: bool = False, heal: bool = True) -> None:
    """To every device of the account, in the order in which this is called."""
    message = build(letter.content, letter.chat)
    entry = Inbound(letter.message_id, letter.account.user, letter.chat, letter.sender.user, describe(message))
    network.book.wrote(entry)
    if letter.to:
        message = P.Message(deviceSentMessage=P.Message.DeviceSentMessage(destinationJid=letter.chat, message=message))
    for companion in list(letter.account.companions.values()):
        stanza = await _seal(letter, message, companion)
        if broken:
            _spoil(stanza)
        entry.written += 1
        network.enqueue(companion, stanza)
    if heal:
        _remember(network, letter, message)


def unavailable(network: "Network", letter: Letter) -> None:
    """A message that only the phone may see, as those to be viewed once."""
    network.book.wrote(Inbound(letter.message_id, letter.account.user, letter.chat, letter.sender.user, letter.content))
    for companion in letter.account.companions.values():
        network.enqueue(companion, node("message", letter.envelope(), [node("unavailable", {"type": "view_once"})]))


async def _seal(letter: Letter, message: Any, companion: Companion) -> Node:
    sender, kind = letter.sender.phone, letter.content["type"]
    mediatype = kind if kind in MEDIA else None
    if not await sender.knows(companion.jid):
        await sender.meet(companion.jid, await companion.take_bundle())
    if letter.group is None:
        how, ciphertext = await sender.encrypt(companion.jid, message)
        sealed = [node("enc", {"v": 2, "type": how, "mediatype": mediatype}, ciphertext)]
        return node("message", letter.envelope(), sealed)
    shared, distribution = await sender.encrypt_to_group(letter.group.jid, letter.sender.jid, message)
    sealed = [node("enc", {"v": 2, "type": "skmsg", "mediatype": mediatype}, shared)]
    known = (letter.group.jid, letter.sender.user)
    if known not in companion.knows_sender_keys:
        key = P.Message(senderKeyDistributionMessage=P.Message.SenderKeyDistributionMessage(
            groupId=letter.group.jid, axolotlSenderKeyDistributionMessage=distribution
        ))  # fmt: skip
        how, ciphertext = await sender.encrypt(companion.jid, key)
        sealed.insert(0, node("enc", {"v": 2, "type": how}, ciphertext))
        companion.knows_sender_keys.add(known)
    return node("message", letter.envelope(), sealed)


def _spoil(stanza: Node) -> None:
    """A bit falls over in each ciphertext."""
    for sealed in stanza.content if isinstance(stanza.content, list) else []:
        if isinstance(sealed.content, bytes):
            sealed.content = sealed.content[:-1] + bytes([sealed.content[-1] ^ 1])


def _remember(network: "Network", letter: Letter, message: Any) -> None:
    """For a device that asks again: with a new session, and the sender's key in a group."""

    async def again(companion: Companion) -> Node:
        companion.knows_sender_keys.discard((letter.group.jid if letter.group else "", letter.sender.user))
        await letter.sender.phone.meet(companion.jid, await companion.take_bundle())
        return await _seal(letter, message, companion)

    network.plaintexts[letter.account.user, letter.message_id] = again
    if len(network.plaintexts) > REMEMBERED:
        del network.plaintexts[next(iter(network.plaintexts))]
