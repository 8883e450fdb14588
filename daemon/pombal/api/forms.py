"""Sending by multipart/form-data: the fields of a send, and its file."""

import mimetypes
from contextlib import aclosing
from typing import Any

from starlette.requests import Request

from pombal.api.context import api_of
from pombal.api.multipart import FIELD_MAX_BYTES, FIELDS_MAX, FILE_PART, Multipart, Part
from pombal.api.problems import BadRequest
from pombal.api.requests import SendBody
from pombal.model.caller import Caller
from pombal.model.errors import Kind, PombalError, invalid
from pombal.model.params_base import parse_params
from pombal.model.strict_json import NotJson, parse_json

_JSON_FIELDS = frozenset({"media", "location", "contact", "reaction"})
# Of the file: as parts of their own, or in the part `media`.
_DESCRIBING = frozenset({"mime_type", "file_name"})
_TYPE_OF_FAMILY = {"image": "image", "audio": "audio", "video": "video"}
FILE_NAME_MAX = 255


async def send_form(request: Request, caller: Caller) -> SendBody:
    """The form as a body of POST /send/; its file is in the media store by then.

    Without `type` a file's own type says which message it is. Raises PombalError, BadRequest.
    """
    # Closed as soon as it is not read any more: an asynchronous generator must not be left to the garbage collector.
    async with aclosing(request.stream()) as stream:
        return await _read(request, Multipart(stream, request.headers.get("content-type", "")), caller)


async def _read(request: Request, form: Multipart, caller: Caller) -> SendBody:
    fields: dict[str, Any] = {}
    stored: dict[str, Any] | None = None
    parts = 0
    while (part := await form.next_part()) is not None:
        parts += 1
        if parts > FIELDS_MAX:
            raise BadRequest(400, Kind.INVALID, f"a form may have {FIELDS_MAX} parts")
        if part.is_file or part.name == FILE_PART:
            stored = await _store(request, form, part, caller, stored)
        else:
            fields[part.name] = _value(part.name, await _text(form, part))
    return parse_params(SendBody, _complete(fields, stored))


def _complete(fields: dict[str, Any], stored: dict[str, Any] | None) -> dict[str, Any]:
    if stored is None:
        return fields
    described = fields.get("media", {})
    if not isinstance(described, dict) or not described.keys() <= _DESCRIBING:
        raise invalid("media: beside a file it may hold mime_type and file_name")
    media = stored | described | {name: fields.pop(name) for name in _DESCRIBING & fields.keys()}
    family = str(media["mime_type"]).partition("/")[0]
    return {"type": _TYPE_OF_FAMILY.get(family, "document")} | fields | {"media": media}


async def _store(
    request: Request, form: Multipart, part: Part, caller: Caller, before: dict[str, Any] | None
) -> dict[str, Any]:
    if before is not None:
        raise invalid("a message carries one file; send the others as messages of their own")
    kept = await api_of(request).service.put_media(form.read, caller)
    if not kept.size_bytes:
        raise invalid(f"the part {part.name!r} is an empty file")
    file_name = (part.file_name or "")[-FILE_NAME_MAX:] or None
    mime_type = part.mime_type
    if mime_type == "application/octet-stream" and file_name is not None:
        mime_type = mimetypes.guess_type(file_name)[0] or mime_type
    return {"sha256": kept.sha256, "mime_type": mime_type[:255], "file_name": file_name}


async def _text(form: Multipart, part: Part) -> str:
    pieces: list[bytes] = []
    size_bytes = 0
    while data := await form.read():
        size_bytes += len(data)
        if size_bytes > FIELD_MAX_BYTES:
            raise PombalError(Kind.TOO_LARGE, f"{part.name}: has more than {FIELD_MAX_BYTES} bytes")
        pieces.append(data)
    try:
        return b"".join(pieces).decode()
    except UnicodeDecodeError:
        raise BadRequest(400, Kind.INVALID, f"{part.name}: is not UTF-8") from None


def _value(name: str, text: str) -> Any:
    if name not in _JSON_FIELDS:
        return text
    try:
        return parse_json(text.encode())
    except NotJson as error:
        raise invalid(f"{name}: is JSON here, and this is {error}") from None
