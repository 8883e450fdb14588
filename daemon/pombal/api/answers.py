"""Answers in JSON, as the control socket writes them; lists, whose `next` is an address."""

import re
from typing import Any
from urllib.parse import urlencode

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from pombal.api.context import api_of
from pombal.model.results import AuditPage, EventPage, MessagePage, SessionPage

# What a token's owner sees is nobody else's, whatever caches lie between.
UNCACHED = {"Cache-Control": "no-store"}
_HOST = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


def answer(result: BaseModel, status: int = 200) -> Response:
    body = result.model_dump_json(warnings=False)
    return Response(body, status, UNCACHED, "application/json")


def page_answer(request: Request, page: SessionPage | MessagePage | AuditPage) -> Response:
    """A page of a list; where there is another one, `next` leads to it."""
    following = None if page.next is None else with_query(request, cursor=page.next)
    return answer(page.model_copy(update={"next": following}))


def events_answer(request: Request, page: EventPage) -> dict[str, Any]:
    """`next` goes on behind the last one told; null once the end of the log is reached."""
    results = page.results
    following = None
    if results and results[-1]["seq"] < page.last_seq:
        # What is told is of this log, whichever was asked for.
        known = {"log_id": page.log_id} if "log_id" in request.query_params else {}
        following = with_query(request, after=str(results[-1]["seq"]), **known)
    return {"next": following} | page.model_dump()


def with_query(request: Request, **changes: str) -> str:
    """The address that was asked for, with some of its query changed: absolute where we know by which name."""
    query = [(name, value) for name, value in request.query_params.multi_items() if name not in changes]
    path = request.url.path.rstrip("/")
    return f"{_base(request)}{path}/?{urlencode([*query, *changes.items()])}"


def _base(request: Request) -> str:
    """[http] public_url, else the client's own name for us. One that no host can have is not repeated."""
    public_url = api_of(request).settings().http.public_url
    if public_url is not None:
        return public_url.rstrip("/")
    host = request.headers.get("host", "")
    return f"{request.url.scheme}://{host}" if _HOST.fullmatch(host) else ""
