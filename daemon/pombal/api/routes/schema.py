"""/api/v1/schema and /api/v1/docs: what the API says of itself."""

import json

from fastapi import APIRouter, Request
from fastapi.responses import Response

from pombal.api.documentation import documentation_page
from pombal.api.openapi import openapi_document

router = APIRouter(prefix="/api/v1", tags=["operations"])

_CACHED = {"Cache-Control": "max-age=300"}


@router.get(
    "/schema",
    summary="This document",
    responses={200: {"description": "OpenAPI 3.1.", "content": {"application/json": {"schema": {"type": "object"}}}}},
)
async def schema(request: Request) -> Response:
    """Needs no token."""
    return Response(_documents(request)[0], headers=_CACHED, media_type="application/json")


@router.get(
    "/docs",
    summary="This document, to read",
    responses={200: {"description": "A page.", "content": {"text/html": {"schema": {"type": "string"}}}}},
)
async def docs(request: Request) -> Response:
    """Needs no token, and nothing from anywhere else."""
    page, policy = _documents(request)[1]
    return Response(page, headers=_CACHED | {"Content-Security-Policy": policy}, media_type="text/html; charset=utf-8")


def _documents(request: Request) -> tuple[bytes, tuple[bytes, str]]:
    """Made at the first request for one of them, and kept with the application."""
    state = request.app.state
    if not hasattr(state, "documents"):
        document = openapi_document(request.app)
        encoded = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        state.documents = encoded, documentation_page(document)
    documents: tuple[bytes, tuple[bytes, str]] = state.documents
    return documents
