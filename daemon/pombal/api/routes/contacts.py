"""/api/v1/whatsapp/contacts: who is on WhatsApp; and the rights of a contact, for admins.

Numbers travel in bodies and not in paths: those stand in the logs of every proxy.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from pombal.api.access import Authorized, caller_of
from pombal.api.answers import UNCACHED, answer
from pombal.api.context import api_of
from pombal.api.documented import answers, json_request, refusals
from pombal.api.json_bodies import json_body
from pombal.api.requests import ContactCheckBody, EraseBody, ExportBody
from pombal.api.whose import session_or_only
from pombal.model import params as p
from pombal.model.caller import Caller
from pombal.model.erasure import ErasureState
from pombal.model.results import ContactExport, Erasure, MediaChunk
from pombal.service.base import Service

router = APIRouter(prefix="/api/v1/whatsapp/contacts", tags=["contacts"], dependencies=[Depends(caller_of)])

ZIP = "application/zip"
ErasureId = Annotated[str, Path(min_length=1, max_length=64, description="As the erasure was answered with.")]


@router.post(
    "/check",
    summary="Which numbers are on WhatsApp",
    responses={200: answers("In the order asked.", "ContactsChecked"), **refusals(404, 423, has_body=True)},
    openapi_extra=json_request(ContactCheckBody, {"session": "suporte", "numbers": ["5511999999999"]}),
)
async def check(request: Request, caller: Authorized) -> Response:
    """Asks WhatsApp, so the session has to be ready. Without `session`: the only one. A send does so by itself."""
    service = api_of(request).service
    body = await json_body(request, ContactCheckBody)
    session = await session_or_only(service, caller, body.session)
    params = p.ContactCheckParams(session=session, numbers=body.numbers)
    return answer(await service.call("contact.check", params, caller))


@router.post(
    "/export",
    summary="All that there is of a contact",
    responses={
        200: {
            "description": "A zip with JSON and files.",
            "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}},
        },
        **refusals(403, has_body=True),
    },
    openapi_extra=json_request(ExportBody, {"number": "5511999999999"}),
)
async def export(request: Request, caller: Authorized) -> Response:
    """Their chats, what they wrote in groups, the files, the log's entries: from all sessions, streamed."""
    body = await json_body(request, ExportBody)
    service = api_of(request).service
    made = await service.call("contact.export", p.ContactExportParams(number=body.number), caller)
    assert isinstance(made, ContactExport)  # noqa: S101  # as the catalog says
    headers = UNCACHED | {
        "Content-Type": ZIP, "Content-Length": str(made.size_bytes),
        "Content-Disposition": 'attachment; filename="contact-export.zip"', "X-Content-Type-Options": "nosniff",
    }  # fmt: skip
    return _Zip(service, made, caller, headers=headers)


class _Zip(Response):
    """The bytes of an export, piece by piece. No generator, which a client that goes would leave open."""

    def __init__(self, service: Service, made: ContactExport, caller: Caller, **response: Any) -> None:
        super().__init__(**response)
        self._service = service
        self._made = made
        self._caller = caller

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        offset, is_end = 0, False
        while not is_end:
            params = p.ContactExportChunkParams(export=self._made.export, offset=offset)
            chunk = await self._service.call("contact.export_chunk", params, self._caller)
            assert isinstance(chunk, MediaChunk)  # noqa: S101  # as the catalog says
            offset, is_end = offset + len(chunk.data), chunk.eof
            await send({"type": "http.response.body", "body": chunk.data, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


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
