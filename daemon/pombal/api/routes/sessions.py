"""/api/v1/whatsapp/sessions: their life, and what is known of them."""

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from pombal.api.access import Authorized, caller_of
from pombal.api.answers import answer, page_answer
from pombal.api.context import api_of
from pombal.api.documented import Responses, answers, json_request, refusals
from pombal.api.json_bodies import json_body
from pombal.api.queries import Deletion, OneSession, Sessions
from pombal.api.requests import PairCodeBody, SessionBody, StartBody
from pombal.api.starting import start_session
from pombal.api.whose import session_or_only
from pombal.model import params as p
from pombal.model.caller import Caller
from pombal.model.params_base import SessionRef
from pombal.model.results import SessionPage

router = APIRouter(prefix="/api/v1/whatsapp/sessions", tags=["sessions"], dependencies=[Depends(caller_of)])

ONE: Responses = {200: answers("The session.", "Session")}


@router.post(
    "/start",
    summary="Start a session",
    responses={
        200: answers("It was there, and has been started.", "Session"),
        201: answers("It is new, and has been started.", "Session"),
        **refusals(404, 409, 501, has_body=True),
    },
    openapi_extra=json_request(StartBody, {}, {"session": "suporte", "device_name": "Suporte"}, required=False),
)
async def start(request: Request, caller: Authorized) -> Response:
    """Creates the session where there is none, and starts it; never waits for a scan.

    Without `session` it is the caller's only one; where they have none, a new one goes by the owner's name, if a
    session may be called so. A name that another owner has, or that has another `link`, is a conflict. To start one
    that runs changes nothing.
    """
    body = await json_body(request, StartBody)
    session, is_new = await start_session(api_of(request).service, body, caller)
    return answer(session, 201 if is_new else 200)


@router.post(
    "/stop",
    summary="Stop a session",
    responses=ONE | refusals(404, has_body=True),
    openapi_extra=json_request(SessionBody, {}, {"session": "suporte"}, required=False),
)
async def stop(request: Request, caller: Authorized) -> Response:
    """Disconnects it and keeps its queue; it stays stopped until it is started. Without `session`: the only one."""
    return await _changed(request, caller, "session.stop")


@router.post(
    "/restart",
    summary="Restart a session",
    responses=ONE | refusals(404, has_body=True),
    openapi_extra=json_request(SessionBody, {}, {"session": "suporte"}, required=False),
)
async def restart(request: Request, caller: Authorized) -> Response:
    """Stops it and starts it. Without `session`: the only one."""
    return await _changed(request, caller, "session.restart")


@router.post(
    "/logout",
    summary="Log a session out",
    responses=ONE | refusals(404, 409, 423, has_body=True),
    openapi_extra=json_request(SessionBody, {}, {"session": "suporte"}, required=False),
)
async def logout(request: Request, caller: Authorized) -> Response:
    """Removes this device from the account: a phone has to scan anew. Without `session`: the only one."""
    return await _changed(request, caller, "session.logout")


async def _changed(request: Request, caller: Caller, method: str) -> Response:
    service = api_of(request).service
    body = await json_body(request, SessionBody)
    name = await session_or_only(service, caller, body.session)
    return answer(await service.call(method, p.SessionNameParams(name=name), caller))


@router.get("/status", summary="The status of a session", responses=ONE | refusals(404, 422))
async def status(request: Request, query: OneSession, caller: Authorized) -> Response:
    """Without `session`: the only one."""
    service = api_of(request).service
    name = await session_or_only(service, caller, query.session)
    return answer(await service.call("session.get", p.SessionNameParams(name=name), caller))


@router.get("", summary="List sessions", responses={200: answers("A page.", "SessionPage"), **refusals(422)})
async def list_(request: Request, query: Sessions, caller: Authorized) -> Response:
    """In the order of their creation."""
    page = await api_of(request).service.call("session.list", p.SessionListParams(**query.given()), caller)
    assert isinstance(page, SessionPage)  # noqa: S101  # as the catalog says
    return page_answer(request, page)


@router.get("/{session}", summary="A session", responses=ONE | refusals(404, 422))
async def get(request: Request, session: SessionRef, caller: Authorized) -> Response:
    """By name or id; one that has been deleted by its id."""
    return answer(await api_of(request).service.call("session.get", p.SessionNameParams(name=session), caller))


@router.delete(
    "/{session}",
    summary="Delete a session",
    responses={200: answers("It is gone.", "SessionDeleted"), **refusals(404, 422)},
)
async def delete(request: Request, session: SessionRef, query: Deletion, caller: Authorized) -> Response:
    """Unlinks it as well as can be, and fails its queue. Its messages stay readable, unless `purge` is true."""
    params = p.SessionDeleteParams(name=session, purge=query.purge)
    return answer(await api_of(request).service.call("session.delete", params, caller))


@router.get(
    "/{session}/metrics",
    summary="Counters and latency of a session",
    responses={200: answers("As it is now.", "SessionMetrics"), **refusals(404, 422)},
)
async def metrics(request: Request, session: SessionRef, caller: Authorized) -> Response:
    """`error_rate` is failed over sent and failed; `latency` is of all time."""
    return answer(await api_of(request).service.call("session.metrics", p.SessionNameParams(name=session), caller))


@router.post(
    "/{session}/pair-code",
    summary="A code to link a phone without a camera",
    responses={
        200: answers("To be typed into the phone until it expires.", "LinkCode"),
        **refusals(404, 423, 501, has_body=True),
    },
    openapi_extra=json_request(PairCodeBody, {"phone_number": "5511999999999"}),
)
async def pair_code(request: Request, session: SessionRef, caller: Authorized) -> Response:
    """For the phone with this number, while the session waits for a scan."""
    body = await json_body(request, PairCodeBody)
    params = p.PairCodeParams(name=session, phone_number=body.phone_number)
    return answer(await api_of(request).service.call("session.pair_code", params, caller))
