"""What happens to every request: one way to write a path, and a count. Plain ASGI, without tasks of its own."""

import time
from typing import Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

UNKNOWN_ROUTE = "unknown"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class CountRequest(Protocol):
    """Where requests are counted: the route's template, the method, the status code and the seconds it took."""

    def __call__(self, route: str, method: str, code: int, seconds: float, /) -> None: ...


class OneSlash:
    """Answers a path with a trailing slash as the one without; routes are declared without."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and scope["path"].endswith("/") and scope["path"] != "/":
            scope = {**scope, "path": scope["path"][:-1]}
        await self._app(scope, receive, send)


class Counting:
    """Counts each answered request under its route's template, so that paths never become labels."""

    def __init__(self, app: ASGIApp, count: CountRequest) -> None:
        self._app = app
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, code = time.perf_counter(), 0

        async def watched(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            code = code or 500
            raise
        finally:
            # 0: cancelled before there was an answer.
            if code:
                self._count(_route(scope), _method(scope), code, time.perf_counter() - started)


def _route(scope: Scope) -> str:
    """The template with the prefix of its router, which newer FastAPIs keep apart from the route itself."""
    included = scope.get("fastapi", {}).get("effective_route_context")
    path = getattr(included, "path_format", None) or getattr(scope.get("route"), "path", UNKNOWN_ROUTE)
    return str(path)


def _method(scope: Scope) -> str:
    """A method that somebody made up is no label."""
    return scope["method"] if scope["method"] in _METHODS else "other"
