"""/api/v1/whatsapp/send: queue a message."""

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from pombal.api.access import Authorized, caller_of
from pombal.api.answers import answer
from pombal.api.context import api_of
from pombal.api.documented import answers, json_content, refusals
from pombal.api.forms import send_form
from pombal.api.json_bodies import json_body
from pombal.api.requests import SendBody
from pombal.api.sending import carry_out_send

router = APIRouter(prefix="/api/v1/whatsapp", tags=["messages"], dependencies=[Depends(caller_of)])

MULTIPART = "multipart/form-data"
_EXAMPLES = (
    {"to": "5511999999999", "type": "text", "text": "Olá! Como posso ajudar?"},
    {"session": "suporte", "to": "5511999999999", "text": "Seu pedido saiu.", "message_id": "ticket-4711-3"},
    {"to": "5511999999999", "type": "location", "location": {"latitude": -23.5614, "longitude": -46.6559}},
    {
        "to": "5511999999999",
        "type": "document",
        "text": "Segue o boleto.",
        "media": {"base64": "JVBERi0xLjQK", "mime_type": "application/pdf", "file_name": "boleto.pdf"},
    },
)
_FORM = {
    "type": "object",
    "description": "The fields of the JSON form as parts, objects among them as JSON; and the file.",
    "properties": {
        "file": {"type": "string", "format": "binary", "description": "At most [media] max_bytes."},
        "to": {"type": "string", "minLength": 1, "maxLength": 128},
        "session": {"type": "string", "minLength": 1, "maxLength": 64},
        "type": {"type": "string", "description": "Absent: by the file's own type."},
        "text": {"type": "string"},
        "mime_type": {"type": "string", "description": "Of the file; else as its part says."},
        "file_name": {"type": "string", "maxLength": 255, "description": "Of the file; else as its part says."},
        "message_id": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"},
        "quoted_message_id": {"type": "string", "minLength": 1, "maxLength": 128},
    },
    "required": ["to", "file"],
}


@router.post(
    "/send",
    summary="Send a message",
    status_code=202,
    responses={
        202: answers("It is queued, and on disk.", "Message"),
        200: answers("The same send was accepted before; the message as it stands now.", "Message"),
        **refusals(404, 409, 423, has_body=True),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": json_content(SendBody, _EXAMPLES) | {MULTIPART: {"schema": _FORM}},
        }
    },
)
async def send(request: Request, caller: Authorized) -> Response:
    """Answered once it is committed; what becomes of it, events tell.

    `message_id` makes it safe to try again: the same id with the same content answers with the message as it stands
    (200), with other content it is a conflict (409).
    """
    if request.headers.get("content-type", "").lower().startswith(MULTIPART):
        body = await send_form(request, caller)
    else:
        body = await json_body(request, SendBody)
    sent = await carry_out_send(api_of(request).service, body, caller)
    return answer(sent.message, 202 if sent.created else 200)
