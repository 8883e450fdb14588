"""What the control pipe can ask for: one method a command, its parameters the JSON object's.

An account is named by its phone number (E.164 digits) everywhere.
"""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.fakes.whatsapp import history, inbound, pairing, phones
from tests.fakes.whatsapp.book import Book
from tests.fakes.whatsapp.companion import Companion
from tests.fakes.whatsapp.inbound import Letter
from tests.fakes.whatsapp.media import made_up
from tests.fakes.whatsapp.network import Network
from tests.fakes.whatsapp.nodes import node, stream_error
from tests.fakes.whatsapp.payloads import Content
from tests.fakes.whatsapp.people import Person

Result = dict[str, Any]
LINK_TIMEOUT_S = 60.0


class Commands:
    def __init__(self, network: Network) -> None:
        self._network = network

    # People

    async def person(self, user: str, name: str | None = None, lid: str | None = None) -> Result:
        """This number is on WhatsApp."""
        person = self._network.directory.person(user, name=name, lid=lid)
        return {"user": person.user, "lid": person.lid, "name": person.name}

    async def group(
        self, subject: str, participants: list[str], id: str | None = None, addressing: str = "lid"
    ) -> Result:
        group = self._network.directory.group(subject, participants, jid=id, addressing=addressing)
        return {"id": group.jid}

    async def status(self) -> Result:
        network = self._network
        return {
            "people": {each.user: sorted(each.companions) for each in network.directory.people.values()},
            "online": sorted(each.companion.person.user for each in network.connections if each.companion),
            "connections": len(network.connections),
            "waiting": {user: sum(len(each.queue.pending) for each in network.linked(user))
                        for user in network.directory.people},
        }  # fmt: skip

    # Linking

    async def scan(self, qr: str, user: str) -> Result:
        """The phone scans this QR code."""
        await pairing.scan(self._network, qr, user)
        return {}

    async def enter_code(self, user: str, code: str) -> Result:
        """The phone's owner types the pairing code."""
        await pairing.enter_code(self._network, user, code)
        return {}

    async def linking(
        self, refs: int | None = None, restart_close_s: float | None = None, failure: Result | None = None
    ) -> Result:
        """How new devices are met: how many QR codes they get, how long after 515 the socket closes, a refusal."""
        network = self._network
        network.qr_refs = network.qr_refs if refs is None else refs
        network.restart_close_s = network.restart_close_s if restart_close_s is None else restart_close_s
        network.registration_failure = failure
        return {}

    async def passkey(self, user: str, needed: bool = True) -> Result:
        """Whether this account wants a passkey before it links a device."""
        self._network.directory.person(user).needs_passkey = needed
        return {}

    async def history(
        self, account: str, conversations: list[Result], inline: bool = True, recent: bool = False
    ) -> Result:
        await history.hand_over(self._network, self._person(account), conversations, inline=inline, recent=recent)
        return {}

    # Messages to the account

    async def inbound(
        self, account: str, sender: str, text: str | None = None, content: Content | None = None, id: str | None = None,
        count: int = 1, rate_per_s: float = 0, group: str | None = None, addressing: str = "pn", age_s: int = 0,
        broken: bool = False, heal: bool = True, unavailable: bool = False,
    ) -> Result:  # fmt: skip
        """Someone writes: one message, or ``count`` of them (their texts numbered) at a rate.

        ``broken``: no device can open it; with ``heal``, the second try can be. ``age_s``: how old it is.
        """
        person, account_person = self._network.directory.person(sender), await self._linked(account)
        letter = Letter(
            person, account_person, self._prepared(content or {"type": "text", "text": text or "oi"}),
            id or phones.new_id(), self._network.directory.groups[group] if group else None, addressing=addressing,
            sent_at=int(time.time()) - age_s,
        )  # fmt: skip
        if unavailable:
            inbound.unavailable(self._network, letter)
            return {"ids": [letter.message_id]}
        if count == 1:
            await inbound.write(self._network, letter, broken=broken, heal=heal)
            return {"ids": [letter.message_id]}
        return {"ids": await self._many(letter, count, rate_per_s)}

    async def _many(self, letter: Letter, count: int, rate_per_s: float) -> list[str]:
        loop = asyncio.get_running_loop()
        start, ids = loop.time(), []
        for number in range(count):
            text = f"{letter.content['text']} {number}"
            one = replace(
                letter, message_id=phones.new_id(), content={"type": "text", "text": text}, sent_at=int(time.time())
            )
            await inbound.write(self._network, one)
            ids.append(one.message_id)
            due = start + (number + 1) / rate_per_s if rate_per_s else 0
            await asyncio.sleep(max(0.0, due - loop.time()))
        return ids

    async def device(
        self, account: str, to: str | None = None, group: str | None = None, text: str | None = None,
        content: Content | None = None, id: str | None = None, addressing: str = "pn",
    ) -> Result:  # fmt: skip
        """The account's owner writes on the phone itself."""
        person = await self._linked(account)
        letter = Letter(
            person, person, self._prepared(content or {"type": "text", "text": text or "oi"}), id or phones.new_id(),
            self._network.directory.groups[group] if group else None,
            to=self._network.directory.person(to) if to else None, addressing=addressing,
        )  # fmt: skip
        await inbound.write(self._network, letter)
        return {"ids": [letter.message_id]}

    def _prepared(self, content: Content) -> Content:
        """With its file in the store: ``media`` is ``{"path"}`` or ``{"size_bytes", "seed"}``, and what it is."""
        if "media" not in content:
            return content
        media = content["media"]
        data = (
            Path(media["path"]).read_bytes() if "path" in media else made_up(media["size_bytes"], media.get("seed", 0))
        )
        mime_type = media.get("mime_type", "application/octet-stream")
        return content | {"media": self._network.media.keep(content["type"], data, mime_type, media.get("file_name"))}

    # Receipts and the like

    async def receipts(self, account: str, **policy: Any) -> Result:
        """How phones answer this account: see ``network.Receipts``."""
        if "delay_ms" in policy:
            policy["delay_ms"] = tuple(policy["delay_ms"])
        self._network.account(account).receipts = replace(self._network.account(account).receipts, **policy)
        return {}

    async def receipt(self, account: str, sender: str, ids: list[str], type: str | None = None) -> Result:
        """One by hand, by whoever got the messages: ``type`` null (delivered), ``read`` or ``played``."""
        entry = self._network.book.outbound[account, ids[0]]
        for companion in self._network.linked(account):
            phones.receipt(self._network, companion, self._network.directory.person(sender), entry.chat, ids, type)
        return {}

    async def demand_again(self, account: str, sender: str, id: str) -> Result:
        """The peer's phone could not read a message that the account sent."""
        entry = self._network.book.outbound[account, id]
        for companion in self._network.linked(account):
            phones.demand_again(self._network, companion, self._network.directory.person(sender), entry.chat, id)
        return {}

    # Faults

    async def nack(self, account: str, code: int, count: int = 1) -> Result:
        """The server refuses the next sends with this error (463: restricted)."""
        faults = self._network.account(account).faults
        faults.refuse_code, faults.refuse_count = code, count
        return {}

    async def silence(self, account: str, count: int) -> Result:
        """The next sends are delivered and not acknowledged."""
        self._network.account(account).faults.silent_count = count
        return {}

    async def fail_logins(self, account: str, failure: Result | None) -> Result:
        """From now on its devices are refused: ``{"reason": 402, "code": 101, "expire": 3600}``; null: no more."""
        self._network.account(account).faults.failure = failure
        return {}

    async def stream_error(self, account: str, code: int | None = None, conflict: str | None = None) -> Result:
        inner = node("conflict", {"type": conflict}) if conflict else None
        for connection in self._network.online(account):
            self._network.spawn(connection.end(stream_error(code, inner)))
        return {}

    async def remove_device(self, account: str) -> Result:
        """The account's owner unlinks the device on the phone."""
        for companion in self._network.linked(account):
            self._network.remove(companion)
        return await self.stream_error(account, 401, "device_removed")

    async def cut(self, account: str) -> Result:
        """Its connections break, without a goodbye."""
        for connection in self._network.online(account):
            connection.cut()
        return {}

    async def stall(self, account: str, stalled: bool = True) -> Result:
        """Its connections stay open, and nothing comes from them."""
        for connection in self._network.online(account):
            connection.stall(stalled)
        return {}

    async def keepalives(self, account: str, answered: bool) -> Result:
        self._network.account(account).faults.ignore_keepalives = not answered
        return {}

    async def network(self, up: bool) -> Result:
        """The whole network, as the proxy shows it."""
        self._network.proxy.set_up(up)
        return {}

    async def media_store(self, broken: bool) -> Result:
        self._network.media.broken = broken
        return {"requests": self._network.media.requests}

    # The book

    async def book(self, account: str) -> Result:
        return self._network.book.pages(account)

    async def counts(self, account: str) -> Result:
        return self._network.book.counts(account)

    async def receipt_state(self, account: str, id: str) -> Result:
        """Which receipts of a message the device has acknowledged: those do not come again."""
        kinds = [kind for user, each, kind in self._network.book.receipts_acknowledged if (user, each) == (account, id)]
        return {"acknowledged": bool(kinds), "kinds": sorted(kinds)}

    async def wait(self, account: str, timeout_s: float = 60.0, **at_least: int) -> Result:
        """Until the account's counts (``received``, ``acknowledged``, ``read``, ``online``…) are at least so much."""
        async with asyncio.timeout(timeout_s):
            await self._network.book.until(lambda: self._reached(account, at_least))
        return self._counts(account)

    def _counts(self, account: str) -> dict[str, int]:
        book: Book = self._network.book
        return book.counts(account) | {"online": len(self._network.online(account))}

    def _reached(self, account: str, at_least: dict[str, int]) -> bool:
        counts = self._counts(account)
        return all(counts[name] >= wanted for name, wanted in at_least.items())

    def _person(self, user: str) -> Person:
        return self._network.directory.people[user]

    async def _linked(self, user: str) -> Person:
        """The account, once a device of it has uploaded its keys."""
        person = self._network.directory.person(user)
        async with asyncio.timeout(LINK_TIMEOUT_S):
            for companion in _all(person):
                await companion.has_keys.wait()
        return person


def _all(person: Person) -> list[Companion]:
    return list(person.companions.values())
