"""A typed client of the control socket.

    async with connect(path) as client:
        session = await client.session_create("suporte", link="simulator")
        async with client.events(after=0) as events:
            async for event in events: ...

Any number of tasks may call at once; requests go out in the order they are made, and answers come as they are ready.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from pombal.control import client_media
from pombal.control.client_connection import (
    ClientConnection,
    Disconnected,
    NoDaemon,
    OpenStream,
    Pending,
    RemoteError,
    in_order,
    open_connection,
    open_socket,
)
from pombal.control.client_events import EventStream, subscribe
from pombal.control.client_methods import TypedMethods
from pombal.model.results import MediaStored


class Client(TypedMethods):
    """One connection to the daemon, and one more for each ``events()`` that is open."""

    def __init__(self, connection: ClientConnection, open_stream: OpenStream) -> None:
        self._connection = connection
        self._open_stream = open_stream

    async def call(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The result object as the daemon sent it. Raises RemoteError or Disconnected."""
        return await self.request(method, params).wait()

    def request(self, method: str, params: Mapping[str, Any] | None = None) -> Pending:
        """Put a request on its way and return at once; ``await`` the Pending's ``wait()`` for the result."""
        return self._connection.request(method, params or {})

    def pipeline(
        self, requests: Iterable[tuple[str, Mapping[str, Any]]], *, window: int = 256
    ) -> AsyncGenerator[dict[str, Any] | RemoteError, None]:
        """Many requests, at most window of them unanswered; yields answers in the order of the requests.

        A refused request is a RemoteError among the answers, not raised. Raises Disconnected.
        """
        return in_order(self._connection, requests, window)

    def events(
        self,
        *,
        after: int | None = None,
        sessions: Sequence[str] | None = None,
        types: Sequence[str] | None = None,
        log_id: str | None = None,
    ) -> AbstractAsyncContextManager[EventStream]:
        """Events past ``after`` (0: from the oldest kept, None: from now), over a connection of their own."""
        params = {
            "after": after,
            "sessions": None if sessions is None else list(sessions),
            "types": None if types is None else list(types),
            "log_id": log_id,
        }
        return subscribe(self._open_stream, {name: value for name, value in params.items() if value is not None})

    async def put_media(self, source: Path | bytes, *, progress: client_media.Progress = lambda _: None) -> MediaStored:
        """Upload a file; a message refers to it by the sha256 answered."""
        return await client_media.put_media(self, source, progress)

    def get_media(
        self, sha256: str, *, progress: client_media.Progress = lambda _: None
    ) -> AsyncGenerator[bytes, None]:
        """Download a file, chunk by chunk."""
        return client_media.get_media(self, sha256, progress)


@asynccontextmanager
async def connect(path: str | Path) -> AsyncIterator[Client]:
    """Connect to the daemon's control socket. Raises NoDaemon, or PombalError where the path cannot be opened."""

    async def open_stream() -> Any:
        return await open_socket(path)

    async with connect_by(open_stream) as client:
        yield client


@asynccontextmanager
async def connect_by(open_stream: OpenStream) -> AsyncIterator[Client]:
    """A client over any stream; open_stream is called once now and once for each ``events()``."""
    async with open_connection(await open_stream()) as connection:
        yield Client(connection, open_stream)


__all__ = [
    "Client", "Disconnected", "EventStream", "NoDaemon", "Pending", "RemoteError", "connect", "connect_by",
]  # fmt: skip
