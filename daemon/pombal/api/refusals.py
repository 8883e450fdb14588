"""Answers to what never reaches the application: problem details (RFC 9457), as from the application."""

import json
from http import HTTPStatus

from pombal.model.errors import Kind

_KINDS = {413: Kind.TOO_LARGE, 431: Kind.TOO_LARGE, 501: Kind.UNSUPPORTED, 503: Kind.UNAVAILABLE}
_DETAILS = {
    400: "this is no HTTP/1.1 request",
    408: "the request took too long to arrive",
    431: "the request's line and headers are too long",
    501: "this way of transferring a body is not supported",
    505: "only HTTP/1.0 and HTTP/1.1 are spoken here; for HTTP/2, put a proxy in front",
}


def refusal(status: int, detail: str | None = None) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and body (problem details, RFC 9457) for what never reaches the application."""
    title = HTTPStatus(status).phrase
    body = json.dumps(
        {
            "type": "about:blank",
            "title": title,
            "status": status,
            "detail": detail or _DETAILS.get(status, title),
            "kind": _KINDS.get(status, Kind.INVALID),
        }
    ).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    return headers, body


def raw_refusal(status: int, detail: str) -> bytes:
    """A whole answer, for a connection on which nothing has been said."""
    headers, body = refusal(status, detail)
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
