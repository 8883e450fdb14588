"""What is done to a session: at once where it can be undone, after a question where it cannot."""

from starlette.responses import Response

from pombal.dashboard.app import Page
from pombal.dashboard.guard import safe_path
from pombal.dashboard.visit import Visit
from pombal.model.errors import not_found

AT_ONCE = ("start", "stop", "restart")
ASKED_FIRST = ("logout", "delete")


async def act(visit: Visit) -> Response:
    action, name = visit.path("action"), visit.path("session")
    if action not in AT_ONCE:
        raise not_found("there is no such action")
    await visit.ask(f"session.{action}", name=name)
    return visit.go(_back(visit, name), f"session_{action}")


async def ask_first(visit: Visit) -> Response:
    action = visit.path("action")
    if action not in ASKED_FIRST:
        raise not_found("there is no such question")
    mark = await visit.mark()
    session = await visit.ask("session.get", name=visit.path("session"))
    metrics = await visit.ask("session.metrics", name=session.id)
    return visit.html("confirm.html", mark=mark, session=session, action=action, metrics=metrics)


async def confirmed(visit: Visit) -> Response:
    action, name = visit.path("action"), visit.path("session")
    if action == "logout":
        await visit.ask("session.logout", name=name)
        return visit.go(f"/sessions/{name}", "session_logout")
    if action == "delete":
        await visit.ask("session.delete", name=name, purge=visit.field("purge") is not None)
        return visit.go("/sessions", "session_delete")
    raise not_found("there is no such question")


async def scan(visit: Visit) -> Response:
    """Play the phone of a simulated session."""
    name = visit.path("session")
    await visit.ask("simulator.scan", name=name)
    return visit.go(f"/sessions/{name}/link")


def _back(visit: Visit, name: str) -> str:
    asked = visit.field("next")
    return f"/sessions/{name}" if asked is None else safe_path(asked)


PAGES = [
    Page("/sessions/{session}/do/{action}", act, "POST"),
    Page("/sessions/{session}/confirm/{action}", ask_first),
    Page("/sessions/{session}/confirm/{action}", confirmed, "POST"),
    Page("/sessions/{session}/scan", scan, "POST"),
]
