"""WhatsApp's store of files: encrypted by the sender, kept under a path, served over HTTPS.

``keep`` makes what a peer sends; ``verify`` opens what a linked device uploaded.
"""

import asyncio
import hashlib
import hmac
import json
import random
import secrets
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from pyaileys.crypto.hkdf import hkdf_sha256

HOST = "mmg.whatsapp.net"
MAC_BYTES = 10
CHUNK_BYTES = 1 << 18
KINDS = {
    "image": b"WhatsApp Image Keys", "sticker": b"WhatsApp Image Keys", "video": b"WhatsApp Video Keys",
    "audio": b"WhatsApp Audio Keys", "document": b"WhatsApp Document Keys", "history": b"WhatsApp History Keys",
}  # fmt: skip


class MediaStore:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._server: asyncio.Server | None = None
        self.port = 0
        self.requests: dict[str, int] = {}
        self.broken = False

    async def start(self, context: ssl.SSLContext) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    def keep(self, kind: str, plaintext: bytes, mime_type: str, file_name: str | None = None) -> dict[str, Any]:
        """Encrypt and keep it; the fields of its message."""
        key = secrets.token_bytes(32)
        iv, cipher_key, mac_key = _keys(key, kind)
        padder = padding.PKCS7(128).padder()
        encryptor = Cipher(algorithms.AES(cipher_key), modes.CBC(iv)).encryptor()
        data = encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()
        data += hmac.digest(mac_key, iv + data, "sha256")[:MAC_BYTES]
        name = secrets.token_hex(16)
        (self._directory / name).write_bytes(data)
        path = f"/v/{name}?ccb=11-4"
        return {
            "url": f"https://{HOST}{path}", "directPath": path, "mediaKey": key, "mimetype": mime_type,
            "fileSha256": hashlib.sha256(plaintext).digest(), "fileEncSha256": hashlib.sha256(data).digest(),
            "fileLength": len(plaintext), "file_name": file_name,
        }  # fmt: skip

    def verify(self, kind: str, part: Any) -> bool:
        """Whether the file of a received message is there, opens, and is what the message says it is."""
        path = self._directory / part.directPath.partition("?")[0].removeprefix("/v/")
        if not path.is_file():
            return False
        data = path.read_bytes()
        iv, cipher_key, mac_key = _keys(part.mediaKey, kind)
        sealed, mac = data[:-MAC_BYTES], data[-MAC_BYTES:]
        if hmac.digest(mac_key, iv + sealed, "sha256")[:MAC_BYTES] != mac:
            return False
        decryptor = Cipher(algorithms.AES(cipher_key), modes.CBC(iv)).decryptor()
        unpadder = padding.PKCS7(128).unpadder()
        plaintext = unpadder.update(decryptor.update(sealed) + decryptor.finalize()) + unpadder.finalize()
        return bool(hashlib.sha256(plaintext).digest() == part.fileSha256 and len(plaintext) == part.fileLength)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while await self._request(reader, writer):
                pass
        writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
        self.requests[method] = self.requests.get(method, 0) + 1
        name = await self._receive(reader, int(headers.get("content-length", 0)))
        if self.broken:
            writer.write(b"HTTP/1.1 500 broken\r\nContent-Length: 0\r\n\r\n")
        elif method == "POST":
            path = f"/v/{name}?ccb=11-4"
            _answer(writer, json.dumps({"url": f"https://{HOST}{path}", "direct_path": path, "handle": "h"}).encode())
        else:
            await self._serve(method, target.partition("?")[0].removeprefix("/v/"), writer)
        await writer.drain()
        return True

    async def _receive(self, reader: asyncio.StreamReader, size_bytes: int) -> str:
        name, left = secrets.token_hex(16), size_bytes
        if left:
            with (self._directory / name).open("wb") as file:
                while left:
                    data = await reader.read(min(left, CHUNK_BYTES))
                    if not data:
                        raise asyncio.IncompleteReadError(b"", left)
                    left -= len(data)
                    file.write(data)
        return name

    async def _serve(self, method: str, name: str, writer: asyncio.StreamWriter) -> None:
        path = self._directory / name
        if method == "DELETE":
            _answer(writer, b"")
        elif not path.is_file():
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        else:
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {path.stat().st_size}\r\n\r\n".encode())
            with path.open("rb") as file:
                while data := file.read(CHUNK_BYTES):
                    writer.write(data)
                    await writer.drain()


def _answer(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


def _keys(key: bytes, kind: str) -> tuple[bytes, bytes, bytes]:
    expanded = hkdf_sha256(ikm=key, length=112, salt=b"", info=KINDS[kind])
    return expanded[:16], expanded[16:48], expanded[48:80]


def made_up(size_bytes: int, seed: int = 0) -> bytes:
    """A file's bytes, the same for the same seed."""
    return random.Random(seed).randbytes(size_bytes)
