"""How phones answer what a linked device sent them: receipts by the account's policy, and demands for a repeat."""

import asyncio
import secrets
import time
from typing import TYPE_CHECKING

from tests.fakes.whatsapp.companion import Companion
from tests.fakes.whatsapp.jids import parse
from tests.fakes.whatsapp.nodes import Node, children, node
from tests.fakes.whatsapp.payloads import Content
from tests.fakes.whatsapp.people import Person

if TYPE_CHECKING:
    from tests.fakes.whatsapp.network import Network


def answer(network: "Network", companion: Companion, person: Person, stanza: Node, content: Content) -> None:
    """The receipts that this phone's owner and their habits send."""
    policy = network.account(companion.person.user).receipts
    kinds: list[str | None] = [None] * policy.delivered + ["read"] * policy.read
    kinds += ["played"] * (policy.played and content["type"] == "audio")
    if policy.reorder:
        kinds.reverse()
    for kind in kinds * (2 if policy.double else 1):
        if network.random.random() >= policy.drop_rate:
            receipt = _receipt(person, stanza.attrs["to"], [stanza.attrs["id"]], kind)
            delay_ms = network.random.uniform(*policy.delay_ms)
            if delay_ms:
                network.spawn(_later(network, companion, receipt, delay_ms))
            else:
                _send(network, companion, receipt)


async def _later(network: "Network", companion: Companion, receipt: Node, delay_ms: float) -> None:
    await asyncio.sleep(delay_ms / 1000)
    _send(network, companion, receipt)


def _send(network: "Network", companion: Companion, receipt: Node) -> None:
    if entry := network.book.outbound.get((companion.person.user, receipt.attrs["id"])):
        entry.receipts.append(receipt.attrs.get("type", "delivered"))
    network.enqueue(companion, receipt)


def _receipt(person: Person, chat: str, ids: list[str], kind: str | None) -> Node:
    """``chat`` as the device addressed it: a receipt comes from there, in a group by its member."""
    to = parse(chat)
    rest = [node("list", {}, [node("item", {"id": each}) for each in ids[1:]])] if len(ids) > 1 else None
    return node("receipt", {
        "from": str(to), "participant": person.lid_jid if to.is_group else None, "id": ids[0], "type": kind,
        "t": int(time.time()),
    }, rest)  # fmt: skip


def receipt(
    network: "Network", companion: Companion, person: Person, chat: str, ids: list[str], kind: str | None
) -> None:
    """One by hand; ``kind`` None is *delivered*."""
    _send(network, companion, _receipt(person, chat, ids, kind))


def demand_again(
    network: "Network", companion: Companion, person: Person, chat: str, message_id: str, *, count: int = 1
) -> None:
    """The phone says that it could not read the message, with fresh keys to write it anew."""
    bundle, now = children(person.phone.bundle(chat)), int(time.time())
    network.enqueue(companion, node("receipt", {
        "from": chat, "participant": person.lid_jid if parse(chat).is_group else None, "id": message_id,
        "type": "retry", "t": now,
    }, [
        node("retry", {"count": count, "id": message_id, "t": now, "v": 1}), bundle[0], node("keys", {}, bundle[1:]),
    ]))  # fmt: skip


def new_id() -> str:
    return "3EB0" + secrets.token_hex(9).upper()
