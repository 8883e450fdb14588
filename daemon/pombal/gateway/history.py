"""WhatsApp's history: what the phone hands to a newly linked device, as messages of origin ``history``. Pure.

Files of old messages are named with their hash and not downloaded: there may be thousands, and WhatsApp's servers keep
most of them no longer.
"""

from collections.abc import Iterator
from typing import Any

from pombal.gateway.addresses import Person, is_chat, parsed, person, server_of
from pombal.gateway.contents import content_of, unwrapped
from pombal.link import base
from pombal.model.message import Direction, Origin
from pombal.model.phone import GROUP_SERVER


def history_told(history: Any) -> Iterator[base.IncomingMessage]:
    """The messages of a waHistorySync.HistorySync, chat by chat, oldest first."""
    names = {address: each.pushname for each in history.pushnames if (address := parsed(each.ID))}
    lids = {
        pn: lid
        for each in history.phoneNumberToLidMappings
        if (pn := parsed(each.pnJID)) and (lid := parsed(each.lidJID))
    }
    pns = {lid: pn for pn, lid in lids.items()}
    for conversation in history.conversations:
        chat = parsed(conversation.ID)
        if chat is None or not is_chat(chat):
            continue
        whole = _completed(person(chat, parsed(conversation.pnJID), parsed(conversation.lidJID)), pns, lids)
        for item in reversed(conversation.messages):
            told = _message(item.message, chat, whole, (pns, lids), names)
            if told is not None:
                yield told


def _completed(whom: Person, pns: dict[str, str], lids: dict[str, str]) -> Person:
    pn = whom.pn or (pns.get(whom.lid) if whom.lid else None)
    lid = whom.lid or (lids.get(whom.pn) if whom.pn else None)
    return Person(pn, lid)


def _message(
    web: Any, chat: str, peer: Person, maps: tuple[dict[str, str], dict[str, str]], names: dict[str, str]
) -> base.IncomingMessage | None:
    if not web.HasField("message") or not web.key.ID:
        return None
    content = content_of(unwrapped(web.message))
    if content is None:
        return None
    is_group, is_from_me = server_of(chat) == GROUP_SERVER, web.key.fromMe
    who = peer
    if is_group:
        who = Person() if is_from_me else _completed(person(parsed(web.participant or web.key.participant)), *maps)
    name = web.pushName or names.get(who.pn or "") or names.get(who.lid or "")
    return base.IncomingMessage(
        link_id=web.key.ID,
        chat_id=chat if is_group else peer.address,
        timestamp_s=web.messageTimestamp,
        message_type=content.message_type,
        text=content.text,
        participant=who.address if is_group and not is_from_me else "",
        contact_number=who.number,
        contact_lid=who.lid,
        contact_name=None if is_from_me else (name or None),
        content=content.content,
        quoted_link_id=content.quoted_link_id,
        direction=Direction.OUTBOUND if is_from_me else Direction.INBOUND,
        origin=Origin.HISTORY,
        offline=True,
    )
