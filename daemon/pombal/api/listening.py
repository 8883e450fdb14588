"""Where the HTTP server listens."""

import os
import socket

import trio

from pombal.config.bind import InheritedBind, TcpBind, parse_bind
from pombal.config.errors import StartRefused

BACKLOG = 1024


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


def limit_unread(listening: socket.socket, limit_s: float) -> None:
    """Have the kernel end connections to peers that are not there any more, or take nothing for so long (tcp(7)).

    For those that send nothing either, such as a client whose machine lost its power while it listened.
    """
    if listening.family in (socket.AF_INET, socket.AF_INET6):
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(limit_s * 1000))
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
