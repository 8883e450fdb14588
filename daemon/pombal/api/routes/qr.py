"""/api/v1/whatsapp/sessions/{session}/qr: the code as text or as a picture."""

import io

import segno
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from pombal.api.access import Authorized, caller_of
from pombal.api.answers import UNCACHED, answer
from pombal.api.context import api_of
from pombal.api.documented import answers, refusals
from pombal.api.negotiation import preferred
from pombal.api.problems import BadRequest
from pombal.model import params as p
from pombal.model.errors import Kind
from pombal.model.params_base import SessionRef
from pombal.model.results import LinkCode

router = APIRouter(prefix="/api/v1/whatsapp/sessions", tags=["sessions"], dependencies=[Depends(caller_of)])

JSON, SVG, PNG = "application/json", "image/svg+xml", "image/png"
SCALE = 8  # pixels a module; a code of WhatsApp's is some 500 pixels wide then

_ANSWER = answers("The code to scan now, until it expires.", "LinkCode")
_ANSWER["content"] |= {SVG: {"schema": {"type": "string"}}, PNG: {"schema": {"type": "string", "format": "binary"}}}
_ANSWER["headers"] = {"Expires-At": {"description": "When a picture's code expires.", "schema": {"type": "string"}}}


@router.get(
    "/{session}/qr", summary="The QR code to scan now", responses={200: _ANSWER, **refusals(404, 406, 422, 423)}
)
async def qr(request: Request, session: SessionRef, caller: Authorized) -> Response:
    """As JSON, SVG or PNG, by `Accept`. A code lives for some 20 seconds: ask again when it has expired."""
    form = preferred(",".join(request.headers.getlist("accept")), (JSON, SVG, PNG))
    if form is None:
        raise BadRequest(406, Kind.UNSUPPORTED, f"this is to be had as {JSON}, {SVG} or {PNG}")
    code = await api_of(request).service.call("session.qr", p.SessionNameParams(name=session), caller)
    assert isinstance(code, LinkCode)  # noqa: S101  # as the catalog says
    if form == JSON:
        shown = answer(code)
    else:
        expires_at = code.model_dump(mode="json")["expires_at"]
        shown = Response(_picture(code.code, form), headers=UNCACHED | {"Expires-At": expires_at}, media_type=form)
    shown.headers["Vary"] = "Accept"
    return shown


def _picture(code: str, form: str) -> bytes:
    """Black on white, with the quiet zone that scanners need, whatever the page around it looks like."""
    picture = io.BytesIO()
    options = {"xmldecl": False} if form == SVG else {}
    segno.make(code, error="l", micro=False).save(
        picture, kind="svg" if form == SVG else "png", scale=SCALE, dark="black", light="white", **options
    )
    return picture.getvalue()
