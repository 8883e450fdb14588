"""Styles, scripts and the icon."""

from starlette.responses import RedirectResponse, Response

from pombal.dashboard.app import Page
from pombal.dashboard.visit import Visit
from pombal.model.errors import not_found

FOR_EVER = "public, max-age=31536000, immutable"


async def show(visit: Visit) -> Response:
    """A file under the version that is here; under another one (a page from before an upgrade) it is not kept."""
    assets = visit.site.assets
    found = assets.by_name.get(visit.path("name"))
    if found is None:
        raise not_found("there is no such file")
    kept = FOR_EVER if visit.path("version") == assets.version else "no-cache"
    return Response(found.content, headers={"Content-Type": found.content_type, "Cache-Control": kept})


async def icon(visit: Visit) -> Response:
    return RedirectResponse(visit.site.assets.url("icon.svg"))


PAGES = [
    Page("/static/{version}/{name:path}", show, is_public=True),
    Page("/favicon.ico", icon, is_public=True),
]
