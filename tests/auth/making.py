"""Tokens as others make them, good and bad."""

import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SECRET = b"django-insecure-0123456789abcdefghijklmnopqrstuvwxyz"
DAY_S = 86_400


def claims(**changes: Any) -> dict[str, Any]:
    """Those of SimpleJWT; a change to None leaves one out."""
    now = int(time.time())
    plain = {"token_type": "access", "exp": now + DAY_S, "iat": now, "jti": "5f8e", "user_id": "42"}
    return {name: value for name, value in (plain | changes).items() if value is not None}


def signed(key: Any = SECRET, algorithm: str = "HS256", headers: dict[str, Any] | None = None, **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm, headers=headers)


def pem(private: Any) -> bytes:
    """The public half."""
    public: bytes = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return public
