"""The keys that tokens are checked with: the operator's, from a file, and always our own.

Our own secret is made at the first start. Tokens that we sign with it name it (`kid`), so that neither key is ever
tried on the other's tokens. Where the operator has configured none, others who were given ours may sign with it, too.
"""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from pombal.config.errors import StartRefused
from pombal.config.secret_files import SecretExposed, read_secret
from pombal.config.settings import AuthSettings

SECRET_MIN_BYTES = 32  # RFC 7518, 3.2: a key for HS256 is no shorter than its hash
RSA_MIN_BITS = 2048  # RFC 7518, 3.3
_MAX_BYTES = 65_536

PublicKey = RSAPublicKey | Ed25519PublicKey | Ed448PublicKey


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """What verifies a token: the one algorithm it may be signed with, and a secret or a public key for that."""

    algorithm: Literal["HS256", "RS256", "EdDSA"]
    value: bytes | PublicKey


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """own_secret: signs what `token.create` makes (HS256). operators: None where none is configured."""

    own_secret: bytes
    operators: Key | None = None


def load_keys(settings: AuthSettings, own_path: Path) -> Keys:
    """The keys as configured; our own is made where there is none yet. Raises StartRefused with what to do."""
    return Keys(_own_secret(own_path), _operators_key(settings))


def _operators_key(settings: AuthSettings) -> Key | None:
    secret, public = _path(settings.secret_file), _path(settings.public_key_file)
    if secret is not None and public is not None:
        raise StartRefused(
            f"tokens are checked with a secret ({secret}) or with a public key ({public}), not with both: "
            "set [auth] secret_file or [auth] public_key_file"
        )
    if secret is not None:
        return Key("HS256", _secret(secret, "[auth] secret_file"))
    return None if public is None else _public_key(public)


def _path(given: str | None) -> Path | None:
    return Path(given).expanduser() if given else None


def _secret(path: Path, setting: str) -> bytes:
    try:
        secret = read_secret(path, _MAX_BYTES).strip(b"\r\n")  # the line end is the editor's
    except SecretExposed as error:
        raise StartRefused(
            f"{error} (whoever has read it can make tokens: better give {setting} another one)"
        ) from None
    except OSError as error:
        raise _unreadable(path, setting, error) from error
    if len(secret) < SECRET_MIN_BYTES:
        raise StartRefused(
            f"the secret in {path} has {len(secret)} bytes; HS256 asks for at least {SECRET_MIN_BYTES} (RFC 7518): "
            f"give {setting} a longer one"
        )
    return secret


def _public_key(path: Path) -> Key:
    setting = "[auth] public_key_file"
    try:
        key = load_pem_public_key(_read(path, setting))
    except (ValueError, UnsupportedAlgorithm):
        raise StartRefused(
            f"{path} holds no public key in PEM (-----BEGIN PUBLIC KEY-----); give {setting} one"
        ) from None
    if isinstance(key, Ed25519PublicKey | Ed448PublicKey):
        return Key("EdDSA", key)
    if isinstance(key, RSAPublicKey) and key.key_size >= RSA_MIN_BITS:
        return Key("RS256", key)
    raise StartRefused(f"{path}: {setting} takes an Ed25519 or Ed448 key, or an RSA key of {RSA_MIN_BITS} bits or more")


def _read(path: Path, setting: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES)
    except OSError as error:
        raise _unreadable(path, setting, error) from error


def _unreadable(path: Path, setting: str, error: OSError) -> StartRefused:
    return StartRefused(f"cannot read {path}: {error.strerror}; mend that, or set {setting}")


# Our own


def _own_secret(path: Path) -> bytes:
    try:
        if not path.exists():
            _make(path)
    except OSError as error:
        raise StartRefused(f"cannot keep a token secret at {path}: {error.strerror}") from error
    return _secret(path, "this file (or remove it, and all tokens made so far are void)")


def _make(path: Path) -> None:
    """Whole or not at all: a crash leaves no half secret. Only the holder of the state directory's lock comes here."""
    half = path.with_name(f"{path.name}.new")
    half.unlink(missing_ok=True)
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(SECRET_MIN_BYTES) + "\n")
        file.flush()
        os.fsync(file.fileno())
    half.rename(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
