"""Which keys hold, and which are refused at the start with what to do."""

import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from pombal.auth.keys import Key, load_keys
from pombal.config.errors import StartRefused
from pombal.config.settings import AuthSettings
from tests.auth.making import SECRET, pem


def loaded(tmp_path: Path, settings: dict[str, str]) -> Key | None:
    return load_keys(AuthSettings.model_validate(settings), tmp_path / "token_secret").operators


def written(path: Path, content: bytes) -> Path:
    """A file of the operator's, for the daemon's eyes alone."""
    path.touch(0o600)
    path.write_bytes(content)
    return path


def test_our_own_secret_is_made_once_and_for_us_alone(tmp_path: Path) -> None:
    path = tmp_path / "token_secret"
    first, second = (load_keys(AuthSettings(), path) for _ in range(2))
    assert first.own_secret == second.own_secret
    assert first.operators is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["token_secret"]
    assert len(first.own_secret) >= 32
    assert load_keys(AuthSettings(), tmp_path / "another").own_secret != first.own_secret


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o602])
def test_a_secret_that_others_can_read_or_change_is_no_start(tmp_path: Path, mode: int) -> None:
    own = tmp_path / "token_secret"
    load_keys(AuthSettings(), own)
    theirs = written(tmp_path / "django", SECRET)
    for path, settings in ((theirs, AuthSettings(secret_file=str(theirs))), (own, AuthSettings())):
        path.chmod(mode)
        with pytest.raises(
            StartRefused, match=rf"{path.name} .*\(mode {mode:04o}\): chmod 6.0 .*{path.name}"
        ) as refused:
            load_keys(settings, own)
        assert SECRET.decode() not in str(refused.value)
        assert stat.S_IMODE(path.stat().st_mode) == mode, "what could be read may have been: a person decides"
        path.chmod(0o600)
        load_keys(settings, own)


def test_the_operators_secret_without_its_line_end(tmp_path: Path) -> None:
    key = loaded(tmp_path, {"secret_file": str(written(tmp_path / "django", SECRET + b"\n"))})
    assert key == Key("HS256", SECRET)
    assert SECRET.decode() not in repr(key)


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
        written(tmp_path / "key", content)
    with pytest.raises(StartRefused, match=says) as refused:
        loaded(tmp_path, {setting: str(tmp_path / "key")})
    assert SECRET.decode() not in str(refused.value)


def test_not_both(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="not with both"):
        loaded(tmp_path, {"secret_file": "a", "public_key_file": "b"})
