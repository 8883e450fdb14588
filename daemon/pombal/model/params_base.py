"""What all request params share: their strictness, their common fields, and how a refusal of them is worded."""

import base64
import binascii
import re
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)

from pombal.model.errors import PombalError, invalid
from pombal.model.text import REPLACEMENT, storable

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1  # what SQLite keeps as an integer
MEDIA_CHUNK_MAX_BYTES = 524_288
ERRORS_TOLD = 5
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

AnyParams = TypeVar("AnyParams", bound="Params")


class Params(BaseModel):
    """The params of one method: named, no unknown ones, and a number is never read out of a string."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class NoParams(Params):
    """A method that takes none."""


def refusing(check: Callable[[str], str]) -> AfterValidator:
    """A check of the model's own, which raises PombalError, as a validator that names the field."""

    def checked(value: str) -> str:
        try:
            return check(value)
        except PombalError as error:
            raise ValueError(error.message) from None

    return AfterValidator(checked)


Int64 = Annotated[int, Field(ge=INT64_MIN, le=INT64_MAX)]
Natural = Annotated[int, Field(ge=0, le=INT64_MAX)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
# Where a session is asked for: unknown ones are not_found, so no pattern.
SessionRef = Annotated[
    str, Field(min_length=1, max_length=64, description="Name or id of a session.", examples=["suporte"])
]
PhoneNumber = Annotated[
    str,
    Field(min_length=1, max_length=64, description="A phone number in any usual spelling.", examples=["5511999999999"]),
]
TimeText = Annotated[
    str,
    Field(
        min_length=1, max_length=64, description="ISO 8601, or an age.", examples=["2026-01-31T12:00:00Z", "15m", "7d"]
    ),
]
Limit = Annotated[int, Field(ge=1, le=500, description="How many results at most.")]
Cursor = Annotated[str, Field(min_length=1, max_length=512, description="`next` of the page before; opaque.")]
Count = Annotated[bool, Field(description="Also count all that the filters let pass; that may take long.")]
Sequence = Annotated[int, Field(ge=0, le=INT64_MAX, description="An event's sequence number.")]


def decode_base64(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not base64 (RFC 4648, standard alphabet, padded, no line breaks)") from None


Base64Data = Annotated[
    bytes,
    BeforeValidator(decode_base64),
    Field(max_length=MEDIA_CHUNK_MAX_BYTES),
    PlainSerializer(lambda data: base64.b64encode(data).decode(), return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "contentEncoding": "base64"}),
]
"""At most 512 KiB of bytes; base64 text outside."""


def parse_params(model: type[AnyParams], raw: Any) -> AnyParams:
    """The params as a model. Raises PombalError (invalid) with data ``errors: [{field, reason}]``."""
    try:
        return model.model_validate({} if raw is None else raw)
    except ValidationError as error:
        refused = error
    if _has_lone_surrogate(refused):
        try:
            return model.model_validate(_mended(raw))
        except ValidationError as error:
            refused = error
    raise params_error(model, refused)


def params_error(model: type[BaseModel], error: ValidationError) -> PombalError:
    """A pydantic error in words for whoever called. Never quotes what was given: it may be a message or a secret."""
    found = error.errors(include_url=False, include_context=True, include_input=False)
    errors = [
        {"field": storable(_field(entry["loc"])), "reason": _reason(model, entry)} for entry in found[:ERRORS_TOLD]
    ]
    text = "; ".join(f"{entry['field']}: {entry['reason']}" if entry["field"] else entry["reason"] for entry in errors)
    if len(found) > ERRORS_TOLD:
        text += f"; and {len(found) - ERRORS_TOLD} more"
    return invalid(text, errors=errors)


def _field(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part)[:64] for part in location)


def _reason(model: type[BaseModel], entry: Any) -> str:
    match entry["type"]:
        case "missing":
            return "is required"
        case "extra_forbidden" if len(entry["loc"]) == 1:
            return f"no such parameter; there are: {', '.join(parameter_names(model)) or 'none'}"
        case "value_error":
            return str(entry["ctx"]["error"])
        case "model_type" | "dict_type":
            return "must be an object"
        case "greater_than_equal" | "less_than_equal" if abs(entry["ctx"].get("le", 0)) == INT64_MAX:
            return "must fit into a signed 64-bit integer"
        case _:
            return str(entry["msg"])


def parameter_names(model: type[BaseModel]) -> list[str]:
    """As callers write them."""
    return [field.alias or name for name, field in model.model_fields.items()]


# pydantic refuses lone surrogates in a string with constraints. JSON can carry them ("\ud83d" cut in two by a careless
# client), so they are mended, but only once they have been met: no walk through every request.


def _has_lone_surrogate(error: ValidationError) -> bool:
    return any(entry["type"] == "string_unicode" for entry in error.errors(include_url=False, include_input=False))


def _mended(raw: Any) -> Any:
    if isinstance(raw, str):
        return _LONE_SURROGATE.sub(REPLACEMENT, raw)
    if isinstance(raw, dict):
        return {_mended(key): _mended(value) for key, value in raw.items()}
    return [_mended(item) for item in raw] if isinstance(raw, list) else raw
