"""Who is on WhatsApp: every number with its phone, its LID and its linked devices; and the groups they are in."""

from dataclasses import dataclass, field
from typing import Any

from tests.fakes.whatsapp.companion import Companion
from tests.fakes.whatsapp.endpoint import Endpoint
from tests.fakes.whatsapp.jids import GROUP, LID, PHONE, Jid, parse

FIRST_LID = 100_000_000_000_000
OPENED_KEPT = 500


@dataclass
class Person:
    """A number and its phone (device 0), which the fake plays."""

    user: str
    lid: str
    name: str
    phone: Endpoint = field(default_factory=Endpoint)
    companions: dict[int, Companion] = field(default_factory=dict)
    needs_passkey: bool = False
    devices_ever: int = 0
    opened: dict[bytes, Any] = field(default_factory=dict)

    @property
    def jid(self) -> str:
        return str(Jid(self.user, PHONE))

    @property
    def lid_jid(self) -> str:
        return str(Jid(self.lid, LID))

    def address(self, mode: str) -> str:
        """``mode`` is ``pn`` or ``lid``."""
        return self.lid_jid if mode == "lid" else self.jid

    def remember(self, ciphertext_sha256: bytes, message: Any) -> None:
        """Signal opens each ciphertext once; a repeat of the very same is known by this."""
        self.opened[ciphertext_sha256] = message
        if len(self.opened) > OPENED_KEPT:
            del self.opened[next(iter(self.opened))]

    def link(self, noise_key: bytes) -> Companion:
        self.devices_ever += 1
        companion = Companion(self, self.devices_ever, noise_key)
        self.companions[companion.device] = companion
        return companion


@dataclass
class Group:
    jid: str
    subject: str
    participants: list[Person]
    addressing: str = "lid"


class Directory:
    def __init__(self) -> None:
        self.people: dict[str, Person] = {}
        self.groups: dict[str, Group] = {}
        self._by_lid: dict[str, Person] = {}

    def person(self, user: str, *, name: str | None = None, lid: str | None = None) -> Person:
        """The one with this number, who joins WhatsApp by being named."""
        if user not in self.people:
            lid = lid or str(FIRST_LID + len(self.people))
            self.people[user] = self._by_lid[lid] = Person(user, lid, name or f"Peer {user}")
        person = self.people[user]
        person.name = name or person.name
        return person

    def find(self, jid: str) -> Person | None:
        """By phone number or LID, of whatever device."""
        address = parse(jid)
        if address.server == LID:
            return self._by_lid.get(address.user)
        return self.people.get(address.user) if address.server == PHONE else None

    def by_number(self, digits: str) -> Person | None:
        """As a lookup by phone number does it: Brazil's mobiles are found with and without their ninth digit."""
        return self.people.get(digits) or self.people.get(_other_brazilian(digits))

    def group(self, subject: str, users: list[str], *, jid: str | None = None, addressing: str = "lid") -> Group:
        jid = jid or str(Jid(f"1203630{len(self.groups):011}", GROUP))
        self.groups[jid] = Group(jid, subject, [self.person(user) for user in users], addressing)
        return self.groups[jid]


def _other_brazilian(digits: str) -> str:
    if digits.startswith("55") and len(digits) == 13 and digits[4] == "9":
        return digits[:4] + digits[5:]
    if digits.startswith("55") and len(digits) == 12:
        return f"{digits[:4]}9{digits[4:]}"
    return ""
