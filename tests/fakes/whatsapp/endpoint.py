"""One device's end of Signal: a phone that the fake owns.

Remote devices are addressed by their phone number's JID, whatever a stanza calls them: there is one session with each.
pyaileys keeps one session a device; libsignal keeps the older ones too, since both sides may start one at once, and so
do we.
"""

from typing import Any

from pyaileys.auth.creds import KeyPair
from pyaileys.auth.utils import init_auth_creds
from pyaileys.messages.wa_message import decode_wa_message_bytes, encode_wa_message_bytes
from pyaileys.signal.repository import PreKeyBundle, SignalRepository

from tests.fakes.whatsapp.nodes import Node, node
from tests.fakes.whatsapp.noise import CURVE
from tests.fakes.whatsapp.proto import P

KEY_TYPE = b"\x05"
OLD_SESSIONS = 10


class Undecryptable(Exception):
    """No session, old or new, opens it."""


class _Keys:
    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Any] = {}

    async def get(self, kind: str, ids: list[str]) -> dict[str, Any]:
        return {each: self.kept.get((kind, each)) for each in ids}

    async def set(self, data: dict[str, dict[str, Any]]) -> None:
        for kind, items in data.items():
            self.kept.update({(kind, each): value for each, value in items.items()})


class _Auth:
    def __init__(self) -> None:
        self.creds = init_auth_creds()
        self.keys = _Keys()


class Endpoint:
    def __init__(self) -> None:
        self._auth = _Auth()
        self._signal = SignalRepository(self._auth)  # type: ignore[arg-type]
        self._old: dict[str, list[bytes]] = {}
        self._next_prekey = 1

    @property
    def identity(self) -> KeyPair:
        return self._auth.creds.signed_identity_key

    def bundle(self, jid: str) -> Node:
        """What a server hands out to whoever wants to write to this device; a one-time key each time."""
        creds, key = self._auth.creds, CURVE.generate_keypair()
        key_id, self._next_prekey = self._next_prekey, self._next_prekey + 1
        self._auth.keys.kept["pre-key", str(key_id)] = {"public": key.public, "private": key.private}
        return node("user", {"jid": jid}, [
            node("registration", {}, creds.registration_id.to_bytes(4, "big")), *self._key_nodes(key_id, key.public)
        ])  # fmt: skip

    def _key_nodes(self, key_id: int, public: bytes) -> list[Node]:
        signed = self._auth.creds.signed_pre_key
        return [
            node("type", {}, KEY_TYPE),
            node("identity", {}, self.identity.public),
            node("skey", {}, [
                node("id", {}, signed.key_id.to_bytes(3, "big")),
                node("value", {}, signed.key_pair.public),
                node("signature", {}, signed.signature),
            ]),
            node("key", {}, [node("id", {}, key_id.to_bytes(3, "big")), node("value", {}, public)]),
        ]  # fmt: skip

    async def knows(self, remote: str) -> bool:
        return await self._signal.validate_session(remote)

    async def meet(self, remote: str, bundle: PreKeyBundle) -> None:
        """Start a session from the other's bundle; the one before, if any, still opens what is under way."""
        self._set_aside(remote)
        await self._signal.inject_outgoing_session(remote, bundle)

    async def encrypt(self, remote: str, message: Any) -> tuple[str, bytes]:
        """``(pkmsg | msg, ciphertext)``."""
        data = encode_wa_message_bytes(message.SerializeToString())
        return await self._signal.encrypt_message(remote, data=data)

    async def decrypt(self, remote: str, kind: str, ciphertext: bytes) -> Any:
        """The Message. Raises Undecryptable."""
        if kind == "skmsg":
            raise ValueError("a group's message has its own way")
        session = self._session_key(remote)
        before = self._auth.keys.kept.get(session)
        try:
            plaintext = await self._signal.decrypt_message(remote, message_type=kind, ciphertext=ciphertext)
        except Exception as error:  # pyaileys raises all kinds
            plaintext = await self._decrypt_with_older(remote, kind, ciphertext, error)
        if before and not _same_session(before, self._auth.keys.kept[session]):
            self._keep(session[1], before)
        return P.Message.FromString(decode_wa_message_bytes(plaintext))

    async def _decrypt_with_older(self, remote: str, kind: str, ciphertext: bytes, error: Exception) -> bytes:
        session = self._session_key(remote)
        before = self._auth.keys.kept.get(session)
        for older in reversed(self._old.get(session[1], [])):
            self._auth.keys.kept[session] = older
            try:
                plaintext = await self._signal.decrypt_message(remote, message_type=kind, ciphertext=ciphertext)
            except Exception:  # the next one then
                continue
            self._old[session[1]].remove(older)
            return plaintext
        self._auth.keys.kept[session] = before
        raise Undecryptable(str(error)) from error

    async def encrypt_to_group(self, group: str, me: str, message: Any) -> tuple[bytes, bytes]:
        """``(ciphertext, what tells the members the sender's key)``."""
        data = encode_wa_message_bytes(message.SerializeToString())
        return await self._signal.encrypt_group_message(group_jid=group, me_jid=me, data=data)

    async def learn_sender_key(self, group: str, author: str, distribution: bytes) -> None:
        await self._signal.process_sender_key_distribution_message(
            group, author_jid=author, distribution_bytes=distribution
        )

    async def decrypt_from_group(self, group: str, author: str, ciphertext: bytes) -> Any:
        try:
            plaintext = await self._signal.decrypt_group_message(
                group_jid=group, author_jid=author, ciphertext=ciphertext
            )
        except Exception as error:
            raise Undecryptable(str(error)) from error
        return P.Message.FromString(decode_wa_message_bytes(plaintext))

    def _session_key(self, remote: str) -> tuple[str, str]:
        return "session", str(self._signal.jid_to_address(remote))

    def _set_aside(self, remote: str) -> None:
        session = self._session_key(remote)
        if current := self._auth.keys.kept.pop(session, None):
            self._keep(session[1], current)

    def _keep(self, address: str, record: bytes) -> None:
        self._old[address] = [*self._old.get(address, []), record][-OLD_SESSIONS:]


def _same_session(one: bytes, other: bytes) -> bool:
    first, second = (P.RecordStructure.FromString(each).currentSession for each in (one, other))
    return bool(first.aliceBaseKey == second.aliceBaseKey)
