"""Serving an application on hypercorn's trio worker."""

import logging
import os
import socket
from typing import TYPE_CHECKING, cast

import trio
from hypercorn.config import Config, Sockets
from hypercorn.trio import serve
from starlette.types import ASGIApp

from pombal.config.bind import InheritedBind, TcpBind, parse_bind
from pombal.config.errors import StartRefused

if TYPE_CHECKING:
    from hypercorn.typing import ASGIFramework

BACKLOG = 1024
# hypercorn shields its writes from cancellation, so a client that never reads would hold up the drain for ever. The
# kernel ends such a connection (TCP_USER_TIMEOUT, tcp(7)) and with it the write.
UNREAD_TIMEOUT_S = 10.0


class _Config(Config):
    """hypercorn's settings, on sockets that are open already: opening them is where a start can fail clearly."""

    def __init__(self, sockets: list[socket.socket], graceful_timeout_s: float) -> None:
        self._sockets = sockets
        self.backlog = BACKLOG
        self.graceful_timeout = graceful_timeout_s
        self.include_server_header = False
        self.accesslog = None
        # A logger and not a name, or hypercorn gives it a handler of its own.
        self.errorlog = logging.getLogger("hypercorn.error")

    def create_sockets(self) -> Sockets:
        return Sockets([], self._sockets, [])


async def serve_http(
    app: ASGIApp,
    bind: str,
    *,
    shutdown: trio.Event,
    graceful_timeout_s: float = 5.0,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until shutdown, then let requests in flight finish for graceful_timeout_s.

    Started, with URLs such as 'http://127.0.0.1:8001', once connections are accepted; port 0 shows as the one it got.
    Raises StartRefused where bind cannot be listened on.
    """
    # It announces each address in words of its own; the caller knows them from task_status.
    logging.getLogger("hypercorn.error").setLevel(logging.WARNING)
    sockets = await open_sockets(bind)
    try:
        config = _Config(sockets, graceful_timeout_s)
        framework = cast("ASGIFramework", app)  # the same protocol, typed more narrowly
        await serve(framework, config, shutdown_trigger=shutdown.wait, task_status=task_status, mode="asgi")
    finally:
        for each in sockets:
            each.close()


async def open_sockets(bind: str) -> list[socket.socket]:
    """Listening sockets; several where a host name has several addresses. Raises StartRefused."""
    try:
        address = parse_bind(bind)
        sockets = [_inherited(address)] if isinstance(address, InheritedBind) else await _bound(address)
    except ValueError as error:
        raise StartRefused(f"cannot listen on {bind!r}: it {error}; set [http] bind") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise StartRefused(f"cannot listen on {bind}: {reason}; stop what uses it, or set [http] bind") from error
    for each in sockets:
        _limit_unread(each)
    return sockets


async def _bound(address: TcpBind) -> list[socket.socket]:
    listeners = await trio.open_tcp_listeners(address.port, host=address.host, backlog=BACKLOG)
    return [socket.socket(fileno=listener.socket.detach()) for listener in listeners]


def _inherited(address: InheritedBind) -> socket.socket:
    """A copy, so that a server that is started again finds the original still open."""
    inherited = socket.socket(fileno=os.dup(address.descriptor))
    if inherited.type != socket.SOCK_STREAM or not inherited.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        inherited.close()
        raise OSError("the descriptor is no listening stream socket")
    return inherited


def _limit_unread(listening: socket.socket) -> None:
    if listening.family in (socket.AF_INET, socket.AF_INET6):
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNREAD_TIMEOUT_S * 1000))
