"""Who asks: by the token in the Authorization header (RFC 6750), within the rate of that token."""

from ipaddress import IPv6Address, ip_address
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from pombal.api.context import api_of
from pombal.auth.tokens import Identity
from pombal.model.caller import Caller, Role
from pombal.model.errors import Kind, PombalError

# A proxy on this machine makes all the world look local; these are what proxies add.
_FORWARDING = frozenset(
    {"forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip", "cf-connecting-ip"}
)


def bearer_token(connection: HTTPConnection) -> str:
    """The token of the Authorization header. Raises PombalError (unauthorized)."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise PombalError(Kind.UNAUTHORIZED, "a token is needed: Authorization: Bearer <token>")
    return token.strip()


def identify(connection: HTTPConnection) -> Identity:
    """Whom the request's token stands for; it counts against the token's rate.

    Raises PombalError: unauthorized, rate_limited.
    """
    api = api_of(connection)
    identity = api.tokens.authenticate(bearer_token(connection))
    api.rate_limit.take(identity.token_id)
    return identity


async def caller_of(connection: HTTPConnection) -> Caller:
    """The same as a dependency of routes."""
    return identify(connection).caller


Authorized = Annotated[Caller, Depends(caller_of)]


def require_local_or_admin(connection: HTTPConnection) -> None:
    """Lets in whoever is on this machine and comes straight from it, and an admin's token from anywhere.

    Raises PombalError: unauthorized, forbidden, rate_limited.
    """
    if _is_loopback(connection) and not _is_forwarded(connection):
        return
    if "authorization" not in connection.headers:
        raise PombalError(
            Kind.UNAUTHORIZED,
            "without a token this answers requests from this machine only, and none that a proxy has forwarded",
        )
    if identify(connection).caller.role != Role.ADMIN:
        raise PombalError(Kind.FORBIDDEN, "this is about everybody's sessions; it takes the role admin")


def _is_loopback(connection: HTTPConnection) -> bool:
    if connection.client is None:
        return False
    try:
        address = ip_address(connection.client.host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _is_forwarded(connection: HTTPConnection) -> bool:
    return any(name in _FORWARDING or name.startswith("x-forwarded-") for name in connection.headers)
