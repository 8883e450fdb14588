"""What a linked device sends: acknowledged, opened by the phones, handed on to other devices, answered by receipts."""

import asyncio
import hashlib
import time
from typing import TYPE_CHECKING, Any

from tests.fakes.whatsapp import phones
from tests.fakes.whatsapp.book import Outbound
from tests.fakes.whatsapp.companion import Companion
from tests.fakes.whatsapp.endpoint import Undecryptable
from tests.fakes.whatsapp.jids import parse
from tests.fakes.whatsapp.nodes import Node, child, children, content, node
from tests.fakes.whatsapp.payloads import MEDIA, describe
from tests.fakes.whatsapp.people import Person

if TYPE_CHECKING:
    from tests.fakes.whatsapp.connection import Connection
    from tests.fakes.whatsapp.network import Network

RETRIES_MAX = 4

# (whose phone, what for it)
Parts = list[tuple[str, Node]]


async def message(connection: "Connection", companion: Companion, stanza: Node) -> None:
    network, attrs = connection.network, stanza.attrs
    account = network.account(companion.person.user)
    if attrs.get("category") == "peer":
        await _acknowledge(connection, stanza)
        return
    entry = network.book.stanza(companion.person.user, attrs["id"], attrs["to"])
    if account.faults.refuse_count > 0:
        account.faults.refuse_count -= 1
        entry.refused.append(account.faults.refuse_code)
        network.book.changed()
        await _acknowledge(connection, stanza, error=account.faults.refuse_code)
        return
    if account.faults.silent_count > 0:
        account.faults.silent_count -= 1
    else:
        await _acknowledge(connection, stanza)
    await _deliver(network, companion, stanza, entry)


async def _acknowledge(connection: "Connection", stanza: Node, *, error: int | None = None) -> None:
    await connection.send(node("ack", {
        "class": "message", "id": stanza.attrs["id"], "from": stanza.attrs["to"], "t": int(time.time()), "error": error,
    }))  # fmt: skip


async def _deliver(network: "Network", companion: Companion, stanza: Node, entry: Outbound) -> None:
    for jid, encrypted in _parts(stanza):
        address, person = parse(jid), network.who(jid)
        if person is None:
            network.tell("nobody", jid=jid, id=entry.id)
        elif address.device:
            await _hand_on(network, companion, stanza, person, address.device, encrypted)
        else:
            await _open(network, companion, stanza, person, encrypted, entry)


def _parts(stanza: Node) -> Parts:
    """One for each device; a repeat for one device alone has it directly in the stanza."""
    participants = child(stanza, "participants")
    if participants is None:
        own = child(stanza, "enc")
        return [(stanza.attrs.get("participant", stanza.attrs["to"]), own)] if own else []
    parts = [(to.attrs["jid"], child(to, "enc")) for to in children(participants, "to")]
    return [(jid, encrypted) for jid, encrypted in parts if encrypted]


async def _open(
    network: "Network", companion: Companion, stanza: Node, person: Person, encrypted: Node, entry: Outbound
) -> None:
    """This person's phone reads it, and answers, unless it is the account's own."""
    try:
        opened = await _decrypt(person, companion, stanza, encrypted)
    except Undecryptable as error:
        # What whatsmeow sends and what it receives may overwrite each other's step of a session; phones ask again.
        network.tell("undecryptable", id=entry.id, user=person.user, detail=str(error))
        entry.retries += 1
        if entry.retries <= RETRIES_MAX:
            phones.demand_again(network, companion, person, stanza.attrs["to"], entry.id, count=entry.retries)
        return
    if opened is None or person is companion.person:
        return
    described = describe(opened)
    if network.book.opened(entry, described):
        network.tell(
            "message", user=companion.person.user, id=entry.id, to=person.user, chat=entry.chat, content=described
        )
    if described["type"] in MEDIA and entry.media_verified is None:
        entry.media_verified = await asyncio.to_thread(
            network.media.verify, described["type"], getattr(opened, f"{described['type']}Message")
        )
        network.book.changed()
    phones.answer(network, companion, person, stanza, described)


async def _decrypt(person: Person, companion: Companion, stanza: Node, encrypted: Node) -> Any | None:
    """The Message, or None where it was only the key for one that this phone cannot read."""
    seen = hashlib.sha256(content(encrypted)).digest()
    if known := person.opened.get(seen):
        return known
    opened = await person.phone.decrypt(companion.jid, encrypted.attrs["type"], content(encrypted))
    to = parse(stanza.attrs["to"])
    shared = next((each for each in children(stanza, "enc") if each.attrs.get("type") == "skmsg"), None)
    if to.is_group and opened.HasField("senderKeyDistributionMessage"):
        distribution = opened.senderKeyDistributionMessage.axolotlSenderKeyDistributionMessage
        await person.phone.learn_sender_key(str(to), companion.jid, distribution)
        if shared:
            opened = await person.phone.decrypt_from_group(str(to), companion.jid, content(shared))
    person.remember(seen, opened)
    return opened


async def _hand_on(
    network: "Network", sender: Companion, stanza: Node, person: Person, device: int, encrypted: Node
) -> None:
    """To another linked device, as it is: only that one can open it."""
    companion = person.companions.get(device)
    if companion is None:
        return
    to, attrs = parse(stanza.attrs["to"]), stanza.attrs
    common = {"id": attrs["id"], "type": attrs["type"], "t": int(time.time()), "notify": sender.person.name,
              "edit": attrs.get("edit")}  # fmt: skip
    inner = [encrypted]
    if to.is_group:
        inner += [each for each in children(stanza, "enc") if each.attrs.get("type") == "skmsg"]
        source = {
            "from": str(to),
            "participant": sender.lid_jid,
            "participant_pn": sender.jid,
            "addressing_mode": "lid",
        }
    elif person is sender.person:
        source = {
            "from": sender.lid_jid,
            "recipient": attrs["to"],
            "peer_recipient_pn": attrs.get("peer_recipient_pn", ""),
        }
    else:
        source = {"from": sender.lid_jid, "sender_pn": sender.jid}
    if identity := child(stanza, "device-identity"):
        inner.append(identity)
    network.enqueue(companion, node("message", source | common, inner))


async def again(connection: "Connection", companion: Companion, receipt: Node, message_id: str) -> None:
    """A device could not open a message: whoever wrote it starts a new session and writes it again."""
    write = connection.network.plaintexts.get((companion.person.user, message_id))
    if write is None:
        return
    retry = child(receipt, "retry")
    stanza = await write(companion)
    for encrypted in children(stanza, "enc"):
        encrypted.attrs["count"] = retry.attrs.get("count", "1") if retry else "1"
    connection.network.enqueue(companion, stanza)
