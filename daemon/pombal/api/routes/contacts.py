"""/api/v1/whatsapp/contacts: the rights of a contact, for admins.

Numbers travel in bodies and not in paths: those stand in the logs of every proxy.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from pombal.api.access import Authorized, caller_of
from pombal.api.answers import answer
from pombal.api.context import api_of
from pombal.api.documented import answers, json_request, refusals
from pombal.api.json_bodies import json_body
from pombal.api.requests import EraseBody
from pombal.model import params as p
from pombal.model.erasure import ErasureState
from pombal.model.results import Erasure

router = APIRouter(prefix="/api/v1/whatsapp/contacts", tags=["contacts"], dependencies=[Depends(caller_of)])

ErasureId = Annotated[str, Path(min_length=1, max_length=64, description="As the erasure was answered with.")]


@router.post(
    "/erase",
    summary="Erase a contact",
    responses={
        200: answers("It is done; what was removed.", "Erasure"),
        202: answers("It is under way, and will be finished whatever happens; ask again by its id.", "Erasure"),
        **refusals(403, 409, has_body=True),
    },
    openapi_extra=json_request(EraseBody, {"number": "5511999999999"}),
)
async def erase(request: Request, caller: Authorized) -> Response:
    """Messages, files, events, the search index and the links' own files, in all sessions; it cannot be undone."""
    body = await json_body(request, EraseBody)
    params = p.ContactEraseParams(number=body.number, wait_s=body.wait_s)
    erasure = await api_of(request).service.call("contact.erase", params, caller)
    assert isinstance(erasure, Erasure)  # noqa: S101  # as the catalog says
    return answer(erasure, 200 if erasure.state == ErasureState.DONE else 202)


@router.get(
    "/erasures/{erasure}",
    summary="How far an erasure is",
    responses={200: answers("Where it stands, or its receipt.", "Erasure"), **refusals(403, 404, 422)},
)
async def erasure(request: Request, erasure: ErasureId, caller: Authorized) -> Response:
    """Receipts are kept, without the number."""
    params = p.ContactErasureParams(erasure=erasure)
    return answer(await api_of(request).service.call("contact.erasure", params, caller))
