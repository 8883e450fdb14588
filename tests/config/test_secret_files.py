"""Files with secrets that others can read are refused, with what to do; a configuration with a password is one."""

import os
from pathlib import Path

import pytest

from pombal.config.errors import ConfigError
from pombal.config.load import load
from pombal.config.secret_files import SecretExposed, check_secret, exposure, read_secret

US, ROOT, ANOTHER = 999, 0, 1000


@pytest.mark.parametrize(
    ("mode", "owner"),
    [(0o600, US), (0o400, US), (0o600, ROOT), (0o640, ROOT), (0o440, ROOT)],
)
def test_what_is_a_secret(mode: int, owner: int) -> None:
    assert exposure(mode, owner, US) is None


@pytest.mark.parametrize(
    ("mode", "owner", "advice"),
    [
        (0o640, US, "chmod 600 "),
        (0o604, US, "chmod 600 "),
        (0o666, US, "chmod 600 "),
        (0o644, ROOT, "chmod 640 "),
        (0o660, ROOT, "chmod 640 "),
        (0o600, ANOTHER, f"chown {US} "),
    ],
)
def test_what_is_none(mode: int, owner: int, advice: str) -> None:
    assert advice in (exposure(mode, owner, US) or "")


def test_it_is_told_by_its_path_and_mode(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("hunter2")
    path.chmod(0o644)
    for look in (check_secret, lambda path: read_secret(path, 10)):
        with pytest.raises(SecretExposed, match=rf"^{path} .* \(mode 0644\): chmod 6[04]0 {path}$"):
            look(path)
    path.chmod(0o600)
    check_secret(path)
    assert read_secret(path, 6) == b"hunter"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to another user")
def test_one_that_belongs_to_somebody_else(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.touch(0o600)
    os.chown(path, ANOTHER, ANOTHER)
    with pytest.raises(SecretExposed, match=rf"belongs to uid {ANOTHER}: chown {os.geteuid()} {path}"):
        check_secret(path)


@pytest.mark.parametrize(
    ("proxy", "is_refused"), [("socks5://u:hunter2@p.example:1", True), ("socks5://u@p.example:1", False)]
)
def test_a_configuration_with_a_password_is_a_secret(tmp_path: Path, proxy: str, is_refused: bool) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f'[web]\nproxy = "{proxy}"\n')
    path.chmod(0o644)
    if is_refused:
        with pytest.raises(ConfigError, match=r"web\.proxy: has a password in it, but .*: chmod 6.0") as refused:
            load(path)
        assert "hunter2" not in str(refused.value)
        path.chmod(0o600)
    assert load(path).web.proxy == proxy
