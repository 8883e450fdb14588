"""/api/v1/health, /livez, /readyz and /metrics: for load balancers, systemd and Prometheus."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from pombal.api.access import require_local_or_admin
from pombal.api.answers import UNCACHED
from pombal.api.context import api_of
from pombal.api.documented import Responses, answers, refusals
from pombal.model.health import VITAL_CHECKS

router = APIRouter(tags=["operations"])

_BRIEF: Responses = {200: answers("It is.", "HealthBrief"), 503: answers("It is not.", "HealthBrief")}


@router.get(
    "/api/v1/health",
    summary="How the daemon is",
    responses={
        200: answers("All is well.", "Health"),
        503: answers("Something is not; `failing` says what.", "Health"),
    },
)
async def health(request: Request) -> Response:
    """Needs no token."""
    now = api_of(request).health()
    return _answer(now.object(), now.ok)


@router.get("/livez", summary="Whether it should be left running", responses=_BRIEF)
async def livez(request: Request) -> Response:
    """503: a restart may help. Needs no token."""
    now = api_of(request).health()
    return _answer(_brief([name for name in now.failing if name in VITAL_CHECKS]), now.is_live)


@router.get("/readyz", summary="Whether requests should be sent here", responses=_BRIEF)
async def readyz(request: Request) -> Response:
    """503 while it starts and while it stops. Needs no token."""
    now = api_of(request).health()
    return _answer(_brief([name for name in now.failing if name not in now.checks]), now.is_ready)


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    responses={
        200: {"description": "Prometheus text, or OpenMetrics where it is asked for.", "content": {"text/plain": {}}},
        **refusals(403),
    },
)
async def metrics(request: Request) -> Response:
    """Needs no token from this machine itself, and an admin's from elsewhere or through a proxy."""
    require_local_or_admin(request)
    page, content_type = api_of(request).render_metrics(", ".join(request.headers.getlist("accept")))
    return Response(page, headers={"Content-Type": content_type})


def _brief(failing: list[str]) -> dict[str, Any]:
    return {"status": "failing" if failing else "ok", "failing": failing}


def _answer(body: dict[str, Any], ok: bool) -> JSONResponse:
    return JSONResponse(body, 200 if ok else 503, UNCACHED)
