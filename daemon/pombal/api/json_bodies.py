"""Bodies in JSON: what is not JSON is told so, and none at all is an empty object."""

from typing import Any, TypeVar

from starlette.requests import Request

from pombal.api.problems import BadRequest
from pombal.model.errors import Kind, invalid
from pombal.model.params_base import Params, parse_params
from pombal.model.strict_json import NotJson, parse_json

AnyParams = TypeVar("AnyParams", bound=Params)


async def json_body(request: Request, model: type[AnyParams]) -> AnyParams:
    """The body as a model. Raises PombalError (invalid), BadRequest (400, 415); and what limits bodies raises."""
    return parse_params(model, await raw_json(request))


async def raw_json(request: Request) -> Any:
    """The body as JSON. The limits of bodies hold already: see bodies.py."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise BadRequest(415, Kind.UNSUPPORTED, "a compressed body is not taken; send it as it is")
    body = await request.body()
    if not body:
        return {}
    refuse_other_types(request.headers.get("content-type"))
    try:
        value = parse_json(body)
    except NotJson as error:
        raise BadRequest(400, Kind.INVALID, f"the body cannot be read: {error}") from None
    if value is None:  # JSON's null is something, and no object
        raise invalid("the body must be an object")
    return value


def refuse_other_types(content_type: str | None) -> None:
    """Raises BadRequest (415) for what says that it is no JSON. What says nothing is taken at its word."""
    media_type, *parameters = (part.strip().lower() for part in (content_type or "application/json").split(";"))
    charsets = [
        value.strip('" ') for name, _, value in (each.partition("=") for each in parameters) if name == "charset"
    ]
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise BadRequest(415, Kind.UNSUPPORTED, "send JSON, and say so: Content-Type: application/json")
    if charsets and charsets[0] not in ("utf-8", "utf8"):
        raise BadRequest(415, Kind.UNSUPPORTED, "JSON is UTF-8 (RFC 8259)")
