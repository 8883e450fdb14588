"""Files over one connection, piece by piece, both ways: never more in memory than the protocol's window."""

import os
from collections.abc import Awaitable, Callable

import trio

from pombal.gateway.files import Files
from pombal.link.wire import GatewayEnd
from pombal.link.wire.commands import Done, GetMedia, PutMedia
from pombal.link.wire.frames import Chunk, ChunkAck
from pombal.link.wire.gateway_end import Asked

Say = Callable[[str | bytes | None], Awaitable[None]]


class _Arriving:
    """What has come of a file and is not written yet; the codec holds the daemon to the window."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.is_ended = False
        self.changed = trio.Event()


class Carrying:
    """The transfers of one connection."""

    def __init__(self, end: GatewayEnd, files: Files, say: Say) -> None:
        self._end = end
        self._files = files
        self._say = say
        self._arriving: dict[int, _Arriving] = {}
        self._room: dict[int, trio.Event] = {}

    def expect(self, asked: Asked) -> None:
        """Before anything else is read: chunks follow at once."""
        match asked.command:
            case PutMedia(transfer=transfer):
                self._arriving[transfer] = _Arriving()
            case GetMedia(transfer=transfer):
                self._room[transfer] = trio.Event()

    def done(self, asked: Asked) -> None:
        match asked.command:
            case PutMedia(transfer=transfer):
                self._arriving.pop(transfer, None)
            case GetMedia(transfer=transfer):
                self._room.pop(transfer, None)

    def hear(self, frame: Chunk | ChunkAck) -> None:
        match frame:
            case Chunk(transfer, data) if transfer in self._arriving:
                arriving = self._arriving[transfer]
                arriving.data += data
                arriving.is_ended = not data
                arriving.changed.set()
            case ChunkAck(transfer) if transfer in self._room:
                self._room[transfer].set()

    async def put(self, command: PutMedia) -> Done:
        """Raises NotTheFile, OSError."""
        arriving = self._arriving[command.transfer]
        with await trio.to_thread.run_sync(self._files.putting, command.sha256, command.size_bytes) as part:
            while True:
                await arriving.changed.wait()
                arriving.changed = trio.Event()
                data, arriving.data = bytes(arriving.data), bytearray()
                if data:
                    await trio.to_thread.run_sync(part.write, data)
                    await self._say(self._end.taken(command.transfer, len(data)))
                if arriving.is_ended and not arriving.data:
                    await trio.to_thread.run_sync(part.keep)
                    return Done()

    async def get(self, command: GetMedia) -> Done:
        """Raises FileNotFoundError, OSError."""
        transfer, end = command.transfer, self._end
        descriptor = await trio.to_thread.run_sync(os.open, self._files.received(command.sha256), os.O_RDONLY)
        try:
            offset = 0
            while True:
                while not (room := end.room_bytes(transfer)):
                    self._room[transfer] = trio.Event()
                    await self._room[transfer].wait()
                data = await trio.to_thread.run_sync(os.pread, descriptor, room, offset)
                await self._say(end.chunk(transfer, data))
                if not data:
                    return Done()
                offset += len(data)
        finally:
            os.close(descriptor)
