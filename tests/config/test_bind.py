"""What can be listened on."""

from pathlib import Path

import pytest

from pombal.config.bind import InheritedBind, TcpBind, is_loopback, parse_bind
from pombal.config.errors import ConfigError
from pombal.config.load import parse


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


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_what_this_machine_alone_can_reach(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "pombal.example", "localhost.example", ""])
def test_what_others_may_reach(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("bind", ["0.0.0.0:8001", "[::]:8001", "192.0.2.1:80", "pombal.example:8001"])
def test_http_is_not_offered_to_others_in_the_clear(bind: str) -> None:
    text, path = f'[http]\nbind = "{bind}"\n', Path("config.toml")
    with pytest.raises(ConfigError, match=r"http: other machines can reach .*tls_certificate.*behind_proxy = true"):
        parse(text, path)
    for more in ("behind_proxy = true", "enabled = false", 'tls_certificate = "c"\ntls_key = "k"'):
        assert parse(text + more, path).http.bind == bind
