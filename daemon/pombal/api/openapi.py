"""The OpenAPI document (3.1): FastAPI's, with what it cannot know of the models and of how requests are read."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from pombal import __version__
from pombal.api.documented import SCHEMAS
from pombal.api.examples import EXAMPLES
from pombal.api.requests import (
    ContactCheckBody,
    EraseBody,
    ExportBody,
    MarkReadBody,
    PairCodeBody,
    SendBody,
    SessionBody,
    StartBody,
)
from pombal.model import latency_results
from pombal.model import results as r
from pombal.model.errors import Kind
from pombal.model.message import Message
from pombal.model.session import Session

BODIES: tuple[type[BaseModel], ...] = (
    StartBody,
    SessionBody,
    PairCodeBody,
    MarkReadBody,
    SendBody,
    ContactCheckBody,
    ExportBody,
    EraseBody,
)
RESULTS: tuple[type[BaseModel], ...] = (
    Session, Message, r.SessionPage, r.MessagePage, r.SessionDeleted, latency_results.SessionMetrics, r.LinkCode,
    latency_results.LatencyStats, r.Marked, r.ContactsChecked, r.AuditPage, r.Erasure,
)  # fmt: skip
DESCRIPTION = """\
WhatsApp sessions, messages and how long each one took.

Authenticate with `Authorization: Bearer <token>`: the token's owner sees and touches their own sessions, an admin all.
A path answers with and without its trailing slash. Lists answer `{"next": URL or null, "results": […]}`; `?count=true`
adds `count`. Errors are problem details (RFC 9457) with a stable `kind`. Times are ISO 8601 in UTC; where one is asked
for, an age (`15m`, `7d`) will do. Fields may be added to answers: pass over those that you do not know.
"""


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """Made once; it does not change while the daemon runs."""
    document = get_openapi(
        title="Pombal",
        version=__version__,
        openapi_version="3.1.0",
        summary="A WhatsApp gateway",
        description=DESCRIPTION,
        routes=app.routes,
    )
    components = document.setdefault("components", {})
    schemas = {**_schemas("validation", BODIES), **_schemas("serialization", RESULTS), **_by_hand()}
    components["schemas"] = components.get("schemas", {}) | schemas
    for name, example in EXAMPLES.items():
        components["schemas"][name]["examples"] = [example]
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A token of its owner's."}
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _finish(path, method, operation)
    return document


def _schemas(mode: Any, models: tuple[type[BaseModel], ...]) -> dict[str, Any]:
    _, document = models_json_schema([(model, mode) for model in models], ref_template=f"{SCHEMAS}{{model}}")
    schemas: dict[str, Any] = document["$defs"]
    for name in ("SessionPage", "MessagePage", "AuditPage"):
        if name in schemas:
            _as_http_has_it(schemas[name])
    return schemas


def _as_http_has_it(page: dict[str, Any]) -> None:
    """Over HTTP `next` is an address; `count` is there where it was asked for."""
    page["properties"]["next"] = {
        "anyOf": [{"type": "string", "format": "uri-reference"}, {"type": "null"}],
        "description": "Where the following page is; null on the last.",
    }
    page["required"] = [name for name in page["required"] if name != "count"]


def _finish(path: str, method: str, operation: dict[str, Any]) -> None:
    operation["operationId"] = _operation_id(path, method)
    if path == "/metrics":
        operation["security"] = [{}, {"bearer": []}]
    elif "401" in operation["responses"]:
        operation["security"] = [{"bearer": []}]
    else:
        operation["security"] = []


def _operation_id(path: str, method: str) -> str:
    words = [
        word.strip("{}").replace("-", "_") for word in path.split("/") if word not in ("", "api", "v1", "whatsapp")
    ]
    return "_".join([method, *words])


def _by_hand() -> dict[str, Any]:
    text, texts = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
    return {
        "Problem": {
            "description": "What went wrong (RFC 9457).",
            "type": "object",
            "properties": {
                "type": text,
                "title": text,
                "status": {"type": "integer"},
                "detail": {**text, "description": "For people; it may change."},
                "kind": {"enum": list(Kind), "description": "For programs; it is stable."},
                "errors": {
                    "type": "array",
                    "items": _object(field=text, reason=text),
                    "description": "Where it is known: which fields, and why.",
                },
            },
            "required": ["type", "title", "status", "detail", "kind"],
        },
        "EventPage": _may_have(
            _object(
                next={"anyOf": [text, {"type": "null"}]},
                results={"type": "array", "items": {"$ref": f"{SCHEMAS}Event"}},
                last_seq={"type": "integer", "description": "Of the newest event there is."},
                log_id=text,
            ),
            count={"type": "integer", "description": "How many there are past `after`, where it was asked for."},
        ),
        "Event": _may_have(
            {"description": "A change, as docs/control-protocol.md tells of each type; a `gap` is nobody's."}
            | _object(seq={"type": "integer"}, type=text, data={"type": "object"}),
            session=text, owner=text, at={"type": "string", "format": "date-time"},
        ),
        "HealthBrief": _object(status={"enum": ["ok", "failing"]}, failing=texts),
        "Health": _object(
            status={"enum": ["ok", "failing"]},
            failing=texts,
            simulator={"type": "boolean", "description": "Whether sessions may be on the simulated network."},
            version=text,
            uptime_seconds={"type": "number"},
            checks={
                "type": "object",
                "additionalProperties": _object(ok={"type": "boolean"}, detail={"type": ["string", "null"]}),
            },
        ),
    }  # fmt: skip


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _may_have(schema: dict[str, Any], **properties: Any) -> dict[str, Any]:
    """The same with properties that may be absent."""
    return schema | {"properties": schema["properties"] | properties}
