"""``usync``: who has WhatsApp, under which LID, with which devices."""

from typing import TYPE_CHECKING

from tests.fakes.whatsapp.jids import LID, PHONE, Jid, parse
from tests.fakes.whatsapp.nodes import Node, child, children, content, node
from tests.fakes.whatsapp.people import Person

if TYPE_CHECKING:
    from tests.fakes.whatsapp.connection import Connection
    from tests.fakes.whatsapp.network import Network


async def answer(connection: "Connection", query: Node) -> None:
    asked = child(query, "usync") or node("usync")
    wanted = children(child(asked, "query") or node("query"))
    users = children(child(asked, "list") or node("list"), "user")
    found = [_user(connection.network, user, wanted) for user in users]
    connection.network.tell("lookup", kinds=[each.tag for each in wanted], count=len(users))
    await connection.answer(query, [
        node("usync", {key: asked.attrs.get(key, "") for key in ("sid", "mode", "context")}, [
            node("result", {}, [node(each.tag) for each in wanted]), node("list", {}, found),
        ])
    ])  # fmt: skip


def _user(network: "Network", user: Node, wanted: list[Node]) -> Node:
    """By JID as it is; by phone number under the one that WhatsApp knows, Brazil's ninth digit or not."""
    if asked := child(user, "contact"):
        return _by_number(network, content(asked).decode(), wanted)
    jid = user.attrs["jid"]
    person = network.who(jid)
    return node("user", {"jid": jid}, [part for each in wanted if (part := _part(each.tag, person, jid))])


def _by_number(network: "Network", text: str, wanted: list[Node]) -> Node:
    digits = parse(text).user.strip("+")
    person = network.directory.by_number(digits)
    if person is None:
        asked = str(Jid(digits, PHONE))
        return node("user", {"jid": asked, "pn_jid": asked}, [node("contact", {"type": "out"}, text.encode())])
    is_lid = any(each.tag == "contact" and each.attrs.get("addressing_mode") == "lid" for each in wanted)
    parts = [part for each in wanted if (part := _part(each.tag, person, person.jid))]
    jid = person.lid_jid if is_lid else person.jid
    return node("user", {"jid": jid, "pn_jid": person.jid}, [
        node("contact", {"type": "in"}, text.encode()), *parts
    ])  # fmt: skip


def _part(kind: str, person: Person | None, jid: str) -> Node | None:
    if person is None:
        return None
    if kind == "devices":
        devices = [node("device", {"id": 0}), *(
            node("device", {"id": device, "key-index": device}) for device in person.companions
        )]  # fmt: skip
        return node("devices", {}, [node("device-list", {}, devices)])
    if kind == "lid" and parse(jid).server != LID:
        return node("lid", {"val": person.lid_jid})
    return None
