"""Errors over HTTP: problem details (RFC 9457), with the same kinds as on the control socket."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from pombal.model.errors import STATUS_OF_KIND, Kind, PombalError
from pombal.model.params_base import ERRORS_TOLD
from pombal.model.text import storable

MEDIA_TYPE = "application/problem+json"

# Where a status was decided by the framework, for reasons of HTTP's own.
_KIND_OF_STATUS = {401: Kind.UNAUTHORIZED, 403: Kind.FORBIDDEN, 404: Kind.NOT_FOUND, 405: Kind.UNSUPPORTED} | {
    409: Kind.CONFLICT, 413: Kind.TOO_LARGE, 415: Kind.UNSUPPORTED, 429: Kind.RATE_LIMITED,
}  # fmt: skip


_LISTED_AT = {"session": "/api/v1/whatsapp/sessions/", "message": "/api/v1/whatsapp/messages/"}


def told(error: PombalError) -> str:
    """A refusal in the words of this API: what is missing is to be looked for under a path."""
    listed_at = _LISTED_AT.get(error.data.get("missing", ""))
    return f"{error.message}; GET {listed_at} lists what there is" if listed_at else error.message


class BadRequest(Exception):
    """A refusal whose status HTTP itself decides, such as 400, 406, 415 and 416."""

    def __init__(self, status: int, kind: Kind, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.headers = headers


def problem(
    status: int, kind: Kind, detail: str, headers: Mapping[str, str] | None = None, errors: Any = None
) -> JSONResponse:
    """A response that says what went wrong: `type, title, status, detail, kind`.

    errors: where it is known, which fields and why: [{field, reason}].
    """
    body = {
        # The kind tells errors apart; RFC 9457 has about:blank where the type would add nothing to that.
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": storable(detail),
        "kind": kind,
    }
    if errors:
        body["errors"] = errors
    return JSONResponse(body, status, {"Cache-Control": "no-store"} | dict(headers or {}), MEDIA_TYPE)


async def on_bad_request(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, BadRequest):
        raise TypeError("registered for BadRequest only") from error
    return problem(error.status, error.kind, error.message, error.headers)


async def on_refusal(_: Request, error: Exception) -> JSONResponse:
    """Our own refusals."""
    if not isinstance(error, PombalError):
        raise TypeError("registered for PombalError only") from error
    headers = {}
    if error.kind == Kind.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if (retry_after_s := error.data.get("retry_after_s")) is not None:
        headers["Retry-After"] = str(retry_after_s)
    return problem(STATUS_OF_KIND[error.kind], error.kind, told(error), headers, error.data.get("errors"))


async def on_http_error(request: Request, error: Exception) -> JSONResponse:
    """The framework's: no such path, no such method."""
    if not isinstance(error, HTTPException):
        raise TypeError("registered for HTTPException only") from error
    kind = _KIND_OF_STATUS.get(error.status_code, Kind.INVALID if error.status_code < 500 else Kind.CRASHED)
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = _allowed(request)
    return problem(error.status_code, kind, _explained(request, error), headers)


async def on_invalid_request(_: Request, error: Exception) -> JSONResponse:
    """A request that does not fit its route: where, and what is wrong there, without repeating what was sent."""
    if not isinstance(error, RequestValidationError):
        raise TypeError("registered for RequestValidationError only") from error
    faults = [
        {"field": ".".join(str(part) for part in fault["loc"])[:200], "reason": _reason(fault)}
        for fault in error.errors()[:ERRORS_TOLD]
    ]
    unreadable = any(fault["type"] == "json_invalid" for fault in error.errors())
    detail = "; ".join(f"{fault['field']}: {fault['reason']}" for fault in faults)
    return problem(400 if unreadable else 422, Kind.INVALID, detail, errors=faults)


def _reason(fault: Any) -> str:
    match fault["type"]:
        case "missing":
            return "is required"
        case "extra_forbidden":
            return "no such parameter"
        case "value_error":
            return str(fault["ctx"]["error"])
        case _:
            return str(fault["msg"])


async def on_client_gone(_: Request, __: Exception) -> JSONResponse:
    """In the middle of its request: nobody reads this."""
    return problem(400, Kind.INVALID, "the request ended before its end")


async def on_crash(_: Request, __: Exception) -> JSONResponse:
    """An error of ours that nobody expected. The log has the traceback; a caller is told no more than that."""
    return problem(500, Kind.CRASHED, "the request failed for a reason that only the daemon's log tells")


def _explained(request: Request, error: HTTPException) -> str:
    if error.status_code == 404:
        return f"there is nothing at {request.url.path[:200]}"
    if error.status_code == 405:
        return f"{request.method[:20]} is not possible here; try {_allowed(request)}"
    return str(error.detail)


def _allowed(request: Request) -> str:
    """What the path does answer, in all its routes: the framework tells those of the first one alone."""
    methods: set[str] = set()
    for method in ("GET", "POST", "DELETE"):
        scope = {**request.scope, "method": method}
        if any(route.matches(scope)[0] == Match.FULL for route in request.app.routes):
            methods.add(method)
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))
