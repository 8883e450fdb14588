"""Whatever is refused outside our own pages – no such path, a body too large, a crash – as a page too, for browsers.

Plain ASGI around the whole application. Programs, and everything under the API's paths, keep their problem details.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pombal.dashboard.app import SECURITY_HEADERS, error_page
from pombal.dashboard.site import Site
from pombal.dashboard.visit import Visit
from pombal.model.errors import Kind, PombalError

PROBLEM = "application/problem+json"
_OF_PROGRAMS = ("/api/", "/ws/", "/metrics", "/livez", "/readyz")
_REPLACED = ("content-type", "content-length")


class ErrorPages:
    """Puts a page in the place of problem details."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_for_a_person(scope):
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, _Answer(self._site, scope, receive, send).send)


def _is_for_a_person(scope: Scope) -> bool:
    asked_for_page = "text/html" in Headers(scope=scope).get("accept", "")
    return asked_for_page and scope["method"] != "HEAD" and not scope["path"].startswith(_OF_PROGRAMS)


@dataclass
class _Answer:
    """One answer on its way out; problem details are held back until they are whole."""

    site: Site
    scope: Scope
    receive: Receive
    forward: Send
    problem: Message | None = None
    body: bytearray = field(default_factory=bytearray)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_problem(message):
            self.problem = message
        elif self.problem is None:
            await self.forward(message)
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._page(self.problem)(self.scope, self.receive, self.forward)

    def _page(self, problem: Message) -> Response:
        told = json.loads(self.body)
        visit = Visit(self.site, Request(self.scope))
        visit.recognize()
        response = error_page(visit, _error(told), problem["status"])
        for name, value in Headers(raw=problem["headers"]).items():
            if name not in _REPLACED:
                response.headers[name] = value
        response.headers.update(SECURITY_HEADERS)
        return response


def _is_problem(start: Message) -> bool:
    return str(MutableHeaders(raw=start["headers"]).get("content-type", "")).startswith(PROBLEM)


def _error(told: dict[str, Any]) -> PombalError:
    facts = {"errors": told["errors"]} if "errors" in told else {}
    return PombalError(Kind(told["kind"]), str(told["detail"]), **facts)
