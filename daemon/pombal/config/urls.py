"""Addresses of others: proxies on the way to WhatsApp, and gateways elsewhere."""

from urllib.parse import SplitResult, urlsplit

from pombal.config.bind import is_loopback

PROXY_SCHEMES = ("http", "socks5")


def check_proxy(text: str) -> str:
    """For the settings: text as it is, if it is a proxy's address. Raises ValueError, which never repeats it.

    It may hold a password.
    """
    url = _split(text)
    if url.scheme not in PROXY_SCHEMES or not url.hostname or _port(url) is None:
        raise ValueError("must be http://host:port or socks5://host:port, with user:password@ where it is asked for")
    if url.path not in {"", "/"} or url.query or url.fragment:
        raise ValueError("must be an address alone, with nothing after the port")
    return text


def has_password(proxy: str) -> bool:
    """proxy: as check_proxy lets it pass."""
    return urlsplit(proxy).password is not None


def check_gateway_url(text: str) -> str:
    """For the settings: text as it is, if a gateway can be reached there and its token not be overheard."""
    url = _split(text)
    if url.scheme not in {"ws", "wss"} or not url.hostname:
        raise ValueError("must be wss://host[:port][/path] (ws:// on loopback)")
    _port(url)
    if url.query or url.fragment or url.username:
        raise ValueError("must have no user, query or fragment; the token goes into [web] gateway_token_file")
    if url.scheme == "ws" and not is_loopback(url.hostname):
        raise ValueError("must be wss://: over ws:// anybody on the way could read the token; ws:// is for loopback")
    return text


def _split(text: str) -> SplitResult:
    if text != text.strip() or any(char.isspace() for char in text):
        raise ValueError("must have no spaces")
    try:
        return urlsplit(text)
    except ValueError:
        raise ValueError("must be a URL") from None


def _port(url: SplitResult) -> int | None:
    try:
        return url.port
    except ValueError:
        raise ValueError("must have a port between 0 and 65535") from None
