"""The control socket's server: accepts, asks the kernel who it is, and gives each client a Connection."""

from collections.abc import Callable
from contextlib import suppress

import structlog
import trio

from pombal.config.settings import ControlSettings
from pombal.control import jsonrpc, peers
from pombal.control.connection import Connection
from pombal.control.exchange import CountRequest
from pombal.control.peers import PeerRules
from pombal.model.caller import Caller
from pombal.model.errors import Kind, PombalError
from pombal.service.base import Service

log = structlog.get_logger()

Identify = Callable[[trio.abc.Stream], Caller]
"""Who is at the other end. Raises PombalError (forbidden)."""

# A client that is turned away gets this long to take the reason.
TURN_AWAY_S = 1.0


def identify_by(rules: PeerRules) -> Identify:
    """By the kernel's word for the peer of a Unix socket."""

    def identify(stream: trio.abc.Stream) -> Caller:
        assert isinstance(stream, trio.SocketStream)  # noqa: S101 - accepted from a SocketListener
        return rules.caller(peers.identify(stream.socket))

    return identify


class ControlServer:
    """One server for the life of the daemon, over any listener."""

    def __init__(
        self,
        service: Service,
        settings: ControlSettings,
        identify: Identify,
        count: CountRequest = lambda _method, _outcome: None,
    ) -> None:
        self._service = service
        self._settings = settings
        self._identify = identify
        self._count = count
        self._connections: set[Connection] = set()
        self._accepting = trio.CancelScope()
        self._drained = False

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._connections)

    async def serve(
        self,
        listener: trio.abc.Listener[trio.abc.Stream],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until ``drain``; returns when the last connection has ended. Closes the listener."""
        async with trio.open_nursery() as handlers:
            # Connections live in a nursery of their own: no longer to accept does not end them.
            with self._accepting:
                task_status.started()  # connections made from here on wait in the kernel until they are accepted
                await trio.serve_listeners(self._handle, [listener], handler_nursery=handlers)

    def drain(self) -> None:
        """Accept no more, answer what is in flight, then close. The deadline is the caller's."""
        self._drained = True
        self._accepting.cancel()
        for connection in self._connections:
            connection.end()

    async def _handle(self, stream: trio.abc.Stream) -> None:
        """An exception that left this would end the server."""
        try:
            async with stream:
                await self._welcome(stream)
        except Exception:
            log.exception("control connection crashed")

    async def _welcome(self, stream: trio.abc.Stream) -> None:
        try:
            caller = self._admit(stream)
        except PombalError as error:
            log.warning("control connection refused", kind=error.kind, reason=error.message)
            return await _turn_away(stream, error)
        connection = Connection(stream, caller, self._service, self._settings, self._count)
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)

    def _admit(self, stream: trio.abc.Stream) -> Caller:
        if self._drained:
            raise PombalError(Kind.SHUTTING_DOWN, "the daemon is stopping")
        caller = self._identify(stream)
        if len(self._connections) >= self._settings.max_connections:
            raise PombalError(
                Kind.UNAVAILABLE,
                f"too many connections: {self._settings.max_connections} are open ([control] max_connections)",
            )
        return caller


async def _turn_away(stream: trio.abc.Stream, error: PombalError) -> None:
    with trio.move_on_after(TURN_AWAY_S), suppress(trio.BrokenResourceError):
        await stream.send_all(jsonrpc.encode_refusal(jsonrpc.NO_ID, error))
