"""Language and colours: cookies that say how pages look, and nothing about whoever looks."""

from starlette.responses import Response

from pombal.dashboard.app import Page
from pombal.dashboard.guard import safe_path
from pombal.dashboard.visit import LANGUAGE_COOKIE, THEME_COOKIE, THEMES, Visit
from pombal.dashboard.words import LANGUAGES

A_YEAR_S = 31_536_000


async def prefer(visit: Visit) -> Response:
    response = visit.go(safe_path(visit.field("next")))
    for name, cookie, known in (("language", LANGUAGE_COOKIE, LANGUAGES), ("theme", THEME_COOKIE, THEMES)):
        if (value := visit.field(name)) in known:
            response.set_cookie(cookie, str(value), max_age=A_YEAR_S, httponly=True, samesite="lax")
    return response


# Public: the page to sign in has the same switches. Its origin is checked like that of every form.
PAGES = [Page("/preferences", prefer, "POST", is_public=True)]
