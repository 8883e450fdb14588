"""What goes wrong on the wire, with a stable code each, and the WebSocket close codes that tell it."""

from enum import IntEnum, StrEnum


class ErrorCode(StrEnum):
    TOO_LARGE = "too_large"  # a frame beyond its bound
    NOT_JSON = "not_json"  # a text frame that is no JSON object
    UNKNOWN_TYPE = "unknown_type"  # a frame of a type that this protocol version does not know, and not optional
    INVALID = "invalid"  # a known frame without what it needs, or with something of another type
    OUT_OF_ORDER = "out_of_order"  # a frame that may not come now: a second hello, an old seq, an unknown answer
    PROTOCOL_VERSION = "protocol_version"  # the other end speaks another version


class WireError(Exception):
    """The other end (or, from an encoder, this one) broke the protocol. detail is for people and holds no text."""

    def __init__(self, code: ErrorCode, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class CloseCode(IntEnum):
    """Why a gateway (or the daemon) closed the WebSocket."""

    NORMAL = 1000
    GOING_AWAY = 1001  # the process stops
    PROTOCOL_VERSION = 4400
    UNAUTHORIZED = 4401
    NOT_FOUND = 4404  # no such path
    SUPERSEDED = 4409  # a newer connection serves this session
    GARBAGE = 4422  # the other end broke the protocol
    UNAVAILABLE = 4503  # the session cannot be served now: full, or its directory is held by another process
