"""Wire protocol 1 between the daemon and a gateway, without I/O: docs/link-protocol.md in code, for both ends."""

from pombal.link.wire.daemon_end import DaemonEnd
from pombal.link.wire.errors import CloseCode, ErrorCode, WireError
from pombal.link.wire.gateway_end import GatewayEnd
from pombal.link.wire.limits import CHUNK_MAX_BYTES, PROTOCOL, TEXT_FRAME_MAX_BYTES, WINDOW_CHUNKS

__all__ = [
    "CHUNK_MAX_BYTES", "PROTOCOL", "TEXT_FRAME_MAX_BYTES", "WINDOW_CHUNKS", "CloseCode", "DaemonEnd", "ErrorCode",
    "GatewayEnd", "WireError",
]  # fmt: skip
