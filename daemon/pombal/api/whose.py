"""Which session a request means that names none: the caller's only one."""

from pombal.model.caller import Caller
from pombal.model.errors import invalid, not_found
from pombal.model.params import SessionListParams
from pombal.model.results import SessionPage
from pombal.service.base import Service


async def session_or_only(service: Service, caller: Caller, session: str | None) -> str:
    """The session that was named, else the id of the caller's only one.

    An admin's own sessions come first; one who has none may mean the only one there is. Raises PombalError: not_found
    where there is none, invalid where there are several.
    """
    if session is not None:
        return session
    found = await sessions_of(service, caller, caller.owner) or await sessions_of(service, caller, None)
    if not found:
        raise not_found("you have no session; POST /api/v1/whatsapp/sessions/start/ makes one")
    if len(found) > 1:
        raise invalid("session: say which; you have several", errors=[{"field": "session", "reason": "is required"}])
    return found[0]


async def sessions_of(service: Service, caller: Caller, owner: str | None) -> list[str]:
    """The ids of an owner's sessions (None: of all that the caller sees), two of them at most."""
    page = await service.call("session.list", SessionListParams(owner=owner, limit=2), caller)
    assert isinstance(page, SessionPage)  # noqa: S101  # as the catalog says
    return [session.id for session in page.results]
