"""What happens to every request: one way to write a path, and a count. Plain ASGI, without tasks of its own."""

import time
from typing import Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

UNKNOWN_ROUTE = "unknown"
IS_HEAD = "pombal.is_head"
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


class HeadAsGet:
    """Answers HEAD as GET without the body, wherever GET is answered (RFC 9110, 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET", IS_HEAD: True}
            send = _without_body(send)
        await self._app(scope, receive, send)


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            if message.get("more_body", False):
                return
            message = {"type": "http.response.body", "body": b""}
        await send(message)

    return send_head


class Counting:
    """Counts each answered request under its route's template, so that paths never become labels."""

    def __init__(self, app: ASGIApp, count: CountRequest) -> None:
        self._app = app
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, send, self._count)
        try:
            await self._app(scope, receive, answer.send)
        except Exception:
            answer.count(500)
            raise
        finally:
            answer.count(None)


class _Answer:
    """One request's answer on its way out, counted once."""

    def __init__(self, scope: Scope, send: Send, count: CountRequest) -> None:
        self._scope = scope
        self._send = send
        self._count = count
        self._started = time.perf_counter()
        self._code: int | None = None
        self._is_counted = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._code = message["status"]
            if _is_endless(message):
                self.count(None)  # how long somebody listens is no measure of ours
        elif not message.get("more_body", False):
            # Before it is sent: whoever has the answer finds it counted, and a client that reads slowly is not our
            # slowness.
            self.count(None)
        await self._send(message)

    def count(self, code_if_unanswered: int | None) -> None:
        """Count it, if that has not been done; a request that was cancelled before its answer is not counted."""
        code = self._code or code_if_unanswered
        if code is None or self._is_counted:
            return
        self._is_counted = True
        self._count(_route(self._scope), _method(self._scope), code, time.perf_counter() - self._started)


def _is_endless(start: Message) -> bool:
    """Whether the answer is a stream of events."""
    return any(name == b"content-type" and value.startswith(b"text/event-stream") for name, value in start["headers"])


def _route(scope: Scope) -> str:
    """The template with the prefix of its router, which newer FastAPIs keep apart from the route itself."""
    included = scope.get("fastapi", {}).get("effective_route_context")
    path = getattr(included, "path_format", None) or getattr(scope.get("route"), "path", UNKNOWN_ROUTE)
    return str(path)


def _method(scope: Scope) -> str:
    """A method that somebody made up is no label."""
    return scope["method"] if scope["method"] in _METHODS else "other"
