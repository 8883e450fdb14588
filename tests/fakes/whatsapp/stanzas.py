"""Where a stanza of a client goes."""

from typing import TYPE_CHECKING

from tests.fakes.whatsapp import outbound, pairing, queries
from tests.fakes.whatsapp.nodes import Node, child, children, node

if TYPE_CHECKING:
    from tests.fakes.whatsapp.connection import Connection


async def handle(connection: "Connection", stanza: Node) -> None:
    if stanza.tag == "iq":
        await _iq(connection, stanza)
    elif connection.companion is None:
        connection.network.tell("ignored", tag=stanza.tag)
    elif stanza.tag == "message":
        await outbound.message(connection, connection.companion, stanza)
    elif stanza.tag == "receipt":
        await _receipt(connection, stanza)
    elif stanza.tag == "ack":
        _ack(connection, stanza)
    elif stanza.tag in ("presence", "chatstate"):
        connection.network.tell(stanza.tag, **stanza.attrs)


async def _iq(connection: "Connection", stanza: Node) -> None:
    if stanza.attrs.get("type") in ("get", "set"):
        await queries.answer(connection, stanza)
    elif child(stanza, "pair-device-sign"):
        await pairing.signed(connection)
    elif stanza.attrs.get("type") == "error":
        connection.network.tell("client_error", id=stanza.attrs.get("id"))


async def _receipt(connection: "Connection", stanza: Node) -> None:
    """Of whatever type: it says that the device has the message, some say more; the server confirms it."""
    attrs = stanza.attrs
    await connection.send(node("ack", {
        "class": "receipt", "id": attrs["id"], "from": attrs.get("to"), "type": attrs.get("type"),
        "participant": attrs.get("participant"),
    }))  # fmt: skip
    listed = child(stanza, "list")
    ids = [attrs["id"], *(item.attrs["id"] for item in (children(listed, "item") if listed else []))]
    for message_id in ids:
        await _note_receipt(connection, stanza, message_id)
    connection.network.book.changed()


async def _note_receipt(connection: "Connection", stanza: Node, message_id: str) -> None:
    companion = connection.companion
    assert companion is not None
    attrs, network = stanza.attrs, connection.network
    entry = network.book.inbound.get((companion.person.user, message_id))
    kind = attrs.get("type", "")
    companion.queue.acknowledge(("message", message_id, attrs.get("to", ""), attrs.get("participant", ""), ""))
    if entry is None:
        return
    entry.acknowledged += 1
    if kind in ("read", "read-self"):
        entry.read += 1
        network.tell("read", user=companion.person.user, id=message_id)
    elif kind in ("played", "played-self"):
        entry.played += 1
    elif kind == "retry":
        entry.retries += 1
        network.tell("retry_asked", user=companion.person.user, id=message_id)
        network.spawn(outbound.again(connection, companion, stanza, message_id))


def _ack(connection: "Connection", stanza: Node) -> None:
    companion = connection.companion
    assert companion is not None
    attrs, book = stanza.attrs, connection.network.book
    kind = "" if attrs.get("class") == "message" else attrs.get("type", "")
    key = (attrs.get("class", ""), attrs["id"], attrs.get("to", ""), attrs.get("participant", ""), kind)
    companion.queue.acknowledge(key)
    if attrs.get("class") == "receipt":
        book.receipts_acknowledged.add((companion.person.user, attrs["id"], kind))
    elif entry := book.inbound.get((companion.person.user, attrs["id"])):
        entry.acknowledged += 1
    book.changed()
