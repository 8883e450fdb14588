"""Frames to what a WebSocket carries, and back."""

from typing import Any

from pombal.link.wire import frames
from pombal.link.wire.errors import ErrorCode, WireError
from pombal.link.wire.frames import Chunk
from pombal.link.wire.jsonio import dump, load_object
from pombal.link.wire.limits import CHUNK_MAX_BYTES, TRANSFER_ID_BYTES, TRANSFER_ID_MAX
from pombal.link.wire.shapes import Family

_BOTH: dict[str, type[Any]] = {"ping": frames.Ping, "pong": frames.Pong, "chunk_ack": frames.ChunkAck}

FROM_DAEMON: Family[Any] = Family(
    {"hello": frames.DaemonHello, "ack": frames.Ack, "command": frames.CommandFrame, **_BOTH}
)
FROM_GATEWAY: Family[Any] = Family(
    {
        "hello": frames.GatewayHello,
        "refused": frames.Refused,
        "event": frames.EventFrame,
        "answer": frames.Answer,
        "facts": frames.Facts,
        "media_waiting": frames.MediaWaiting,
        "lost": frames.Lost,
        **_BOTH,
    }
)

DaemonFrame = (
    frames.DaemonHello | frames.Ack | frames.CommandFrame | frames.Ping | frames.Pong | frames.ChunkAck | Chunk
)  # fmt: skip
GatewayFrame = (
    frames.GatewayHello | frames.Refused | frames.EventFrame | frames.Answer | frames.Facts | frames.MediaWaiting
    | frames.Lost | frames.Ping | frames.Pong | frames.ChunkAck | Chunk
)  # fmt: skip


def encode(family: Family[Any], frame: Any) -> str:
    """A text frame. Raises WireError: too_large, invalid."""
    return dump(family.to_wire(frame))


def decode(family: Family[Any], payload: str | bytes) -> Any:
    """The frame; None for one of a type that is not known and says that it is optional. Raises WireError."""
    if isinstance(payload, bytes):
        return decode_chunk(payload)
    data = load_object(payload)
    if (shape := family.shape_of(data)) is not None:
        return shape.from_wire(data)
    if data.get("optional") is True:
        return None
    raise WireError(ErrorCode.UNKNOWN_TYPE, f"a frame of unknown type {str(data['type'])[:40]!r}")


def encode_chunk(chunk: Chunk) -> bytes:
    """Raises WireError: too_large, invalid."""
    if len(chunk.data) > CHUNK_MAX_BYTES:
        raise WireError(ErrorCode.TOO_LARGE, f"a chunk of {len(chunk.data)} bytes; {CHUNK_MAX_BYTES} are allowed")
    if not 0 <= chunk.transfer <= TRANSFER_ID_MAX:
        raise WireError(ErrorCode.INVALID, f"{chunk.transfer} is no transfer id")
    return chunk.transfer.to_bytes(TRANSFER_ID_BYTES, "big") + chunk.data


def decode_chunk(payload: bytes) -> Chunk:
    """Raises WireError: too_large, invalid."""
    if len(payload) < TRANSFER_ID_BYTES:
        raise WireError(ErrorCode.INVALID, f"a binary frame of {len(payload)} bytes holds no transfer id")
    if len(payload) > TRANSFER_ID_BYTES + CHUNK_MAX_BYTES:
        raise WireError(ErrorCode.TOO_LARGE, f"a chunk of more than {CHUNK_MAX_BYTES} bytes")
    return Chunk(int.from_bytes(payload[:TRANSFER_ID_BYTES], "big"), payload[TRANSFER_ID_BYTES:])
