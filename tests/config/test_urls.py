"""Addresses in settings: what is none, and what would be overheard, is refused without repeating it."""

from pathlib import Path

import pytest

from pombal.config.errors import ConfigError
from pombal.config.load import load
from pombal.config.urls import check_gateway_url, check_proxy


@pytest.mark.parametrize(
    "proxy", ["http://10.0.0.1:3128", "socks5://user:secret@proxy.example:1080", "http://[::1]:8080/"]
)
def test_proxies(proxy: str) -> None:
    assert check_proxy(proxy) == proxy


@pytest.mark.parametrize(
    "proxy",
    ["", "proxy:1080", "https://proxy:443", "socks5://proxy", "socks5://:1080", "http://p:99999", "http://p:1/x",
     "http://p:1?x", "http://p :1", "http://[::1:8080", "socks4://p:1"],
)  # fmt: skip
def test_what_is_no_proxy(proxy: str) -> None:
    with pytest.raises(ValueError, match="must"):
        check_proxy(proxy)


@pytest.mark.parametrize(
    "url", ["wss://gateway.example", "wss://gateway.example:8443/pombal", "ws://127.0.0.1:9", "ws://localhost:9", "ws://[::1]:9"]
)  # fmt: skip
def test_gateways(url: str) -> None:
    assert check_gateway_url(url) == url


@pytest.mark.parametrize(
    "url", ["", "gateway.example", "https://gateway.example", "ws://gateway.example", "ws://10.0.0.1:9", "wss://",
            "wss://me:secret@gateway.example", "wss://gateway.example?token=secret", "wss://gateway.example:port"]
)  # fmt: skip
def test_what_is_no_gateway(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        check_gateway_url(url)


@pytest.mark.parametrize("key", ["proxy", "gateway_url"])
def test_a_password_in_a_bad_address_is_not_shown(tmp_path: Path, key: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f'[web]\n{key} = "ftp://me:secret@host:1"\n')
    with pytest.raises(ConfigError) as refused:
        load(path)
    assert f"web.{key}" in str(refused.value)
    assert "secret" not in str(refused.value)
