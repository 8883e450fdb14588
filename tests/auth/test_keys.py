"""Which keys hold, and which are refused at the start with what to do."""

import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from structlog.testing import capture_logs

from pombal.auth.keys import Key, load_keys
from pombal.config.errors import StartRefused
from pombal.config.settings import AuthSettings
from tests.auth.making import SECRET, pem


def loaded(tmp_path: Path, settings: dict[str, str], environ: dict[str, str] | None = None) -> Key | None:
    return load_keys(AuthSettings.model_validate(settings), tmp_path / "token_secret", environ or {}).operators


def test_our_own_secret_is_made_once_and_for_us_alone(tmp_path: Path) -> None:
    path = tmp_path / "token_secret"
    first, second = (load_keys(AuthSettings(), path, {}) for _ in range(2))
    assert first.own_secret == second.own_secret
    assert first.operators is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["token_secret"]
    assert len(first.own_secret) >= 32
    assert load_keys(AuthSettings(), tmp_path / "another", {}).own_secret != first.own_secret


def test_a_secret_that_others_could_read_is_closed_to_them_and_told(tmp_path: Path) -> None:
    load_keys(AuthSettings(), tmp_path / "token_secret", {})
    (tmp_path / "token_secret").chmod(0o644)
    with capture_logs() as logs:
        load_keys(AuthSettings(), tmp_path / "token_secret", {})
    assert stat.S_IMODE((tmp_path / "token_secret").stat().st_mode) == 0o600
    assert [entry["log_level"] for entry in logs] == ["warning"]


def test_the_operators_secret_without_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "django").write_bytes(SECRET + b"\n")
    key = loaded(tmp_path, {"secret_file": str(tmp_path / "django")})
    assert key == Key("HS256", SECRET)
    assert SECRET.decode() not in repr(key)


def test_systemds_credentials(tmp_path: Path) -> None:
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert loaded(tmp_path, {}, environ) is None
    (tmp_path / "jwt-secret").write_bytes(SECRET)
    assert loaded(tmp_path, {}, environ) == Key("HS256", SECRET)


@pytest.mark.parametrize(
    ("private", "algorithm"),
    [(rsa.generate_private_key(65537, 2048), "RS256"), (ed25519.Ed25519PrivateKey.generate(), "EdDSA")],
)
def test_a_public_key_decides_its_algorithm(tmp_path: Path, private: rsa.RSAPrivateKey, algorithm: str) -> None:
    (tmp_path / "key.pem").write_bytes(pem(private))
    key = loaded(tmp_path, {"public_key_file": str(tmp_path / "key.pem")})
    assert key is not None
    assert key.algorithm == algorithm


@pytest.mark.parametrize(
    ("content", "setting", "says"),
    [
        (b"short", "secret_file", "at least 32"),
        (SECRET, "public_key_file", "no public key in PEM"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "public_key_file", "Ed25519"),
        (pem(rsa.generate_private_key(65537, 1024)), "public_key_file", "2048"),
        (None, "secret_file", "No such file"),
    ],
)
def test_what_is_no_key_refuses_the_start(tmp_path: Path, content: bytes | None, setting: str, says: str) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    with pytest.raises(StartRefused, match=says) as refused:
        loaded(tmp_path, {setting: str(tmp_path / "key")})
    assert SECRET.decode() not in str(refused.value)


def test_not_both(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="not with both"):
        loaded(tmp_path, {"secret_file": "a", "public_key_file": "b"})
