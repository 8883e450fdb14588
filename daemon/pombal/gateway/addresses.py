"""WhatsApp's addresses (JIDs), between neonize's protobufs and the texts that the daemon knows.

A person has two: a phone number (``5511…@s.whatsapp.net``) and, since 2025, a LID (``…@lid``) that hides it. A chat
with a person goes by the phone number wherever it is known, so that both lead to one contact.
"""

from dataclasses import dataclass
from typing import Any

from pombal.model.phone import GROUP_SERVER, LID_SERVER, USER_SERVER

# WhatsApp's other kinds of chats (status updates, channels, bots, hosted numbers) are no conversations of a helpdesk.
CHAT_SERVERS = frozenset({USER_SERVER, LID_SERVER, GROUP_SERVER})
_SPELLED = {"c.us": USER_SERVER, "hosted": USER_SERVER, "hosted.lid": LID_SERVER}


@dataclass(frozen=True, slots=True)
class Person:
    """One person's two addresses, as far as they are known; each as text, without the device."""

    pn: str | None = None
    lid: str | None = None

    @property
    def address(self) -> str:
        """The one to record; empty where none is known."""
        return self.pn or self.lid or ""

    @property
    def number(self) -> str | None:
        """E.164 digits as WhatsApp has them."""
        return None if self.pn is None else self.pn.partition("@")[0]


def address_of(jid: Any) -> str | None:
    """A neonize JID as text, without agent and device; None for an empty one."""
    if jid is None or jid.IsEmpty or not jid.Server:
        return None
    return _joined(jid.User, jid.Server)


def parsed(text: str) -> str | None:
    """A JID in WhatsApp's own text form (``user.agent:device@server``), as address_of gives it; None for no JID."""
    user, at, server = text.partition("@")
    if not at or not user or not server:
        return None
    return _joined(user.partition(":")[0].partition(".")[0], server)


def _joined(user: str, server: str) -> str:
    return f"{user}@{_SPELLED.get(server, server)}"


def server_of(address: str) -> str:
    return address.rpartition("@")[2]


def is_chat(address: str | None) -> bool:
    """Whether it is a person's or a group's: not a status update, a channel, a broadcast list."""
    return address is not None and server_of(address) in CHAT_SERVERS


def person(*addresses: str | None) -> Person:
    """The person behind these addresses, which are all of one; the first of a kind counts."""
    pn = next((each for each in addresses if each and server_of(each) == USER_SERVER), None)
    lid = next((each for each in addresses if each and server_of(each) == LID_SERVER), None)
    return Person(pn, lid)
