"""POST /sessions/start/: the session is there afterwards, and wanted running."""

from pombal.api.requests import StartBody
from pombal.api.whose import sessions_of
from pombal.model.caller import Caller
from pombal.model.errors import Kind, PombalError, invalid
from pombal.model.ids import check_session_name
from pombal.model.params import SessionCreateParams, SessionNameParams, parse_params
from pombal.model.session import Session
from pombal.service.base import Service


async def start_session(service: Service, body: StartBody, caller: Caller) -> tuple[Session, bool]:
    """(the session, whether it is new). Raises PombalError: conflict, invalid, unsupported, and others of a start."""
    name = body.session or await _only_one(service, caller) or _name_of_owner(caller)
    known = await _known(service, name, caller)
    if known is None:
        _check_new_name(name)
        try:
            return await _created(service, name, body, caller), True
        except PombalError as error:
            if error.kind != Kind.ALREADY_EXISTS:
                raise
        known = await _known(service, name, caller)  # whoever asked at the same time
        if known is None:
            raise PombalError(
                Kind.CONFLICT, f"the name {name[:64]!r} is taken by another owner; choose another `session`"
            )
    if body.link is not None and body.link != known.link:
        raise PombalError(
            Kind.CONFLICT, f"session {known.name!r} has the link {known.link}; delete it, or name another"
        )
    return await _session(service, "session.start", known.id, caller), False


async def _only_one(service: Service, caller: Caller) -> str | None:
    """The caller's own session, where they have one, whatever it is called: it may have been imported, or created by
    an operator."""
    own = await sessions_of(service, caller, caller.owner) if caller.owner is not None else []
    return own[0] if len(own) == 1 else None


def _name_of_owner(caller: Caller) -> str:
    try:
        return check_session_name(caller.owner or "")
    except PombalError:
        raise invalid(
            "session: is required, as your own name cannot be a session's",
            errors=[{"field": "session", "reason": "is required"}],
        ) from None


def _check_new_name(name: str) -> None:
    """Refused under the field's name here; the method that creates it calls it otherwise."""
    try:
        check_session_name(name)
    except PombalError as error:
        errors = [{"field": "session", "reason": error.message}]
        raise invalid(f"session: {error.message}", errors=errors) from None


async def _known(service: Service, name: str, caller: Caller) -> Session | None:
    """One that is there, and that the caller may see."""
    try:
        return await _session(service, "session.get", name, caller)
    except PombalError as error:
        if error.kind != Kind.NOT_FOUND:
            raise
    return None


async def _created(service: Service, name: str, body: StartBody, caller: Caller) -> Session:
    given = {"name": name, "link": body.link, "device_name": body.device_name, "phone_number": body.phone_number}
    session = await service.call("session.create", parse_params(SessionCreateParams, given), caller)
    assert isinstance(session, Session)  # noqa: S101  # as the catalog says
    return session


async def _session(service: Service, method: str, name: str, caller: Caller) -> Session:
    session = await service.call(method, SessionNameParams(name=name), caller)
    assert isinstance(session, Session)  # noqa: S101  # as the catalog says
    return session
