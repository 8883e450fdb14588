"""JSON-RPC 2.0 (https://www.jsonrpc.org/specification), a line each: requests in, answers and notifications out.

Sans-IO, but for what it knows of the catalog.
"""

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from pydantic import BaseModel

from pombal.model.errors import Kind, PombalError
from pombal.model.events import Event
from pombal.model.params_base import Params, parse_params
from pombal.model.strict_json import NotJson, parse_json
from pombal.service.catalog import METHODS, Method

NO_ID = b"null"
EVENTS_CHUNK_BYTES = 262_144
_MEMBERS = {"jsonrpc", "id", "method", "params"}


class Code(IntEnum):
    """The specification's own codes, and the one for everything that Pombal refuses."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    REFUSED = -32000


class BadRequest(Exception):
    """A line that is no request we can carry out; ``id`` is JSON, `null` where none could be read."""

    def __init__(self, code: Code, message: str, id: bytes = NO_ID, kind: Kind = Kind.INVALID) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.id = id
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Request:
    """A request in its form; ``id`` is JSON as it goes back, None for a notification, which is not answered."""

    id: bytes | None
    method: str
    params: dict[str, Any]

    def resolve(self) -> tuple[Method, Params]:
        """The method, and its params validated. Raises BadRequest (unknown method) or PombalError (invalid)."""
        method = METHODS.get(self.method)
        if method is None:
            raise BadRequest(Code.METHOD_NOT_FOUND, _unknown(self.method), self.id or NO_ID, Kind.UNSUPPORTED)
        return method, parse_params(method.params, self.params)


def _unknown(method: str) -> str:
    close = difflib.get_close_matches(method[:64], METHODS, 1)
    hint = f"did you mean {close[0]}?" if close else "docs/control-protocol.md lists them all"
    return f"there is no method {method[:64]!r}; {hint}"


# In


def parse_request(line: bytes) -> Request:
    """One line as a request. Raises BadRequest."""
    message = _parse_json(line)
    if isinstance(message, list):
        raise BadRequest(Code.INVALID_REQUEST, "batches are not supported; send each request on a line of its own")
    if not isinstance(message, dict):
        raise BadRequest(Code.INVALID_REQUEST, "a request is a JSON object")
    request_id = _parse_id(message)
    if wrong := _what_is_wrong(message):
        raise BadRequest(Code.INVALID_REQUEST, wrong, request_id or NO_ID)
    return Request(request_id, message["method"], _parse_object(message, request_id))


def _parse_json(line: bytes) -> Any:
    try:
        return parse_json(line)
    except NotJson as error:
        raise BadRequest(Code.PARSE_ERROR, str(error)) from None


def _parse_id(message: dict[str, Any]) -> bytes | None:
    if "id" not in message:
        return None
    value = message["id"]
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        raise BadRequest(Code.INVALID_REQUEST, "id must be a string, a number or null")
    return b"%d" % value if isinstance(value, int) else _encode(value)


def _what_is_wrong(message: dict[str, Any]) -> str | None:
    if unknown := [name for name in message if name not in _MEMBERS]:
        return f"a request has jsonrpc, id, method and params; not {unknown[0][:64]!r}"
    if message.get("jsonrpc", "2.0") != "2.0":
        return 'jsonrpc must be "2.0"'
    if not isinstance(message.get("method"), str):
        return "method must be a string" if "method" in message else "method is missing"
    return None


def _parse_object(message: dict[str, Any], request_id: bytes | None) -> dict[str, Any]:
    params = message.get("params", {})
    if isinstance(params, list):
        raise BadRequest(
            Code.INVALID_PARAMS,
            "params go by name, in an object; by position they are not supported",
            request_id or NO_ID,
        )
    if not isinstance(params, dict):
        raise BadRequest(Code.INVALID_PARAMS, "params must be an object", request_id or NO_ID)
    return params


# Out


def encode_result(request_id: bytes, result: BaseModel) -> bytes:
    """The answer to a request that was carried out."""
    return encode_json(request_id, result.model_dump_json(warnings=False).encode())


def encode_json(request_id: bytes, result: bytes) -> bytes:
    """The same, of a result that is JSON already."""
    return b'{"jsonrpc":"2.0","id":' + request_id + b',"result":' + result + b"}\n"


def encode_refusal(request_id: bytes, error: PombalError) -> bytes:
    """The answer to a request that was refused."""
    code = Code.INVALID_PARAMS if error.kind == Kind.INVALID else Code.REFUSED
    return _encode_error(request_id, code, error.message, {"kind": error.kind, **error.data})


def encode_bad_request(error: BadRequest) -> bytes:
    return _encode_error(error.id, error.code, error.message, {"kind": error.kind})


def encode_crash(request_id: bytes) -> bytes:
    """The answer to a request that met a fault of ours; what it was stands in the log only."""
    text = "the daemon failed at this request; its log says how. It may or may not have been carried out"
    return _encode_error(request_id, Code.INTERNAL_ERROR, text, {"kind": Kind.CRASHED})


def _encode_error(request_id: bytes, code: Code, message: str, data: dict[str, Any]) -> bytes:
    error = _encode({"code": code, "message": message, "data": data})
    return b'{"jsonrpc":"2.0","id":' + request_id + b',"error":' + error + b"}\n"


def encode_events(subscription: str, events: Sequence[Event]) -> Iterator[bytes]:
    """Notifications in pieces of about 256 KiB."""
    head = b'{"jsonrpc":"2.0","method":"event","params":{"subscription":' + _encode(subscription) + b',"event":'
    lines: list[bytes] = []
    size_bytes = 0
    for event in events:
        lines += (head, event.json, b"}}\n")
        size_bytes += len(event.json)
        if size_bytes >= EVENTS_CHUNK_BYTES:
            yield b"".join(lines)
            lines, size_bytes = [], 0
    if lines:
        yield b"".join(lines)


def _encode(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate, in an id that has to go back as it came
        return json.dumps(value, separators=(",", ":"), default=str).encode()
