"""A linked device: what the server knows of it, and what waits for it."""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyaileys.signal.repository import PreKeyBundle, PreKeyBundleKey

from tests.fakes.whatsapp.endpoint import KEY_TYPE
from tests.fakes.whatsapp.jids import LID, PHONE, Jid
from tests.fakes.whatsapp.nodes import Node, child, children, content, node, number

if TYPE_CHECKING:
    from tests.fakes.whatsapp.connection import Connection
    from tests.fakes.whatsapp.people import Person

Key = tuple[str, ...]


@dataclass
class Bundle:
    """The keys that a device has uploaded."""

    registration_id: int
    identity: bytes
    signed: tuple[int, bytes, bytes]
    prekeys: list[tuple[int, bytes]]

    @classmethod
    def of(cls, stanza: Node) -> "Bundle":
        signed = child(stanza, "skey") or node("skey")
        listed = child(stanza, "list")
        return cls(
            number(child(stanza, "registration")), content(child(stanza, "identity")),
            (number(child(signed, "id")), content(child(signed, "value")), content(child(signed, "signature"))),
            [(number(child(key, "id")), content(child(key, "value"))) for key in children(listed or node("list"))],
        )  # fmt: skip

    def take(self) -> PreKeyBundle:
        """For one who wants to write: a one-time key, while there are any, is used up by it."""
        prekey = self.prekeys.pop(0) if self.prekeys else None
        signed_id, signed_value, signature = self.signed
        return PreKeyBundle(
            self.registration_id, KEY_TYPE + self.identity,
            PreKeyBundleKey(signed_id, KEY_TYPE + signed_value, signature),
            PreKeyBundleKey(prekey[0], KEY_TYPE + prekey[1]) if prekey else None,
        )  # fmt: skip

    def as_node(self, jid: str) -> Node:
        """The same as an answer to another device."""
        prekey = self.prekeys.pop(0) if self.prekeys else None
        signed_id, signed_value, signature = self.signed
        keys = [
            node("registration", {}, self.registration_id.to_bytes(4, "big")), node("type", {}, KEY_TYPE),
            node("identity", {}, self.identity),
            node("skey", {}, [
                node("id", {}, signed_id.to_bytes(3, "big")), node("value", {}, signed_value),
                node("signature", {}, signature),
            ]),
        ]  # fmt: skip
        if prekey:
            keys.append(node("key", {}, [node("id", {}, prekey[0].to_bytes(3, "big")), node("value", {}, prekey[1])]))
        return node("user", {"jid": jid}, keys)


@dataclass
class Queue:
    """What the device has not acknowledged, in order: it is written, and after a reconnect written again."""

    pending: dict[int, tuple[Key, Node]] = field(default_factory=dict)
    last: int = 0
    grown: asyncio.Event = field(default_factory=asyncio.Event)
    _numbers: dict[Key, int] = field(default_factory=dict)

    def put(self, key: Key, stanza: Node) -> None:
        self.last += 1
        if (older := self._numbers.pop(key, None)) is not None:
            self.pending.pop(older, None)
        self.pending[self.last] = (key, stanza)
        self._numbers[key] = self.last
        self.grown.set()

    def acknowledge(self, key: Key) -> bool:
        """Whether it was waiting."""
        sequence = self._numbers.pop(key, None)
        return sequence is not None and self.pending.pop(sequence, None) is not None

    @property
    def first(self) -> int:
        return next(iter(self.pending), self.last + 1)


class Companion:
    def __init__(self, person: "Person", device: int, noise_key: bytes) -> None:
        self.person = person
        self.device = device
        self.noise_key = noise_key
        self.queue = Queue()
        self.connection: Connection | None = None
        self.bundle: Bundle | None = None
        self.has_keys = asyncio.Event()
        self.knows_sender_keys: set[tuple[str, str]] = set()

    @property
    def jid(self) -> str:
        return str(Jid(self.person.user, PHONE, self.device))

    @property
    def lid_jid(self) -> str:
        return str(Jid(self.person.lid, LID, self.device))

    def upload(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.has_keys.set()

    async def take_bundle(self) -> PreKeyBundle:
        """Waits until the device has uploaded its keys."""
        await self.has_keys.wait()
        assert self.bundle is not None
        return self.bundle.take()


def key_of(stanza: Node, *, sender: str) -> Key:
    """What an acknowledgement names: class, id, the other side, the participant, and the type of a receipt."""
    kind = "" if stanza.tag == "message" else stanza.attrs.get("type", "")
    return stanza.tag, stanza.attrs["id"], sender, stanza.attrs.get("participant", ""), kind
