"""Who may see what needs no token: whoever is on this machine, and comes straight from it."""

from ipaddress import IPv6Address, ip_address

from starlette.requests import HTTPConnection

from pombal.model.errors import Kind, PombalError

# A proxy on this machine makes all the world look local; these are what proxies add.
_FORWARDING = frozenset(
    {"forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip", "cf-connecting-ip"}
)


def require_local(connection: HTTPConnection) -> None:
    """Raises PombalError (unauthorized) for a request that came from elsewhere, or through a proxy."""
    if not _is_loopback(connection) or _is_forwarded(connection):
        raise PombalError(
            Kind.UNAUTHORIZED,
            "without a token this answers requests from this machine only, and none that a proxy has forwarded",
        )


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
