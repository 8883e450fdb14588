"""/api/v1/audit: who did what, for admins."""

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from pombal.api.access import Authorized, caller_of
from pombal.api.answers import page_answer
from pombal.api.context import api_of
from pombal.api.documented import answers, refusals
from pombal.api.queries import Audit
from pombal.model import params as p
from pombal.model.results import AuditPage

router = APIRouter(prefix="/api/v1/audit", tags=["audit"], dependencies=[Depends(caller_of)])


@router.get(
    "", summary="Who did what", responses={200: answers("A page, newest first.", "AuditPage"), **refusals(403, 422)}
)
async def list_(request: Request, query: Audit, caller: Authorized) -> Response:
    """Calls that changed something, exports, and those that were refused; for admins."""
    page = await api_of(request).service.call("audit.list", p.AuditListParams(**query.given()), caller)
    assert isinstance(page, AuditPage)  # noqa: S101  # as the catalog says
    return page_answer(request, page)
