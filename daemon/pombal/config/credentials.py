"""systemd's credentials (systemd.exec(5), LoadCredential=): files for one service alone, and what they stand in for."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

# The name of a credential, and the key that it fills where the configuration file leaves it unset.
CREDENTIALS = {
    "jwt-secret": "auth.secret_file",
    "jwt-public-key": "auth.public_key_file",
    "tls-certificate": "http.tls_certificate",
    "tls-key": "http.tls_key",
    "gateway-token": "web.gateway_token_file",
}


def with_credentials(data: dict[str, Any], environ: Mapping[str, str]) -> tuple[dict[str, Any], frozenset[str]]:
    """(data of a configuration file with the credentials that are there, the keys that these have filled).

    What the file itself says comes first.
    """
    filled = dict(data)
    keys = set()
    for key, path in _there(environ):
        section, _, name = key.partition(".")
        table = filled.get(section, {})
        if isinstance(table, dict) and name not in table:
            filled[section] = {**table, name: str(path)}
            keys.add(key)
    return filled, frozenset(keys)


def _there(environ: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if directory:
        for name, key in CREDENTIALS.items():
            path = Path(directory).absolute() / name
            if path.exists():
                yield key, path
