"""The flow of chunks, counted: what may still be sent, and whether the other end keeps to its window."""

from pombal.link.wire.errors import ErrorCode, WireError
from pombal.link.wire.limits import CHUNK_MAX_BYTES, WINDOW_CHUNKS

WINDOW_BYTES = WINDOW_CHUNKS * CHUNK_MAX_BYTES


class Outflow:
    """A transfer that this end sends."""

    __slots__ = ("confirmed_bytes", "sent_bytes")

    def __init__(self) -> None:
        self.sent_bytes = 0
        self.confirmed_bytes = 0

    @property
    def room_bytes(self) -> int:
        """How much may be sent now; a chunk is at most CHUNK_MAX_BYTES."""
        return min(CHUNK_MAX_BYTES, WINDOW_BYTES - (self.sent_bytes - self.confirmed_bytes))

    def sent(self, size_bytes: int) -> None:
        """Raises WireError (out_of_order) where the window does not hold it."""
        if size_bytes > self.room_bytes:
            raise WireError(ErrorCode.OUT_OF_ORDER, "a chunk beyond the window: wait for chunk_ack")
        self.sent_bytes += size_bytes

    def confirmed(self, total_bytes: int) -> None:
        """Raises WireError (out_of_order) for more than was sent, or less than was confirmed before."""
        if not self.confirmed_bytes <= total_bytes <= self.sent_bytes:
            raise WireError(ErrorCode.OUT_OF_ORDER, "a chunk_ack for bytes that were not sent")
        self.confirmed_bytes = total_bytes


class Inflow:
    """A transfer that this end receives."""

    __slots__ = ("is_ended", "received_bytes", "taken_bytes")

    def __init__(self) -> None:
        self.received_bytes = 0
        self.taken_bytes = 0
        self.is_ended = False

    def received(self, size_bytes: int) -> None:
        """0: the end. Raises WireError (out_of_order) beyond the window, or after the end."""
        if self.is_ended:
            raise WireError(ErrorCode.OUT_OF_ORDER, "a chunk after the end of its transfer")
        if self.received_bytes + size_bytes - self.taken_bytes > WINDOW_BYTES:
            raise WireError(ErrorCode.OUT_OF_ORDER, "a chunk beyond the window")
        self.received_bytes += size_bytes
        self.is_ended = size_bytes == 0

    def taken(self, size_bytes: int) -> int:
        """So much more has been taken; the total, for a ChunkAck."""
        self.taken_bytes += size_bytes
        return self.taken_bytes
