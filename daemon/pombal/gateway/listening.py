"""Opening the doors: a Unix socket that is the daemon's alone, or an address that only a token opens."""

import os
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

import trio

from pombal.config.bind import is_loopback
from pombal.config.secret_files import SecretExposed, check_secret, read_secret
from pombal.gateway.options import Listen

SOCKET_PATH_MAX_BYTES = 107
BACKLOG = 128
TOKEN_FILE_MAX_BYTES = 65_536


class Unusable(Exception):
    """The gateway cannot listen as it was told; the text says why."""


def check(listen: Listen) -> None:
    """Refuse what would let strangers at the sessions. Raises Unusable."""
    if (listen.socket is None) == (not listen.host):
        raise Unusable("say where to listen: --socket PATH, or --listen HOST:PORT")
    if (listen.tls_cert is None) != (listen.tls_key is None):
        raise Unusable("--tls-cert and --tls-key go together")
    if listen.host and not is_loopback(listen.host) and (listen.tls_cert is None or listen.token_file is None):
        raise Unusable(
            f"{listen.host} can be reached from other machines: give --token-file, --tls-cert and --tls-key,"
            " or listen on 127.0.0.1"
        )


def token_of(listen: Listen) -> str | None:
    """The token that daemons must show. Raises Unusable."""
    if listen.token_file is None:
        return None
    try:
        token = read_secret(listen.token_file, TOKEN_FILE_MAX_BYTES).decode("ascii").strip()
    except SecretExposed as error:
        raise Unusable(str(error)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"the token file {listen.token_file} cannot be read: {error}") from error
    if len(token) < 16 or any(not "!" <= char <= "~" for char in token):
        raise Unusable(f"{listen.token_file} holds no token: one line of at least 16 printable ASCII characters")
    return token


async def listeners(listen: Listen) -> Sequence[trio.abc.Listener[trio.abc.Stream]]:
    """Raises Unusable."""
    try:
        if listen.socket is not None:
            return [_unix(listen.socket)]
        context = _context(listen)
        tcp = await trio.open_tcp_listeners(listen.port, host=listen.host)
        return tcp if context is None else [trio.SSLListener(each, context, https_compatible=True) for each in tcp]
    except SecretExposed as error:
        raise Unusable(str(error)) from None
    except (OSError, ssl.SSLError) as error:
        raise Unusable(f"cannot listen: {error}") from error


def _context(listen: Listen) -> ssl.SSLContext | None:
    """Raises OSError, SecretExposed."""
    if listen.tls_cert is None or listen.tls_key is None:
        return None
    check_secret(listen.tls_key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(listen.tls_cert, listen.tls_key)
    return context


def _unix(path: Path) -> trio.SocketListener:
    """One that was left behind makes way: the directory is the daemon's, which starts one gateway on a path."""
    if len(os.fsencode(path)) > SOCKET_PATH_MAX_BYTES:
        raise Unusable(f"{path} is too long for a Unix socket ({SOCKET_PATH_MAX_BYTES} bytes)")
    path.unlink(missing_ok=True)
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    umask = os.umask(0o177)
    try:
        opened.bind(os.fspath(path))
    finally:
        os.umask(umask)
    opened.listen(BACKLOG)
    return trio.SocketListener(trio.socket.from_stdlib_socket(opened))
