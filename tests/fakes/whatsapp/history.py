"""What the phone hands to a newly linked device: chats from before, packed into one message or into a file."""

import time
import zlib
from typing import TYPE_CHECKING, Any

from tests.fakes.whatsapp.companion import Companion
from tests.fakes.whatsapp.nodes import node
from tests.fakes.whatsapp.people import Person
from tests.fakes.whatsapp.phones import new_id
from tests.fakes.whatsapp.proto import P

if TYPE_CHECKING:
    from tests.fakes.whatsapp.network import Network


async def hand_over(
    network: "Network", account: Person, conversations: list[dict[str, Any]], *, inline: bool, recent: bool
) -> None:
    """``conversations``: ``[{"with": number, "messages": [{"id", "text", "from_me", "t"}]}]``.

    The first chunk may lie in the message itself, all others are files.
    """
    kind = P.HistorySync.RECENT if recent else P.HistorySync.INITIAL_BOOTSTRAP
    history = P.HistorySync(syncType=kind, chunkOrder=1, progress=100)
    for conversation in conversations:
        _add(history, network.directory.person(conversation["with"]), conversation["messages"])
    packed = zlib.compress(_sync_type(kind) + history.SerializeToString())
    notification = P.Message.HistorySyncNotification(syncType=kind, chunkOrder=1, progress=100)
    if inline:
        notification.initialHistBootstrapInlinePayload = packed
    else:
        kept = network.media.keep("history", packed, "application/octet-stream")
        for field in ("directPath", "mediaKey", "fileSha256", "fileEncSha256", "fileLength"):
            setattr(notification, field, kept[field])
    for companion in list(account.companions.values()):
        await _send(network, account, companion, notification)


def _sync_type(kind: int) -> bytes:
    """pyaileys leaves out a field that is zero; whatsmeow requires this one."""
    return b"" if kind else b"\x08\x00"


def _add(history: Any, person: Person, messages: list[dict[str, Any]]) -> None:
    conversation = history.conversations.add(id=person.jid, name=person.name)
    history.phoneNumberToLidMappings.add(pnJid=person.jid, lidJid=person.lid_jid)
    for message in messages:
        conversation.messages.add(message=P.WebMessageInfo(
            key=P.MessageKey(remoteJid=person.jid, fromMe=message.get("from_me", False), id=message["id"]),
            message=P.Message(conversation=message["text"]), messageTimestamp=message.get("t") or int(time.time()),
            pushName=person.name,
        ))  # fmt: skip


async def _send(network: "Network", account: Person, companion: Companion, notification: Any) -> None:
    kinds = P.Message.ProtocolMessage
    message = P.Message(
        protocolMessage=kinds(type=kinds.HISTORY_SYNC_NOTIFICATION, historySyncNotification=notification)
    )
    if not await account.phone.knows(companion.jid):
        await account.phone.meet(companion.jid, await companion.take_bundle())
    how, ciphertext = await account.phone.encrypt(companion.jid, message)
    network.enqueue(companion, node("message", {
        "from": account.jid, "id": new_id(), "type": "text", "category": "peer", "t": int(time.time()),
    }, [node("enc", {"v": 2, "type": how}, ciphertext)]))  # fmt: skip
