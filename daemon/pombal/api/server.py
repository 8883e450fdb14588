"""The HTTP server: accepts, bounds how many are connected, and ends in two steps."""

import logging
from contextlib import suppress
from functools import partial
from math import inf

import structlog
import trio
from hypercorn.config import Config
from hypercorn.trio.worker_context import WorkerContext
from starlette.types import ASGIApp

from pombal.api.connection import Connection, Surroundings, Transport
from pombal.api.listening import limit_unread, open_sockets
from pombal.api.refusals import raw_refusal
from pombal.api.tls import Certificate
from pombal.config.settings import HttpSettings

log = structlog.get_logger()

# Connections beyond the bound that are told so at once; more are closed without a word.
TURNED_AWAY_MAX = 64
TURN_AWAY_S = 1.0


class HttpServer:
    """One for the life of the daemon; ``serve`` may be called again after a crash."""

    def __init__(self, app: ASGIApp, settings: HttpSettings) -> None:
        self._app = app
        self._settings = settings
        self._config = _config(settings)
        self._certificate = Certificate.of(settings)
        self._connections: set[Connection] = set()
        self._turned_away = 0
        self._draining = trio.Event()
        self._ends_at = inf
        self._handling = trio.CancelScope()

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._connections)

    def drain(self, within_s: float = inf) -> None:
        """Accept no more and let what is in flight finish: requests by themselves, streams when the hub closes.

        What is left after within_s is cancelled; without, ``finish`` says when.
        """
        self._ends_at = min(self._ends_at, trio.current_time() + within_s)
        self._handling.deadline = self._ends_at
        self._draining.set()

    finish = drain

    def reload_certificate(self) -> None:
        """Read the certificate's files again, for connections from now on. Raises StartRefused, and keeps the old."""
        if self._certificate is not None:
            self._certificate.load()

    async def serve(self, bind: str, *, task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until ``drain``; returns when the last connection has ended.

        Started, with URLs such as 'http://127.0.0.1:8001', once connections are accepted; port 0 shows as the one it
        got. Raises StartRefused where bind cannot be listened on, or the certificate not be used.
        """
        self.reload_certificate()
        sockets = await open_sockets(bind, may_be_reached=self._settings.may_be_reached)
        for each in sockets:
            limit_unread(each, self._settings.stream_timeout_s)
        listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(each)) for each in sockets]
        try:
            await self._serve(listeners, task_status)
        finally:
            for listener in listeners:
                listener.socket.close()

    async def _serve(self, listeners: list[trio.SocketListener], task_status: trio.TaskStatus[list[str]]) -> None:
        context = WorkerContext(None)
        around = Surroundings(self._app, self._settings, self._config, context)
        with trio.CancelScope(deadline=self._ends_at) as self._handling:
            async with trio.open_nursery() as handlers:
                async with trio.open_nursery() as accepting:
                    handle = partial(self._handle, around)
                    accepting.start_soon(partial(trio.serve_listeners, handle, listeners, handler_nursery=handlers))
                    task_status.started([self._url(listener) for listener in listeners])
                    await self._draining.wait()
                    accepting.cancel_scope.cancel()
                for listener in listeners:
                    listener.socket.close()
                await context.terminated.set()  # answers say from now on that the connection closes
                for connection in list(self._connections):
                    connection.drain()

    def _url(self, listener: trio.SocketListener) -> str:
        host, port = listener.socket.getsockname()[:2]
        scheme = "http" if self._certificate is None else "https"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    async def _handle(self, around: Surroundings, stream: trio.SocketStream) -> None:
        """An exception that left this would end the server."""
        try:
            if len(self._connections) >= self._settings.max_connections:
                await self._turn_away(stream)
            else:
                await self._connect(around, stream)
        except Exception:
            log.exception("http connection crashed")

    async def _connect(self, around: Surroundings, stream: trio.SocketStream) -> None:
        transport: Transport = stream if self._certificate is None else self._certificate.wrap(stream)
        connection = Connection(around, transport)
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)

    async def _turn_away(self, stream: trio.SocketStream) -> None:
        """Without TLS there is time for a word; a handshake would cost more than the connection that is refused."""
        if self._certificate is None and self._turned_away < TURNED_AWAY_MAX:
            self._turned_away += 1
            detail = f"{self._settings.max_connections} connections are open ([http] max_connections)"
            try:
                with trio.move_on_after(TURN_AWAY_S), suppress(trio.BrokenResourceError):
                    await stream.send_all(raw_refusal(503, detail))
                    await stream.send_eof()
                    while await stream.receive_some(4096):
                        pass
            finally:
                self._turned_away -= 1
        await trio.aclose_forcefully(stream)


def _config(settings: HttpSettings) -> Config:
    """hypercorn's settings, as far as its protocols look at them."""
    config = Config()
    config.h11_max_incomplete_size = settings.header_max_bytes
    config.websocket_max_message_size = settings.frame_max_bytes
    config.include_server_header = False
    config.accesslog = None
    # A logger and not a name, or hypercorn gives it a handler of its own.
    config.errorlog = logging.getLogger("hypercorn.error")
    return config
