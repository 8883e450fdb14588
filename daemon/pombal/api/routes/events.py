"""/api/v1/events: the event log, page by page."""

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from pombal.api.access import Authorized, caller_of
from pombal.api.answers import UNCACHED, events_answer
from pombal.api.context import api_of
from pombal.api.documented import answers, refusals
from pombal.api.queries import Events
from pombal.model import params as p
from pombal.model.results import EventPage

router = APIRouter(prefix="/api/v1/events", tags=["events"], dependencies=[Depends(caller_of)])


@router.get(
    "", summary="Events of the log", responses={200: answers("A page, oldest first.", "EventPage"), **refusals(422)}
)
async def list_(request: Request, query: Events, caller: Authorized) -> Response:
    """Everything past `after`; `next` goes on from there. Without `after` the newest page.

    To miss nothing, keep the `seq` of the last event that you have dealt with, and `log_id`, and give both. Where
    events are missing (they are past retention, or a backup was restored), the first is a `gap`, and it is time for a
    new look at everything.
    """
    given = query.model_dump(exclude={"session"}) | {"sessions": query.session}
    params = p.EventListParams(**given)
    page = await api_of(request).service.call("events.list", params, caller)
    assert isinstance(page, EventPage)  # noqa: S101  # as the catalog says
    return JSONResponse(events_answer(request, page), headers=UNCACHED)
