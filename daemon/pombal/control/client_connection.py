"""The client's side of one connection: requests out, answers in any order back to whoever asked."""

import json
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from pydantic_core import from_json

from pombal.control.framing import ANSWER_MAX_BYTES, REQUEST_MAX_BYTES, LineReader
from pombal.model.errors import Kind, PombalError, invalid

OpenStream = Callable[[], Awaitable[trio.abc.Stream]]
RECEIVE_BYTES = 65_536
# JSON-RPC's own codes, for daemons that say no kind with them.
_KIND_OF_CODE = {-32700: Kind.INVALID, -32600: Kind.INVALID, -32601: Kind.UNSUPPORTED, -32602: Kind.INVALID}


class RemoteError(PombalError):
    """The daemon refused a request. ``code`` is JSON-RPC's; ``kind`` is CRASHED for one this client does not know."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        facts = dict(error.get("data") or {})
        said = facts.pop("kind", None)
        self.code = int(error["code"])
        kind = Kind(said) if said in set(Kind) else _KIND_OF_CODE.get(self.code, Kind.CRASHED)
        super().__init__(kind, str(error["message"]), **facts)


class NoDaemon(PombalError):
    """Nobody listens at the path."""

    def __init__(self, path: str) -> None:
        super().__init__(
            Kind.UNAVAILABLE, f"no daemon answers at {path}: is it running? start it with `pombal serve`", path=path
        )


class Disconnected(PombalError):
    """The daemon went away before it answered: whether it did what was asked is not known."""

    def __init__(self) -> None:
        super().__init__(Kind.UNAVAILABLE, "the daemon closed the connection before it answered")


async def open_socket(path: str | Path) -> trio.SocketStream:
    """Raises NoDaemon, or PombalError where the path cannot be opened for another reason."""
    try:
        return await trio.open_unix_socket(str(path))
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        raise NoDaemon(str(path)) from None
    except PermissionError:
        raise PombalError(
            Kind.FORBIDDEN, f"you may not open {path}: ask for membership in the daemon's admin_group or read_group"
        ) from None
    except (OSError, ValueError) as error:
        raise invalid(f"{path} is no control socket: {error}") from None


class Pending:
    """A request on its way; ``await wait()`` for its result object. Raises RemoteError or Disconnected."""

    __slots__ = ("_answer", "_done")

    def __init__(self) -> None:
        self._done: trio.Event | None = None
        self._answer: dict[str, Any] | PombalError | None = None

    def resolve(self, answer: dict[str, Any] | PombalError) -> None:
        self._answer = answer
        if self._done is not None:
            self._done.set()

    async def wait(self) -> dict[str, Any]:
        # What is here already is given at once: of thousands in a pipeline few are waited for.
        if self._answer is None:
            self._done = self._done or trio.Event()
            await self._done.wait()
        if isinstance(self._answer, PombalError):
            raise self._answer
        assert self._answer is not None  # noqa: S101 - resolve came first
        return self._answer


class ClientConnection:
    """Requests are written by one task and answers read by another; both end with the connection."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._pending: dict[int, Pending] = {}
        self._last_id = 0
        self._outgoing: list[bytes] = []
        self._wake = trio.Event()
        self._end: PombalError | None = None

    def request(self, method: str, params: Mapping[str, Any]) -> Pending:
        """Put a request on its way, behind all before it. Raises PombalError (too_large) beyond 1 MiB."""
        self._last_id += 1
        line = encode_request(self._last_id, method, params)
        pending = Pending()
        if self._end is not None:
            pending.resolve(self._end)
            return pending
        self._pending[self._last_id] = pending
        self._outgoing.append(line)
        self._wake.set()
        return pending

    async def write(self) -> None:
        """Write what waits, as much as possible at once, for ever."""
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            waiting, self._outgoing = self._outgoing, []
            try:
                await self._stream.send_all(b"".join(waiting))
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return  # what the daemon had to say about it is for the reader to find

    async def read(self) -> None:
        """Hand answers out until the connection ends; then everything unanswered fails."""
        try:
            async with aclosing(receive_messages(self._stream)) as messages:
                async for message in messages:
                    self._handle(message)
        finally:
            self._fail(self._end or Disconnected())

    def _handle(self, message: dict[str, Any]) -> None:
        if message.get("id") is None:
            if "error" in message:  # said to the connection as such, which ends with it
                self._fail(RemoteError(message["error"]))
            return
        pending = self._pending.pop(message["id"], None)
        if pending is not None:
            pending.resolve(RemoteError(message["error"]) if "error" in message else message["result"])

    def _fail(self, error: PombalError) -> None:
        self._end = error
        pending, self._pending = self._pending, {}
        for one in pending.values():
            one.resolve(error)


def encode_request(request_id: int, method: str, params: Mapping[str, Any]) -> bytes:
    """One line. Raises PombalError (too_large)."""
    request = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
    # ASCII, so that a lone surrogate in a text reaches the daemon, which mends it.
    line = json.dumps(request, separators=(",", ":")).encode()
    if len(line) > REQUEST_MAX_BYTES:
        raise PombalError(Kind.TOO_LARGE, f"a request of {len(line)} bytes; at most {REQUEST_MAX_BYTES} are accepted")
    return line + b"\n"


async def receive_messages(stream: trio.abc.ReceiveStream) -> AsyncGenerator[dict[str, Any], None]:
    """Everything the daemon says, until it ends the connection."""
    reader = LineReader(ANSWER_MAX_BYTES)
    while True:
        try:
            data = await stream.receive_some(RECEIVE_BYTES)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        if not data:
            return
        reader.receive_data(data)
        for line in reader.lines():
            yield from_json(line)


async def in_order(
    connection: ClientConnection, requests: Iterable[tuple[str, Mapping[str, Any]]], window: int
) -> AsyncGenerator[dict[str, Any] | RemoteError, None]:
    """The answers to many requests in the order asked, with at most window of them on their way."""
    waiting: deque[Pending] = deque()
    upcoming = iter(requests)
    while True:
        while len(waiting) < window and (following := next(upcoming, None)) is not None:
            waiting.append(connection.request(*following))
        if not waiting:
            return
        try:
            answer: dict[str, Any] | RemoteError = await waiting.popleft().wait()
        except RemoteError as error:
            answer = error
        yield answer


@asynccontextmanager
async def open_connection(stream: trio.abc.Stream) -> AsyncIterator[ClientConnection]:
    """Runs the connection's two tasks; closes the stream at the end.

    What the body raises leaves as it is, and not in the exception group that a nursery would make of it.
    """
    failure: BaseException | None = None
    connection = ClientConnection(stream)
    async with stream, trio.open_nursery() as nursery:
        nursery.start_soon(connection.write)
        nursery.start_soon(connection.read)
        try:
            yield connection
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
