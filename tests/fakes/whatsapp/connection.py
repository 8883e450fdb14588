"""One WebSocket of a client: frames, the handshake, stanzas in and out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pyaileys.wabinary import decode_binary_node, encode_binary_node
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from tests.fakes.whatsapp import login, stanzas
from tests.fakes.whatsapp.companion import Companion
from tests.fakes.whatsapp.nodes import SERVER, Node, node, show
from tests.fakes.whatsapp.noise import Exchange, nonce

if TYPE_CHECKING:
    from tests.fakes.whatsapp.network import Network

HEADER_BYTES = 4
CLOSE_S = 2.0


class Connection:
    def __init__(self, network: "Network", socket: ServerConnection) -> None:
        self.network = network
        self.socket = socket
        self.noise_key = b""
        self.companion: Companion | None = None
        self.pairing: Companion | None = None
        self.is_stalled = False
        self._resumed = asyncio.Event()
        self._writing = asyncio.Lock()
        self._read = self._written = 0
        self._read_key = self._write_key = b""

    async def run(self) -> None:
        frames = self._frames()
        header = await anext(frames)
        exchange = Exchange(self.network.certificates, header)
        await self._write_frame(exchange.hello(await anext(frames)))
        self.noise_key, payload, self._read_key, self._write_key = exchange.finish(await anext(frames))
        if not await login.admit(self, payload):
            return
        async for frame in frames:
            stanza = decode_binary_node(self._decrypt(frame))
            self.network.tell("trace", direction="in", stanza=show(stanza))
            if not self.is_stalled:
                await stanzas.handle(self, stanza)

    async def _frames(self) -> AsyncIterator[bytes]:
        """First the header, then frame by frame: three bytes of length, and so many bytes."""
        buffer, header = b"", b""
        async for message in self.socket:
            buffer += message.encode() if isinstance(message, str) else message
            if not header:
                header, buffer = buffer[:HEADER_BYTES], buffer[HEADER_BYTES:]
                yield header
            while len(buffer) >= 3 and len(buffer) >= (end := 3 + int.from_bytes(buffer[:3], "big")):
                frame, buffer = buffer[3:end], buffer[end:]
                yield frame

    def _decrypt(self, frame: bytes) -> bytes:
        self._read += 1
        return AESGCM(self._read_key).decrypt(nonce(self._read - 1), frame, b"")

    async def _write_frame(self, data: bytes) -> None:
        await self.socket.send(len(data).to_bytes(3, "big") + data)

    async def send(self, stanza: Node) -> None:
        """Write it. Of a stalled connection nothing comes; of a closed one nothing either."""
        if self.is_stalled:
            return
        async with self._writing:
            self.network.tell("trace", direction="out", stanza=show(stanza))
            sealed = AESGCM(self._write_key).encrypt(nonce(self._written), encode_binary_node(stanza), b"")
            self._written += 1
            with suppress(ConnectionClosed):
                await self._write_frame(sealed)

    async def answer(self, query: Node, inner: list[Node] | None = None) -> None:
        await self.send(node("iq", {"from": SERVER, "type": "result", "id": query.attrs["id"]}, inner))

    async def refuse(self, query: Node, code: int, text: str) -> None:
        """The answer to a query that fails."""
        await self.send(node("iq", {"from": SERVER, "type": "error", "id": query.attrs["id"]}, [
            node("error", {"code": code, "text": text})
        ]))  # fmt: skip

    async def end(self, last: Node, *, within_s: float = CLOSE_S) -> None:
        """The last stanza, and the end: the client's own, or ours a little later.

        whatsmeow drops what it has not handled when its socket closes, this one with it.
        """
        await self.send(last)
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self.socket.wait_closed()
        await self.socket.close()

    def cut(self) -> None:
        """As a cable that is pulled: no close frame."""
        self.socket.transport.abort()

    def stall(self, is_stalled: bool) -> None:
        """The socket stays open, and nothing comes from it."""
        self.is_stalled = is_stalled
        if not is_stalled:
            self._resumed.set()
            self._resumed = asyncio.Event()

    async def pump(self, companion: Companion) -> None:
        """Write what waits for the device, in order, for as long as the connection lives.

        What it had not acknowledged when it connected is marked ``offline``, as WhatsApp does.
        """
        queue = companion.queue
        cursor, offline_until = queue.first - 1, queue.last
        await login.announce_offline(self, queue)
        while companion.connection is self:
            queue.grown.clear()  # before the look: what comes from here on is heard
            while cursor < queue.last and companion.connection is self:
                cursor += 1
                if waiting := queue.pending.get(cursor):
                    await self._write_waiting(waiting[1], is_offline=cursor <= offline_until)
            if offline_until >= 0:
                await login.offline_done(self)
                offline_until = -1
                continue
            await queue.grown.wait()

    async def _write_waiting(self, stanza: Node, *, is_offline: bool) -> None:
        while self.is_stalled:
            await self._resumed.wait()
        attrs = stanza.attrs | ({"offline": "0"} if is_offline else {})
        await self.send(Node(stanza.tag, attrs, stanza.content))
