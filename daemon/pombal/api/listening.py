"""Where the HTTP server listens."""

import os
import socket

import trio

from pombal.config.bind import InheritedBind, TcpBind, is_loopback, parse_bind
from pombal.config.errors import StartRefused
from pombal.config.settings import IN_THE_CLEAR

BACKLOG = 1024


async def open_sockets(bind: str, *, may_be_reached: bool) -> list[socket.socket]:
    """Listening sockets; several where a host name has several addresses. Raises StartRefused.

    may_be_reached: by other machines. Without it, only loopback and Unix sockets are listened on.
    """
    try:
        address = parse_bind(bind)
        sockets = [_inherited(address)] if isinstance(address, InheritedBind) else await _bound(address)
    except ValueError as error:
        raise StartRefused(f"cannot listen on {bind!r}: it {error}; set [http] bind") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise StartRefused(f"cannot listen on {bind}: {reason}; stop what uses it, or set [http] bind") from error
    if not may_be_reached and (open_to_all := [each for each in sockets if not _is_local(each)]):
        where = "{}:{}".format(*open_to_all[0].getsockname()[:2])
        for each in sockets:
            each.close()
        raise StartRefused(f"[http] {IN_THE_CLEAR.format(bind=where)}")
    return sockets


def _is_local(listening: socket.socket) -> bool:
    return listening.family == socket.AF_UNIX or is_loopback(listening.getsockname()[0])


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
