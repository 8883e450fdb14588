"""Linking a device: the phone scans its QR code, or its owner types the code that it shows.

The second way is whatsmeow's ``pair-code.go`` seen from the phone: the code is a password around the ephemeral keys.
"""

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pyaileys.auth.creds import KeyPair
from pyaileys.crypto.hkdf import hkdf_sha256, hmac_sha256

from tests.fakes.whatsapp.nodes import SERVER, Node, child, content, node, stream_error
from tests.fakes.whatsapp.noise import CURVE
from tests.fakes.whatsapp.people import Person
from tests.fakes.whatsapp.proto import P

if TYPE_CHECKING:
    from tests.fakes.whatsapp.connection import Connection
    from tests.fakes.whatsapp.network import Network

ACCOUNT_SIGNATURE = b"\x06\x00"
ROUNDS = 2 << 16
PASSKEY_OPTIONS = (
    b'{"challenge":"ZmFrZQ","rpId":"whatsapp.com","allowCredentials":[],"userVerification":"required","timeout":60000}'
)


@dataclass
class CodePairing:
    """A code that a device asked for: its wrapped key, and once the phone's owner typed, the phone's own."""

    connection: "Connection"
    ref: str
    wrapped_key: bytes
    ephemeral: KeyPair | None = None
    shared: bytes = b""


async def scan(network: "Network", qr: str, user: str) -> None:
    """The phone of this number scans the code. Raises KeyError for a code that nobody shows any more."""
    ref, _noise, identity, secret = qr.rpartition("#")[2].split(",")[:4]
    person, connection = network.directory.person(user), network.refs[ref]
    if person.needs_passkey:
        await _challenge(connection)
        return
    await _link(connection, person, base64.b64decode(identity), base64.b64decode(secret))


async def _challenge(connection: "Connection") -> None:
    await connection.send(node("notification", {
        "from": SERVER, "type": "passkey_prologue_request", "id": secrets.token_hex(8), "t": int(time.time()),
    }, [node("passkey_request_options", {}, PASSKEY_OPTIONS)]))  # fmt: skip
    connection.network.tell("passkey_asked")


async def _link(connection: "Connection", person: Person, identity: bytes, secret: bytes) -> None:
    """Sign the device's identity with the phone's, under the secret that only the two share."""
    signer = person.phone.identity
    details = P.ADVDeviceIdentity(
        rawId=secrets.randbelow(2**31), timestamp=int(time.time()), keyIndex=person.devices_ever + 1
    ).SerializeToString()
    signed = P.ADVSignedDeviceIdentity(
        details=details, accountSignatureKey=signer.public,
        accountSignature=CURVE.sign(signer.private, ACCOUNT_SIGNATURE + details + identity),
    ).SerializeToString()  # fmt: skip
    sealed = P.ADVSignedDeviceIdentityHMAC(details=signed, hmac=hmac_sha256(secret, signed)).SerializeToString()
    companion = connection.pairing = person.link(connection.noise_key)
    await connection.send(node("iq", {"from": SERVER, "type": "set", "id": "pair-2", "t": int(time.time())}, [
        node("pair-success", {}, [
            node("device-identity", {}, sealed), node("device", {"jid": companion.jid, "lid": companion.lid_jid}),
            node("platform", {"name": "android"}),
        ])
    ]))  # fmt: skip


async def code_query(connection: "Connection", query: Node, request: Node) -> None:
    """The device asks for a code (``companion_hello``), or answers to the typed one (``companion_finish``)."""
    network, user = connection.network, request.attrs["jid"].partition("@")[0]
    stage = request.attrs.get("stage")
    if stage == "companion_hello":
        ref = "3@" + secrets.token_urlsafe(16)
        wrapped = content(child(request, "link_code_pairing_wrapped_companion_ephemeral_pub"))
        network.code_pairings[user] = CodePairing(connection, ref, wrapped)
        await connection.answer(query, [
            node("link_code_companion_reg", {"stage": stage}, [node("link_code_pairing_ref", {}, ref.encode())])
        ])  # fmt: skip
        network.tell("code_requested", user=user)
    else:
        await connection.answer(query)
        await _finish(network, user, request)


async def enter_code(network: "Network", user: str, code: str) -> None:
    """The phone's owner types the code. Raises KeyError where no device asked for one."""
    pairing, person = network.code_pairings[user], network.directory.person(user)
    password = code.replace("-", "").encode()
    theirs = _wrap(pairing.wrapped_key[48:80], password, pairing.wrapped_key[:32], pairing.wrapped_key[32:48])
    pairing.ephemeral = CURVE.generate_keypair()
    pairing.shared = CURVE.shared_key(pairing.ephemeral.private, theirs)
    salt, iv = secrets.token_bytes(32), secrets.token_bytes(16)
    ours = salt + iv + _wrap(pairing.ephemeral.public, password, salt, iv)
    await pairing.connection.send(node("notification", {
        "from": SERVER, "type": "link_code_companion_reg", "id": secrets.token_hex(8), "t": int(time.time()),
    }, [node("link_code_companion_reg", {"stage": "primary_hello"}, [
        node("link_code_pairing_wrapped_primary_ephemeral_pub", {}, ours),
        node("primary_identity_pub", {}, person.phone.identity.public),
        node("link_code_pairing_ref", {}, pairing.ref.encode()),
    ])]))  # fmt: skip


def _wrap(key: bytes, password: bytes, salt: bytes, iv: bytes) -> bytes:
    """AES-CTR is its own inverse: wraps and unwraps."""
    secret = hashlib.pbkdf2_hmac("sha256", password, salt, ROUNDS, 32)
    encryptor = Cipher(algorithms.AES(secret), modes.CTR(iv)).encryptor()
    return encryptor.update(key) + encryptor.finalize()


async def _finish(network: "Network", user: str, request: Node) -> None:
    pairing, person = network.code_pairings.pop(user), network.directory.person(user)
    bundle = content(child(request, "link_code_pairing_wrapped_key_bundle"))
    salt, iv, sealed = bundle[:32], bundle[32:44], bundle[44:]
    key = hkdf_sha256(ikm=pairing.shared, length=32, salt=salt, info=b"link_code_pairing_key_bundle_encryption_key")
    try:
        opened = AESGCM(key).decrypt(iv, sealed, None)
    except InvalidTag:
        network.tell("code_wrong", user=user)
        return
    identity, random = opened[:32], opened[64:96]
    common = CURVE.shared_key(person.phone.identity.private, identity)
    secret = hkdf_sha256(ikm=pairing.shared + common + random, length=32, salt=b"", info=b"adv_secret")
    await _link(pairing.connection, person, identity, secret)


async def signed(connection: "Connection") -> None:
    """The device has countersigned: it is linked, and is to come back as what it is now (stream error 515)."""
    network, companion = connection.network, connection.pairing
    if companion is None:
        return
    network.tell("paired", user=companion.person.user, device=companion.device)
    network.spawn(connection.end(stream_error(515), within_s=network.restart_close_s))
