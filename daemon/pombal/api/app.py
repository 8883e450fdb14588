"""The HTTP application: its routes, what is around them, and how they refuse."""

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.routing import WebSocketRoute
from starlette.types import Receive, Scope, Send

from pombal import __version__
from pombal.api.context import Api
from pombal.api.middleware import Counting, CountRequest, HeadAsGet, OneSlash
from pombal.api.problems import (
    BadRequest,
    on_bad_request,
    on_client_gone,
    on_crash,
    on_http_error,
    on_invalid_request,
    on_refusal,
    problem,
)
from pombal.api.routes import audit, contacts, events, health, messages, qr, schema, send, sessions
from pombal.api.routes.event_stream import event_stream_router
from pombal.api.stream_access import OpenStreams
from pombal.api.websocket import EventSocket
from pombal.model.errors import Kind, PombalError

ROUTERS = (
    sessions.router, qr.router, messages.router, send.router, contacts.router, events.router, audit.router,
    health.router, schema.router,
)  # fmt: skip
CORS_MAX_AGE_S = 600


def create_app(api: Api, count_request: CountRequest) -> FastAPI:
    """The application."""
    app = FastAPI(
        title="Pombal", version=__version__, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False
    )
    app.state.api = api
    for kind, handler in (
        (PombalError, on_refusal),
        (BadRequest, on_bad_request),
        (HTTPException, on_http_error),
        (RequestValidationError, on_invalid_request),
        (ClientDisconnect, on_client_gone),
        (Exception, on_crash),
    ):
        app.add_exception_handler(kind, handler)
    for router in ROUTERS:
        app.include_router(router)
    streams = OpenStreams()
    app.include_router(event_stream_router(streams))
    app.router.routes.append(WebSocketRoute("/ws/whatsapp", EventSocket(streams)))
    app.router.routes.append(WebSocketRoute("/{elsewhere:path}", NoSuchSocket()))
    # The last one added is the outermost.
    _add_cors(app, api.settings().http.cors_origins)
    app.add_middleware(HeadAsGet)
    app.add_middleware(Counting, count=count_request)
    app.add_middleware(OneSlash)
    return app


class NoSuchSocket:
    """A WebSocket at a path that has none: 404, as for any other request. The framework's own answer is 403."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # that somebody connects
        detail = f"there is no WebSocket at {scope['path'][:200]}; try /ws/whatsapp/"
        await problem(404, Kind.NOT_FOUND, detail)(scope, receive, send)


def _add_cors(app: FastAPI, origins: list[str]) -> None:
    """Off unless configured. Tokens go in a header, never in a cookie of another origin: no credentials."""
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "HEAD", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "If-None-Match", "Last-Event-ID", "Range"],
            expose_headers=["Content-Range", "Content-Disposition", "ETag", "Expires-At", "Retry-After"],
            max_age=CORS_MAX_AGE_S,
        )
