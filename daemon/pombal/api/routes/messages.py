"""/api/v1/whatsapp/messages: history and its remedies."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response
from starlette.convertors import Convertor, register_url_convertor

from pombal.api.access import Authorized, caller_of
from pombal.api.answers import answer, page_answer
from pombal.api.context import api_of
from pombal.api.documented import Responses, answers, json_request, refusals
from pombal.api.downloads import download
from pombal.api.json_bodies import json_body, raw_json
from pombal.api.queries import HighLatency, Latency, Messages
from pombal.api.requests import MarkReadBody
from pombal.api.whose import session_or_only
from pombal.model import params as p
from pombal.model.caller import Caller
from pombal.model.errors import not_found
from pombal.model.message import Message
from pombal.model.params_base import Natural
from pombal.model.results import MessagePage

router = APIRouter(prefix="/api/v1/whatsapp/messages", tags=["messages"], dependencies=[Depends(caller_of)])


class _Digits(Convertor[int]):
    """At most 18: what has more, and what is no number, is no message. (Starlette's own would convert any length.)"""

    regex = "[0-9]{1,18}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("digits", _Digits())

MessageNumber = Annotated[Natural, Path(alias="id", description="`id` of the message.")]
PAGE: Responses = {200: answers("A page.", "MessagePage")}
ONE: Responses = {200: answers("The message.", "Message")}


@router.get("", summary="List and search messages", responses=PAGE | refusals(404, 422))
async def list_(request: Request, query: Messages, caller: Authorized) -> Response:
    """Newest first by `id`. Who follows `next` meets each message once, though new ones arrive."""
    return await _page(request, "message.list", p.MessageListParams(**query.given()), caller)


@router.get("/high-latency", summary="Messages that took too long", responses=PAGE | refusals(404, 422))
async def high_latency(request: Request, query: HighLatency, caller: Authorized) -> Response:
    """Those whose `total_latency_ms` is at or over the threshold; filters as of the list."""
    return await _page(request, "message.high_latency", p.HighLatencyParams(**query.given()), caller)


async def _page(request: Request, method: str, params: p.MessageListParams, caller: Caller) -> Response:
    page = await api_of(request).service.call(method, params, caller)
    assert isinstance(page, MessagePage)  # noqa: S101  # as the catalog says
    return page_answer(request, page)


@router.get(
    "/latency-stats",
    summary="Latency statistics",
    responses={
        200: answers("Over the range, widened to whole minutes or hours.", "LatencyStats"),
        **refusals(404, 422),
    },
)
async def latency_stats(request: Request, query: Latency, caller: Authorized) -> Response:
    """From rollups, so in time that does not grow with history; percentiles within 2 %."""
    return answer(await api_of(request).service.call("latency.stats", p.LatencyParams(**query.given()), caller))


@router.post(
    "/mark-read",
    summary="Mark inbound messages as read",
    responses={200: answers("How many were not read before.", "Marked"), **refusals(404, has_body=True)},
    openapi_extra=json_request(MarkReadBody, {"session": "suporte", "message_ids": ["01M4QK3T9ZC8V6W2J5N7R1XBDE"]}),
)
async def mark_read(request: Request, caller: Authorized) -> Response:
    """Tells the senders. Without `session`: the only one."""
    service = api_of(request).service
    body = await json_body(request, MarkReadBody)
    session = await session_or_only(service, caller, body.session)
    params = p.MarkReadParams(session=session, message_ids=body.message_ids)
    return answer(await service.call("message.mark_read", params, caller))


@router.get("/{id:digits}", summary="A message", responses=ONE | refusals(404, 422))
async def get(request: Request, number: MessageNumber, caller: Authorized) -> Response:
    """With its stamps, latencies and stages."""
    return answer(await _message(request, number, caller))


@router.get(
    "/{id:digits}/media",
    summary="The file of a message",
    responses={
        200: {"description": "The whole file.", "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}},
        206: {"description": "A part of it.", "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}},
        304: {"description": "It is the one that you have (`If-None-Match`)."},
        **refusals(404, 416, 422),
    },
)
async def media(request: Request, number: MessageNumber, caller: Authorized) -> Response:
    """Streamed, under the type that its sender gave it; one `Range` at a time."""
    message = await _message(request, number, caller)
    if message.media is None:
        raise not_found("this message carries no file")
    return await download(request, message.media, caller)


@router.post(
    "/{id:digits}/cancel", summary="Take back a queued message", responses=ONE | refusals(404, 409, 422, has_body=True)
)
async def cancel(request: Request, number: MessageNumber, caller: Authorized) -> Response:
    """Only while it is `queued` and not on its way: else a conflict."""
    await _nothing_in(request)
    return answer(await api_of(request).service.call("message.cancel", p.MessageRefParams(id=number), caller))


@router.post(
    "/{id:digits}/resend",
    summary="Send a failed or uncertain message again",
    responses=ONE | refusals(404, 409, 422, 423, has_body=True),
)
async def resend(request: Request, number: MessageNumber, caller: Authorized) -> Response:
    """Under the same ids. An `uncertain` message may have arrived: this is a person's decision."""
    await _nothing_in(request)
    return answer(await api_of(request).service.call("message.resend", p.MessageRefParams(id=number), caller))


async def _nothing_in(request: Request) -> None:
    """A body may be absent or an empty object; what stands in it would be passed over without a word."""
    p.parse_params(p.NoParams, await raw_json(request))


async def _message(request: Request, number: int, caller: Caller) -> Message:
    message = await api_of(request).service.call("message.get", p.MessageGetParams(id=number), caller)
    assert isinstance(message, Message)  # noqa: S101  # as the catalog says
    return message
