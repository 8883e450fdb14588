"""What the schema says of a route beside its own: how it refuses, what its body is, what an answer looks like."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from pombal.api.problems import MEDIA_TYPE
from pombal.model.params_base import Params

Responses = dict[int | str, dict[str, Any]]
SCHEMAS = "#/components/schemas/"

_WHY = {
    400: ("invalid", "The body cannot be read: not UTF-8, not JSON, or no multipart."),
    401: ("unauthorized", "No token, or one that is not valid (any more)."),
    403: ("forbidden", "The token's role does not allow it."),
    404: ("not_found", "There is no such thing, or it is another owner's."),
    406: ("unsupported", "None of the forms that are asked for is offered."),
    408: ("invalid", "The body came too slowly ([http] body_timeout_s)."),
    409: ("conflict", "It contradicts what is there."),
    413: ("too_large", "The body, the file or the text is too large."),
    415: ("unsupported", "The body has a type that is not taken here."),
    416: ("invalid", "The range begins behind the end of the file."),
    422: ("invalid", "A parameter or a field is missing, unknown or wrong; `errors` says which."),
    423: ("not_ready", "The session cannot do it in its present state; `detail` says what to do."),
    429: ("rate_limited", "Too many requests ([http] requests_per_minute), or uploads; see `Retry-After`."),
    500: ("crashed", "A fault of the daemon's; its log says more. Look at the state before you try again."),
    501: ("unsupported", "This daemon does not have that link, or it is not built yet."),
    503: (
        "unavailable",
        "The store cannot be written, the session is busy, or the daemon is stopping (`shutting_down`).",
    ),
}
_ALWAYS = (401, 429, 500, 503)
_WITH_BODY = (400, 408, 413, 415, 422)


def refusals(*statuses: int, has_body: bool = False) -> Responses:
    """The ways in which an authorized route may refuse: these, and those that all have."""
    found = sorted({*statuses, *_ALWAYS, *(_WITH_BODY if has_body else ())})
    return {status: refusal(status) for status in found}


def refusal(status: int) -> dict[str, Any]:
    kind, why = _WHY[status]
    shown: dict[str, Any] = {
        "description": why,
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": f"{SCHEMAS}Problem"},
                "example": {
                    "type": "about:blank",
                    "title": HTTPStatus(status).phrase,
                    "status": status,
                    "detail": why,
                    "kind": kind,
                },
            }
        },
    }
    if status == 429:
        shown["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
    return shown


def answers(description: str, schema: str, example: Any = None) -> dict[str, Any]:
    """An answer in JSON, by the name of its schema."""
    content: dict[str, Any] = {"schema": {"$ref": f"{SCHEMAS}{schema}"}}
    if example is not None:
        content["example"] = example
    return {"description": description, "content": {"application/json": content}}


def json_request(model: type[Params], *examples: Any, required: bool = True) -> dict[str, Any]:
    """openapi_extra of a route that takes JSON."""
    return {"requestBody": {"required": required, "content": json_content(model, examples)}}


def json_content(model: type[Params], examples: Sequence[Any]) -> dict[str, Any]:
    named = {f"example {number}": {"value": value} for number, value in enumerate(examples, 1)}
    return {"application/json": {"schema": {"$ref": f"{SCHEMAS}{model.__name__}"}, "examples": named}}
