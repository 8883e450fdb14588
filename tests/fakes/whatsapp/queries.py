"""What clients ask the server (``iq``): an answer for each namespace that whatsmeow uses, an empty one for the rest."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from tests.fakes.whatsapp import lookups, pairing
from tests.fakes.whatsapp.companion import Bundle
from tests.fakes.whatsapp.jids import parse
from tests.fakes.whatsapp.media import HOST
from tests.fakes.whatsapp.nodes import Node, child, children, node

if TYPE_CHECKING:
    from tests.fakes.whatsapp.connection import Connection

UNLINKED_CLOSE_S = 2.0

Answer = Callable[["Connection", Node], Awaitable[None]]


async def answer(connection: "Connection", query: Node) -> None:
    inner = children(query)
    name = (query.attrs.get("xmlns", ""), inner[0].tag if inner else "")
    handler = _BY_TAG.get(name) or _BY_NAMESPACE.get(name[0])
    if handler:
        await handler(connection, query)
    else:
        await connection.answer(query)


async def _ping(connection: "Connection", query: Node) -> None:
    companion = connection.companion
    if companion and connection.network.account(companion.person.user).faults.ignore_keepalives:
        return
    await connection.answer(query)


async def _keys(connection: "Connection", query: Node) -> None:
    """The device uploads its own keys, counts them, or fetches others'."""
    companion = connection.companion
    if companion is None:
        await connection.refuse(query, 401, "not-authorized")
    elif child(query, "count"):
        # One is not none: a new device then makes 50 keys and not 812, each a commit to its disk, which takes seconds.
        count = len(companion.bundle.prekeys) if companion.bundle else 1
        await connection.answer(query, [node("count", {"value": count})])
    elif child(query, "list"):
        companion.upload(Bundle.of(query))
        await connection.answer(query)
        connection.network.tell("prekeys", user=companion.person.user)
    elif wanted := child(query, "key"):
        found = [_bundle(connection, user.attrs["jid"]) for user in children(wanted)]
        await connection.answer(query, [node("list", {}, found)])
    else:
        await connection.answer(query)


def _bundle(connection: "Connection", jid: str) -> Node:
    address, person = parse(jid), connection.network.who(jid)
    if person and address.device == 0:
        return person.phone.bundle(jid)
    companion = person.companions.get(address.device) if person else None
    if companion and companion.bundle:
        return companion.bundle.as_node(jid)
    return node("user", {"jid": jid}, [node("error", {"code": 406, "text": "not-acceptable"})])


async def _media_hosts(connection: "Connection", query: Node) -> None:
    await connection.answer(query, [
        node("media_conn", {"auth": "fake", "ttl": 300, "auth_ttl": 21600, "max_buckets": 12}, [
            node("host", {"hostname": HOST})
        ])
    ])  # fmt: skip


async def _privacy(connection: "Connection", query: Node) -> None:
    if query.attrs["type"] == "set":
        await connection.answer(query)
        return
    await connection.answer(query, [node("privacy", {}, [node("category", {"name": "readreceipts", "value": "all"})])])


async def _app_state(connection: "Connection", query: Node) -> None:
    asked = child(query, "sync") or node("sync")
    await connection.answer(query, [
        node("sync", {}, [node("collection", {"name": each.attrs["name"], "version": 0}) for each in children(asked)])
    ])  # fmt: skip


async def _link_code(connection: "Connection", query: Node) -> None:
    request = child(query, "link_code_companion_reg")
    assert request is not None
    await pairing.code_query(connection, query, request)


async def _log_out(connection: "Connection", query: Node) -> None:
    """The device unlinks itself."""
    await connection.answer(query)
    if companion := connection.companion:
        connection.network.remove(companion)
        connection.network.tell("unlinked", user=companion.person.user, device=companion.device)
        connection.network.spawn(_close_later(connection))


async def _close_later(connection: "Connection") -> None:
    """The client means to go by itself; one that is cut off before comes back, and is told 401."""
    await asyncio.sleep(UNLINKED_CLOSE_S)
    await connection.socket.close()


async def _group(connection: "Connection", query: Node) -> None:
    group = connection.network.directory.groups.get(query.attrs.get("to", ""))
    if group is None:
        await connection.refuse(query, 404, "item-not-found")
        return
    members = [
        node("participant", {
            "jid": each.address(group.addressing), "phone_number": each.jid if group.addressing == "lid" else None,
            "lid": each.lid_jid if group.addressing == "pn" else None,
        })
        for each in group.participants
    ]  # fmt: skip
    await connection.answer(query, [node("group", {
        "id": parse(group.jid).user, "subject": group.subject, "creation": 1_700_000_000,
        "addressing_mode": group.addressing, "size": len(members),
    }, members)])  # fmt: skip


_BY_TAG: dict[tuple[str, str], Answer] = {
    ("md", "link_code_companion_reg"): _link_code,
    ("md", "remove-companion-device"): _log_out,
    ("w:g2", "query"): _group,
}
_BY_NAMESPACE: dict[str, Answer] = {
    "w:p": _ping, "encrypt": _keys, "usync": lookups.answer, "w:m": _media_hosts, "privacy": _privacy,
    "w:sync:app:state": _app_state,
}  # fmt: skip
