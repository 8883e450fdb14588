"""What can be listened on."""

import pytest

from pombal.config.bind import InheritedBind, TcpBind, parse_bind


@pytest.mark.parametrize(
    ("text", "bind"),
    [
        ("127.0.0.1:8001", TcpBind("127.0.0.1", 8001)),
        ("localhost:0", TcpBind("localhost", 0)),
        ("[::1]:8001", TcpBind("::1", 8001)),
        ("fd://3", InheritedBind(3)),
    ],
)
def test_addresses(text: str, bind: TcpBind | InheritedBind) -> None:
    assert parse_bind(text) == bind


@pytest.mark.parametrize("text", ["", "8001", ":8001", "::1:8001", "host:", "host:65536", "fd://x", "fd://", "a:1:2"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="must "):
        parse_bind(text)
