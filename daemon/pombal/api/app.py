"""The HTTP application: `/metrics`, `/api/v1/health/`, `/livez` and `/readyz`."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from pombal.api.access import require_local
from pombal.api.middleware import Counting, CountRequest, OneSlash
from pombal.api.problems import on_crash, on_http_error, on_invalid_request, on_refusal
from pombal.model.errors import PombalError
from pombal.model.health import VITAL_CHECKS, Health

READ = ["GET", "HEAD"]
UNCACHED = {"Cache-Control": "no-store"}


def create_app(
    *, health: Callable[[], Health], render_metrics: Callable[[str], tuple[bytes, str]], count_request: CountRequest
) -> FastAPI:
    """The application. render_metrics takes an Accept header and gives the page with its content type.

    Both callables answer from memory, at once.
    """
    app = FastAPI(title="Pombal", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    for kind, handler in (
        (PombalError, on_refusal),
        (HTTPException, on_http_error),
        (RequestValidationError, on_invalid_request),
        (Exception, on_crash),
    ):
        app.add_exception_handler(kind, handler)
    # The last one added is the outermost.
    app.add_middleware(Counting, count=count_request)
    app.add_middleware(OneSlash)
    _add_metrics(app, render_metrics)
    _add_health(app, health)
    return app


def _add_metrics(app: FastAPI, render_metrics: Callable[[str], tuple[bytes, str]]) -> None:
    @app.api_route("/metrics", methods=READ)
    async def metrics(request: Request) -> Response:
        require_local(request)
        page, content_type = render_metrics(", ".join(request.headers.getlist("accept")))
        return Response(page, headers={"Content-Type": content_type})


def _add_health(app: FastAPI, health: Callable[[], Health]) -> None:
    @app.api_route("/api/v1/health", methods=READ)
    async def whole() -> Response:
        now = health()
        return _answer(now.object(), now.ok)

    @app.api_route("/livez", methods=READ)
    async def livez() -> Response:
        now = health()
        return _answer(_brief([name for name in now.failing if name in VITAL_CHECKS]), now.is_live)

    @app.api_route("/readyz", methods=READ)
    async def readyz() -> Response:
        now = health()
        return _answer(_brief([name for name in now.failing if name not in now.checks]), now.is_ready)


def _brief(failing: list[str]) -> dict[str, Any]:
    return {"status": "failing" if failing else "ok", "failing": failing}


def _answer(body: dict[str, Any], ok: bool) -> JSONResponse:
    return JSONResponse(body, 200 if ok else 503, UNCACHED)
