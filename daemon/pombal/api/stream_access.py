"""Who listens to a stream: browsers cannot give a WebSocket or an EventSource a header, so there are three ways."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from pombal.api.access import bearer_token
from pombal.api.context import api_of
from pombal.auth.cookies import token_in_cookies
from pombal.auth.tokens import Identity
from pombal.model.errors import Kind, PombalError

TRY_AGAIN_S = 60


def identify_stream(connection: HTTPConnection, *, needs_origin: bool) -> Identity:
    """By the header `Authorization`, else by `?token=`, else by the cookie; it counts against the token's rate.

    A cookie comes along with whatever page opens the stream, so there `Origin` must be our own; needs_origin: it must
    be there at all. Raises PombalError: unauthorized, forbidden (a foreign page), rate_limited.
    """
    api = api_of(connection)
    identity = api.tokens.authenticate(_token(connection, needs_origin))
    api.rate_limit.take(identity.token_id)
    return identity


def _token(connection: HTTPConnection, needs_origin: bool) -> str:
    if "authorization" in connection.headers:
        return bearer_token(connection)
    if token := connection.query_params.get("token"):
        return token
    token = token_in_cookies(connection.headers.get("cookie"))
    if not token:
        raise PombalError(Kind.UNAUTHORIZED, "a token is needed: Authorization: Bearer <token>, or ?token=<token>")
    _require_own_page(connection, needs_origin)
    return token


def _require_own_page(connection: HTTPConnection, needs_origin: bool) -> None:
    origin = connection.headers.get("origin")
    if origin is None and not needs_origin:
        return
    public_url = api_of(connection).settings().http.public_url
    # By host and port alone: behind a proxy that has the certificate we do not know which scheme the browser sees.
    own = {connection.headers.get("host", "").lower(), *([_host(public_url)] if public_url else [])}
    if origin is None or not _host(origin) or _host(origin) not in own:
        raise PombalError(
            Kind.FORBIDDEN, "a page of another origin may not use this browser's cookie; give it a token of its own"
        )


def _host(url: str) -> str:
    """Host and port as a browser writes them in `Host`; empty for what is no URL, such as `null`."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    host = f"[{host}]" if ":" in host else host
    return host if port in (None, {"http": 80, "https": 443}.get(parts.scheme)) else f"{host}:{port}"


class OpenStreams:
    """How many streams each token has."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    @contextmanager
    def one_more(self, token_id: str, most: int) -> Iterator[None]:
        """Counts for as long as the block lasts. Raises PombalError (rate_limited) where it would be too many."""
        if self._open[token_id] >= most:
            raise PombalError(
                Kind.RATE_LIMITED,
                f"this token has {most} streams open ([http] streams_per_token); close one",
                retry_after_s=TRY_AGAIN_S,
            )
        self._open[token_id] += 1
        try:
            yield
        finally:
            self._open[token_id] -= 1
            if not self._open[token_id]:
                del self._open[token_id]
