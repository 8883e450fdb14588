"""What goes wrong: the daemon refuses (ApiError), or it cannot be reached (Unreachable)."""

import json
from typing import Any

AWAY = (502, 503, 504)
"""Statuses that pass by themselves: the daemon's own is 503, a proxy's are the others while no daemon is behind it."""


class ApiError(Exception):
    """A refusal, in the terms of RFC 9457: ``kind`` is stable and for programs, ``detail`` for people.

    ``retry_after_s`` says when to try again, where the daemon said so.
    """

    def __init__(self, status: int, kind: str, detail: str, retry_after_s: float | None = None) -> None:
        super().__init__(f"{status} {kind}: {detail}")
        self.status = status
        self.kind = kind
        self.detail = detail
        self.retry_after_s = retry_after_s


class Unreachable(Exception):
    """No answer came: there is no connection, it broke, or it took too long.

    was_sent: the daemon may have had the request, and may have done what it says.
    """

    def __init__(self, detail: str, *, was_sent: bool) -> None:
        super().__init__(detail)
        self.was_sent = was_sent


def api_error(status: int, body: bytes, retry_after: str | None) -> ApiError:
    """The refusal behind an answer; a proxy on the way may have words of its own."""
    problem = _problem(body)
    detail = str(problem.get("detail") or body[:200].decode(errors="replace") or "no reason was given")
    waits = retry_after is not None and retry_after.isdecimal()
    return ApiError(status, str(problem.get("kind", "unknown")), detail, float(retry_after or 0) if waits else None)


def _problem(body: bytes) -> dict[str, Any]:
    try:
        problem = json.loads(body)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
