"""The one exception that crosses room walls: a refusal with a stable kind and a text for people."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """Why something was refused. The values are part of the protocol; see docs/control-protocol.md."""

    INVALID = "invalid"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    ALREADY_EXISTS = "already_exists"
    NOT_READY = "not_ready"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    SHUTTING_DOWN = "shutting_down"
    CRASHED = "crashed"


STATUS_OF_KIND: Mapping[Kind, int] = {
    Kind.INVALID: 422,
    Kind.UNAUTHORIZED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.ALREADY_EXISTS: 409,
    Kind.NOT_READY: 423,
    Kind.TOO_LARGE: 413,
    Kind.UNSUPPORTED: 501,
    Kind.RATE_LIMITED: 429,
    Kind.UNAVAILABLE: 503,
    Kind.SHUTTING_DOWN: 503,
    Kind.CRASHED: 500,
}
"""The status of each kind over HTTP (RFC 9110), for whoever answers there: the API, its WebSocket, the dashboard."""


class PombalError(Exception):
    """A request that was refused, or a command that failed, told to whoever asked.

    ``message`` says what to do about it; ``data`` holds facts for programs and never a secret or a message text.
    """

    def __init__(self, kind: Kind, message: str, **data: Any) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.data = data


def invalid(message: str, **data: Any) -> PombalError:
    return PombalError(Kind.INVALID, message, **data)


def not_found(message: str, **data: Any) -> PombalError:
    return PombalError(Kind.NOT_FOUND, message, **data)


def no_session(name_or_id: str) -> PombalError:
    """``missing`` lets each transport say in its own words where to look: a command, or a path."""
    return not_found(f"there is no session {name_or_id[:80]!r}", missing="session")
