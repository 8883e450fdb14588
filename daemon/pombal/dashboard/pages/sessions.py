"""All sessions, live; and a new one."""

from typing import Any

from starlette.responses import RedirectResponse, Response

from pombal.dashboard.app import Page
from pombal.dashboard.refusals import Refusal, about
from pombal.dashboard.views.conversations import search_for
from pombal.dashboard.views.sessions import SessionLine, lines_of, tiles_of
from pombal.dashboard.visit import Visit
from pombal.model.errors import STATUS_OF_KIND, PombalError
from pombal.model.phone import parse_number
from pombal.model.session import LinkKind
from pombal.model.session_state import SessionStatus

LIMIT = 50
PARTS = {"rows": "session_rows", "tiles": "session_tiles"}


async def home(visit: Visit) -> Response:
    return RedirectResponse("/sessions", 303)


async def show(visit: Visit) -> Response:
    mark = await visit.mark()
    filters = {name: visit.query(name) for name in ("search", "status", "link", "owner")}
    lines, following = await _lines(visit, filters) if visit.part != "tiles" else ([], None)
    daemon = await visit.ask("daemon.status") if visit.is_admin and visit.part != "rows" else None
    return visit.page(
        "sessions",
        PARTS,
        mark=mark,
        lines=lines,
        following=following,
        filters=filters,
        is_filtered=any(filters.values()) or visit.query("cursor") is not None,
        tiles=[] if daemon is None else tiles_of(daemon),
        statuses=list(SessionStatus),
        links=list(LinkKind),
    )


async def _lines(visit: Visit, filters: dict[str, str | None]) -> tuple[list[SessionLine], str | None]:
    """The lines, and the cursor of those after them. A module asks for as many as it has in its page."""
    owner = filters["owner"] if visit.is_admin else None
    asked_for: dict[str, Any] = filters | {
        "search": search_for(filters["search"]), "owner": owner, "limit": visit.limit(LIMIT),
        "cursor": visit.query("cursor"),
    }  # fmt: skip
    page = await visit.ask("session.list", **asked_for)
    if not page.results:
        return [], None
    figures = await visit.ask("session.figures", sessions=[session.id for session in page.results], since="1h")
    acceptable_ms = visit.site.live.current.latency.acceptable_ms
    return lines_of(page.results, figures.results, acceptable_ms), page.next


async def new(visit: Visit) -> Response:
    return await _form(visit, 200, {}, None)


async def _form(visit: Visit, status: int, given: dict[str, str | None], problem: Refusal | None) -> Response:
    default = visit.site.live.current.sessions.default_link
    links, mark = list(LinkKind), await visit.mark()
    return visit.html(
        "session_new.html", status, mark=mark, links=links, default_link=default, given=given, problem=problem
    )


async def create(visit: Visit) -> Response:
    given = {name: visit.field(name) for name in ("name", "link", "owner", "device_name", "phone_number")}
    try:
        if given["phone_number"]:
            with about("phone_number"):
                parse_number(given["phone_number"])
        session = await visit.ask("session.create", **given)
    except PombalError as error:
        # what was typed is not lost, and the form says what is wrong with it
        return await _form(visit, STATUS_OF_KIND[error.kind], given, visit.explain(error))
    return visit.go(f"/sessions/{session.name}/link", "session_created")


PAGES = [
    Page("/", home, is_public=True),
    Page("/sessions", show),
    Page("/new-session", new),
    Page("/new-session", create, "POST"),
]
