"""TLS by certificate files."""

import ssl
from pathlib import Path
from typing import Self

import trio

from pombal.config.errors import StartRefused
from pombal.config.secret_files import SecretExposed, check_secret
from pombal.config.settings import HttpSettings


class Certificate:
    """The certificate that connections are offered; ``load`` takes a renewed one for those to come."""

    def __init__(self, certificate: str, key: str) -> None:
        self._certificate = certificate
        self._key = key
        self._context: ssl.SSLContext

    @classmethod
    def of(cls, settings: HttpSettings) -> Self | None:
        """None where there is to be no TLS."""
        if settings.tls_certificate is None or settings.tls_key is None:
            return None
        return cls(settings.tls_certificate, settings.tls_key)

    def load(self) -> None:
        """Raises StartRefused, and keeps what it had."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.set_alpn_protocols(["http/1.1"])
        try:
            check_secret(Path(self._key))
            context.load_cert_chain(self._certificate, self._key, password=lambda: "")
        except SecretExposed as error:
            raise StartRefused(f"[http] tls_key {error}") from None
        except (OSError, ssl.SSLError) as error:
            raise StartRefused(
                f"cannot use the certificate {self._certificate} with the key {self._key}: {_reason(error)}; "
                "set [http] tls_certificate and tls_key to files in PEM, the key without a passphrase"
            ) from error
        self._context = context

    def wrap(self, stream: trio.SocketStream) -> trio.SSLStream[trio.SocketStream]:
        return trio.SSLStream(stream, self._context, server_side=True, https_compatible=True)


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or "they cannot be read as such"
    return error.strerror or str(error)
