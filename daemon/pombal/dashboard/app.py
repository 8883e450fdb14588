"""The dashboard as routes: each page behind the same door, and every refusal a page too."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from pombal.dashboard.site import Site
from pombal.dashboard.visit import Visit
from pombal.model.errors import STATUS_OF_KIND, Kind, PombalError

_PASSING = frozenset({Kind.UNAVAILABLE, Kind.SHUTTING_DOWN, Kind.RATE_LIMITED})

Handler = Callable[[Visit], Awaitable[Response]]

SECURITY_HEADERS = {
    # No script, style or picture but our own files: what a message holds can do nothing even if it got through.
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # not no-referrer: with it a browser hides from ourselves where a form comes from
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Page:
    """One route. ``is_public``: for those who have not signed in; ``takes_file``: its form may bring one."""

    path: str
    handler: Handler
    method: str = "GET"
    is_public: bool = False
    takes_file: bool = False


def create_router(site: Site, pages: list[Page]) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    for page in pages:
        methods = ["GET", "HEAD"] if page.method == "GET" else [page.method]
        router.add_api_route(page.path, _endpoint(site, page), methods=methods, response_model=None)
    return router


def _endpoint(site: Site, page: Page) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        visit = Visit(site, request)
        try:
            response = await _carry_out(visit, page)
        except PombalError as error:
            response = refusal(visit, error)
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return answer


async def _carry_out(visit: Visit, page: Page) -> Response:
    if not page.is_public:
        visit.identify()
    if page.method == "GET":
        return await page.handler(visit)
    try:
        await visit.read_form(takes_file=page.takes_file)
        return await page.handler(visit)
    finally:
        visit.close_form()


def refusal(visit: Visit, error: PombalError) -> Response:
    """What went wrong, as a page; who is not signed in is asked to, and led back."""
    status = STATUS_OF_KIND[error.kind]
    if error.kind == Kind.UNAUTHORIZED and visit.part is None and visit.request.method in ("GET", "HEAD"):
        back = f"{visit.request.url.path}?{visit.request.url.query}".rstrip("?")
        return RedirectResponse("/sign-in" if back == "/" else f"/sign-in?next={quote(back)}", 303)
    return error_page(visit, error, status)


def error_page(visit: Visit, error: PombalError, status: int) -> Response:
    """``retries``: what was looked at is there again as soon as the daemon can, and the page looks by itself."""
    retries = error.kind in _PASSING and visit.request.method == "GET"
    return visit.html("error.html", status, refusal=visit.explain(error), status=status, retries=retries)
