"""The way from a client's ``proxy`` setting to the fake: CONNECT and SOCKS5 on one port, and a network that fails."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

CHUNK_BYTES = 1 << 16
Route = Callable[[str], int | None]


class Proxy:
    """``route`` says which local port a host's connections lead to; hosts it does not know are refused."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.is_up = True
        self.port = 0

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    def set_up(self, is_up: bool) -> None:
        """Down: what is open is cut, without a goodbye, and what comes is not let in."""
        self.is_up = is_up
        if not is_up:
            for writer in self._writers:
                writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self.is_up:
                await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # whoever connected went away, or spoke neither protocol
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(1)
        if first == b"\x05":
            host, granted, refused = await _socks(reader, writer)
        else:
            host, granted, refused = await _connect(first, reader)
        port = self._route(host)
        writer.write(granted if port else refused)
        await writer.drain()
        if port:
            await self._pump(reader, writer, port)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        self._writers.add(inner_writer)
        try:
            await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
        finally:
            self._writers.discard(inner_writer)
            inner_writer.close()


async def _connect(first: bytes, reader: asyncio.StreamReader) -> tuple[str, bytes, bytes]:
    head = (first + await reader.readuntil(b"\r\n\r\n")).decode()
    method, target, _ = head.split("\r\n")[0].split(" ")
    if method != "CONNECT":
        raise ValueError(method)
    return target.rpartition(":")[0], b"HTTP/1.1 200 ok\r\n\r\n", b"HTTP/1.1 403 unknown host\r\n\r\n"


async def _socks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, bytes, bytes]:
    """RFC 1928, without authentication, by name."""
    await reader.readexactly((await reader.readexactly(1))[0])
    writer.write(b"\x05\x00")
    _, _, _, kind = await reader.readexactly(4)
    if kind != 3:
        raise ValueError("by name only")
    host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
    await reader.readexactly(2)
    rest = b"\x00\x01" + bytes(6)
    return host, b"\x05\x00" + rest, b"\x05\x02" + rest


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    writer.close()
