"""Errors over HTTP: problem details (RFC 9457), with the same kinds as on the control socket."""

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from pombal.model.errors import Kind, PombalError

MEDIA_TYPE = "application/problem+json"

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
# Where a status was decided by the framework, for reasons of HTTP's own.
_KIND_OF_STATUS = {401: Kind.UNAUTHORIZED, 403: Kind.FORBIDDEN, 404: Kind.NOT_FOUND, 405: Kind.UNSUPPORTED} | {
    409: Kind.CONFLICT, 413: Kind.TOO_LARGE, 415: Kind.UNSUPPORTED, 429: Kind.RATE_LIMITED,
}  # fmt: skip


def problem(status: int, kind: Kind, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A response that says what went wrong: `type, title, status, detail, kind`."""
    body = {
        # The kind tells errors apart; RFC 9457 has about:blank where the type would add nothing to that.
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "kind": kind,
    }
    return JSONResponse(body, status, headers, MEDIA_TYPE)


async def on_refusal(_: Request, error: Exception) -> JSONResponse:
    """Our own refusals."""
    if not isinstance(error, PombalError):
        raise TypeError("registered for PombalError only") from error
    headers = {"WWW-Authenticate": "Bearer"} if error.kind == Kind.UNAUTHORIZED else None
    return problem(STATUS_OF_KIND[error.kind], error.kind, error.message, headers)


async def on_http_error(request: Request, error: Exception) -> JSONResponse:
    """The framework's: no such path, no such method."""
    if not isinstance(error, HTTPException):
        raise TypeError("registered for HTTPException only") from error
    kind = _KIND_OF_STATUS.get(error.status_code, Kind.INVALID if error.status_code < 500 else Kind.CRASHED)
    return problem(error.status_code, kind, _explained(request, error), error.headers)


async def on_invalid_request(_: Request, error: Exception) -> JSONResponse:
    """A request that does not fit its route: where, and what is wrong there, without repeating what was sent."""
    if not isinstance(error, RequestValidationError):
        raise TypeError("registered for RequestValidationError only") from error
    faults = [f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()]
    unreadable = any(fault["type"] == "json_invalid" for fault in error.errors())
    return problem(400 if unreadable else 422, Kind.INVALID, "; ".join(faults))


async def on_crash(_: Request, __: Exception) -> JSONResponse:
    """An error of ours that nobody expected. The log has the traceback; a caller is told no more than that."""
    return problem(500, Kind.CRASHED, "the request failed for a reason that only the daemon's log tells")


def _explained(request: Request, error: HTTPException) -> str:
    if error.status_code == 404:
        return f"there is nothing at {request.url.path[:200]}"
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        return f"{request.method[:20]} is not possible here; try {allowed}"
    return str(error.detail)
