"""Ways to a gateway: a Unix socket of ours, or a URL elsewhere. What fails on the way is a link lost, in words."""

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import trio
from trio_websocket import ConnectionRejected, WebSocketConnection, wrap_client_stream

from pombal.config.secret_files import SecretExposed, read_secret
from pombal.link.base import LinkLost
from pombal.link.wire.limits import FRAME_MAX_BYTES, PATH

HANDSHAKE_TIMEOUT_S = 10.0
RECEIVE_BUFFER_BYTES = 65_536
TOKEN_FILE_MAX_BYTES = 65_536
UNAUTHORIZED_STATUS = 401
DEFAULT_PORTS = {"ws": 80, "wss": 443}

Stream = trio.abc.Stream


@dataclass(frozen=True, slots=True)
class Way:
    """How to open a stream to a gateway, and what to say on it first."""

    open_stream: Callable[[], Awaitable[Stream]]
    host: str
    resource: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


def way_to_socket(path: Path, session_id: str) -> Way:
    async def open_stream() -> Stream:
        return await trio.open_unix_socket(path)

    return Way(open_stream, "localhost", PATH + session_id)


def way_to_url(url: str, session_id: str, token_file: str | None) -> Way:
    """token_file: read at each opening, so that a token can be replaced. Raises LinkLost where it cannot be read."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]

    async def open_stream() -> Stream:
        if parts.scheme == "ws":
            return await trio.open_tcp_stream(host, port)
        context = ssl.create_default_context()
        stream = await trio.open_ssl_over_tcp_stream(host, port, ssl_context=context, https_compatible=True)
        try:
            await stream.do_handshake()  # now, so that what is wrong with a certificate is said
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return stream

    headers = () if token_file is None else ((b"Authorization", b"Bearer " + _token(token_file)),)
    return Way(open_stream, parts.netloc, parts.path.rstrip("/") + PATH + session_id, headers)


def _token(path: str) -> bytes:
    try:
        token = read_secret(Path(path), TOKEN_FILE_MAX_BYTES).strip()
    except SecretExposed as error:
        raise LinkLost(f"[web] gateway_token_file {error}") from None
    except OSError as error:
        raise LinkLost(f"[web] gateway_token_file {path} cannot be read: {error.strerror}") from error
    if not token or any(byte <= 32 or byte >= 127 for byte in token):
        raise LinkLost(f"[web] gateway_token_file {path} holds no token: one line of ASCII without spaces is expected")
    return token


async def open_stream(way: Way) -> Stream:
    """Raises LinkLost."""
    try:
        return await way.open_stream()
    except (OSError, trio.BrokenResourceError, ssl.SSLError) as error:
        raise LinkLost(f"the gateway cannot be reached: {_why(error)}") from error


async def open_websocket(nursery: trio.Nursery, stream: Stream, way: Way) -> WebSocketConnection:
    """Over an open stream, which stays the caller's to close. Raises LinkLost.

    A gateway that rejects the handshake ends the nursery with ConnectionRejected: see ``rejection``.
    """
    with trio.move_on_after(HANDSHAKE_TIMEOUT_S):
        return await wrap_client_stream(
            nursery,
            stream,  # type: ignore[arg-type]  # any stream will do
            way.host,
            way.resource,
            extra_headers=list(way.headers),
            max_message_size=FRAME_MAX_BYTES,
            receive_buffer_size=RECEIVE_BUFFER_BYTES,
        )
    raise LinkLost(f"the gateway did not greet within {HANDSHAKE_TIMEOUT_S:g} s")


def rejection(error: ConnectionRejected) -> str:
    """What a gateway's HTTP status means for people."""
    if error.status_code == UNAUTHORIZED_STATUS:
        return "the gateway refuses our token (HTTP 401); look at [web] gateway_token_file"
    return f"the gateway refuses the connection (HTTP {error.status_code}); is gateway_url right?"


def _why(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    cause = error.__cause__ if isinstance(error, trio.BrokenResourceError) and error.__cause__ else error
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
