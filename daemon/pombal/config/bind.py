"""Addresses to listen on: `address:port`, `[IPv6 address]:port`, or `fd://N` for a socket that was inherited."""

import re
from dataclasses import dataclass
from ipaddress import ip_address

_INHERITED = re.compile(r"fd://(\d{1,9})")
_ADDRESS = re.compile(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<host>[^\[\]:]+)):(?P<port>\d{1,5})")
PORT_MAX = 65_535


@dataclass(frozen=True, slots=True)
class TcpBind:
    """Port 0: the kernel chooses one that is free."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class InheritedBind:
    """The number of a descriptor that whoever started us left open."""

    descriptor: int


def parse_bind(text: str) -> TcpBind | InheritedBind:
    """Raises ValueError, with what an address looks like."""
    if inherited := _INHERITED.fullmatch(text):
        return InheritedBind(int(inherited[1]))
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise ValueError("must be address:port, [IPv6 address]:port or fd://N")
    if int(found["port"]) > PORT_MAX:
        raise ValueError(f"must have a port of at most {PORT_MAX}")
    return TcpBind(found["v6"] or found["host"], int(found["port"]))


def check_bind(text: str) -> str:
    """For the settings: text as it is, if it is an address. Raises ValueError."""
    parse_bind(text)
    return text


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it. Of names only `localhost` is known; any other might lead anywhere."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
