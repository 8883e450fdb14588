"""The service manager's end of sd_notify(3): a datagram socket that hears what the daemon says of itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

Told = dict[str, str]


class NotifySocket:
    """``told`` holds everything heard so far, each datagram as its assignments."""

    def __init__(self, sock: trio.socket.SocketType, path: Path) -> None:
        self._socket = sock
        self.path = path
        self.told: list[Told] = []

    async def hear(self) -> Told:
        """The next datagram; waits for it."""
        data = await self._socket.recv(65_536)
        told = dict(line.split("=", 1) for line in data.decode().splitlines())
        self.told.append(told)
        return told

    async def until(self, name: str) -> Told:
        """The next datagram that assigns name; those before it are passed over."""
        while name not in (told := await self.hear()):
            pass
        return told


@asynccontextmanager
async def notify_socket(path: Path) -> AsyncIterator[NotifySocket]:
    path.unlink(missing_ok=True)
    with trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_DGRAM) as sock:
        await sock.bind(str(path))
        yield NotifySocket(sock, path)
