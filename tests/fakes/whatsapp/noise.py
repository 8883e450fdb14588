"""The server's side of Noise_XX_25519_AESGCM_SHA256, with the chain of certificates that a client checks.

The client knows one root key (32 bytes in its binary, see ``launcher.py``); it signs an intermediate one, and that
signs the static key which the handshake uses.
"""

import hashlib
import struct
import time
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pyaileys.crypto.curve import DefaultCurve25519Provider
from pyaileys.crypto.hkdf import hkdf_sha256

from tests.fakes.whatsapp.proto import P

CURVE = DefaultCurve25519Provider()
DAY_S = 86_400


def nonce(counter: int) -> bytes:
    return bytes(8) + struct.pack(">I", counter)


class Certificates:
    """The root key, and the chain below it."""

    def __init__(self) -> None:
        root, intermediate, self.static = (CURVE.generate_keypair() for _ in range(3))
        self.root_public = root.public
        chain = P.CertChain()
        self._sign(chain.intermediate, root.private, serial=1, issuer=0, key=intermediate.public)
        self._sign(chain.leaf, intermediate.private, serial=2, issuer=1, key=self.static.public)
        self.chain: bytes = chain.SerializeToString()

    @staticmethod
    def _sign(certificate: Any, private: bytes, *, serial: int, issuer: int, key: bytes) -> None:
        now = int(time.time())
        details = P.CertChain.NoiseCertificate.Details(
            serial=serial, issuerSerial=issuer, key=key, notBefore=now - DAY_S, notAfter=now + 365 * DAY_S
        )
        certificate.details = details.SerializeToString()
        certificate.signature = CURVE.sign(private, certificate.details)


class Handshake:
    """The symmetric state of the handshake."""

    def __init__(self, header: bytes) -> None:
        self._hash = self._salt = self._key = b"Noise_XX_25519_AESGCM_SHA256\0\0\0\0"
        self._counter = 0
        self.authenticate(header)

    def authenticate(self, data: bytes) -> None:
        self._hash = hashlib.sha256(self._hash + data).digest()

    def _next(self) -> bytes:
        self._counter += 1
        return nonce(self._counter - 1)

    def encrypt(self, plaintext: bytes) -> bytes:
        ciphertext = AESGCM(self._key).encrypt(self._next(), plaintext, self._hash)
        self.authenticate(ciphertext)
        return ciphertext

    def decrypt(self, ciphertext: bytes) -> bytes:
        plaintext = AESGCM(self._key).decrypt(self._next(), ciphertext, self._hash)
        self.authenticate(ciphertext)
        return plaintext

    def mix(self, secret: bytes) -> None:
        keys = hkdf_sha256(ikm=secret, length=64, salt=self._salt)
        self._salt, self._key, self._counter = keys[:32], keys[32:], 0

    def split(self) -> tuple[bytes, bytes]:
        """The keys of the two directions: what the client writes, what the server writes."""
        keys = hkdf_sha256(ikm=b"", length=64, salt=self._salt)
        return keys[:32], keys[32:]


class Exchange:
    """The three messages of the handshake, bytes in and bytes out."""

    def __init__(self, certificates: Certificates, header: bytes) -> None:
        self._certificates = certificates
        self._state = Handshake(header)
        self._ephemeral = CURVE.generate_keypair()

    def hello(self, client_hello: bytes) -> bytes:
        """The answer to the client's first message."""
        theirs = P.HandshakeMessage.FromString(client_hello).clientHello.ephemeral
        static = self._certificates.static
        answer = P.HandshakeMessage()
        self._state.authenticate(theirs)
        answer.serverHello.ephemeral = self._ephemeral.public
        self._state.authenticate(self._ephemeral.public)
        self._state.mix(CURVE.shared_key(self._ephemeral.private, theirs))
        answer.serverHello.static = self._state.encrypt(static.public)
        self._state.mix(CURVE.shared_key(static.private, theirs))
        answer.serverHello.payload = self._state.encrypt(self._certificates.chain)
        message: bytes = answer.SerializeToString()
        return message

    def finish(self, client_finish: bytes) -> tuple[bytes, Any, bytes, bytes]:
        """From the client's last message: its static key, its ClientPayload, the key to read and the one to write."""
        finish = P.HandshakeMessage.FromString(client_finish).clientFinish
        theirs = self._state.decrypt(finish.static)
        self._state.mix(CURVE.shared_key(self._ephemeral.private, theirs))
        payload = P.ClientPayload.FromString(self._state.decrypt(finish.payload))
        read_key, write_key = self._state.split()
        return theirs, payload, read_key, write_key
