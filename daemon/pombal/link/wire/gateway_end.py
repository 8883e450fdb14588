"""A gateway's end of a connection as a state machine: frames in, frames out, no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pombal.link.base import LinkEvent
from pombal.link.wire import frames
from pombal.link.wire.codec import FROM_DAEMON, FROM_GATEWAY, decode, encode, encode_chunk
from pombal.link.wire.commands import COMMANDS, Command, GetMedia, PutMedia, Result, result_to_wire
from pombal.link.wire.errors import ErrorCode, WireError
from pombal.link.wire.events import event_to_wire
from pombal.link.wire.limits import PROTOCOL
from pombal.link.wire.transfers import Inflow, Outflow


@dataclass(frozen=True, slots=True)
class Asked:
    """A command of the daemon's, to be answered once by its id."""

    id: int
    command: Command


@dataclass(frozen=True, slots=True)
class Misunderstood:
    """A command that this gateway does not know or cannot read; ``refuse`` it with this kind and detail."""

    id: int
    kind: str
    detail: str


Heard = (
    frames.DaemonHello | frames.Ack | Asked | Misunderstood | frames.Ping | frames.Pong | frames.ChunkAck
    | frames.Chunk
)  # fmt: skip
"""What the daemon told, checked against what it may tell now."""


class GatewayEnd:
    """What ``receive`` returns is in order and makes sense; what the other methods return is to be sent, in order.

    deduplicates, max_unacknowledged, capabilities: what its hello says.
    """

    def __init__(
        self, gateway: str, *, deduplicates: bool, max_unacknowledged: int, capabilities: Sequence[str] = ()
    ) -> None:
        self._hello = frames.GatewayHello(PROTOCOL, gateway, deduplicates, max_unacknowledged, tuple(capabilities))
        self.daemon: frames.DaemonHello | None = None
        self._last_seq = -1
        self._last_acknowledged = -1
        self._last_id = -1
        self._waiting: dict[int, Command | None] = {}
        self._outflows: dict[int, Outflow] = {}
        self._inflows: dict[int, Inflow] = {}

    def receive(self, payload: str | bytes) -> Heard | None:
        """One WebSocket message; None for what may be ignored.

        Raises WireError. protocol_version: send ``refused`` and close with PROTOCOL_VERSION; else close with GARBAGE.
        """
        frame = decode(FROM_DAEMON, payload)
        if frame is None:
            return None
        if isinstance(frame, frames.DaemonHello):
            return self._greeted(frame)
        if self.daemon is None:
            raise WireError(ErrorCode.OUT_OF_ORDER, "the daemon's first frame must be hello")
        match frame:
            case frames.Ack(seq):
                if not self._last_acknowledged <= seq <= self._last_seq:
                    raise WireError(ErrorCode.OUT_OF_ORDER, f"an acknowledgement of event {seq}, which was not told")
                self._last_acknowledged = seq
            case frames.CommandFrame():
                return self._command(frame)
            case frames.ChunkAck(transfer, size_bytes):
                if (outflow := self._outflows.get(transfer)) is None:
                    return None
                outflow.confirmed(size_bytes)
            case frames.Chunk(transfer, data):
                if (inflow := self._inflows.get(transfer)) is None:
                    return None  # the transfer was refused; what was on its way is dropped
                inflow.received(len(data))
        heard: Heard = frame
        return heard

    @property
    def unacknowledged(self) -> int:
        """An upper bound of how many events are told and not acknowledged, where numbers have no holes."""
        return self._last_seq - self._last_acknowledged if self._last_seq >= 0 else 0

    # To be sent

    def hello(self) -> str:
        """After the daemon's hello."""
        return self._text(self._hello)

    def refused(self, kind: frames.RefusedKind, detail: str) -> str:
        """Instead of hello; then close."""
        return self._text(frames.Refused(kind, detail))

    def event(self, seq: int, event: LinkEvent) -> str:
        """Raises WireError: out_of_order where seq does not grow, too_large, invalid."""
        if seq <= self._last_seq:
            raise WireError(ErrorCode.OUT_OF_ORDER, f"event {seq} after event {self._last_seq}")
        text = self._text(frames.EventFrame(seq, event_to_wire(event)))
        self._last_seq = seq
        return text

    def answer(self, id_: int, result: Result) -> str:
        """A command was carried out. Raises WireError (out_of_order) for one that does not wait for it."""
        text = self._text(frames.Answer(id_, result=result_to_wire(result)))
        self._answered(id_)
        return text

    def refuse(self, id_: int, kind: str, detail: str) -> str:
        """A command was not carried out; kinds: docs/link-protocol.md. Raises WireError (out_of_order)."""
        self._answered(id_)
        return self._text(frames.Answer(id_, error=frames.AnswerError(kind, detail)))

    def facts(self, facts: frames.Facts) -> str:
        return self._text(facts)

    def media_waiting(self, items: Sequence[frames.MediaItem]) -> str:
        """Raises WireError (invalid, too_large) for more than fit."""
        return self._text(frames.MediaWaiting(tuple(items)))

    def lost(self, detail: str) -> str:
        return self._text(frames.Lost(detail))

    def room_bytes(self, transfer: int) -> int:
        """How long the next chunk of a get_media may be; 0: wait for a ChunkAck."""
        outflow = self._outflows.get(transfer)
        return 0 if outflow is None else outflow.room_bytes

    def chunk(self, transfer: int, data: bytes) -> bytes | None:
        """The next bytes of a get_media; none: the end. None where the transfer has been answered."""
        if (outflow := self._outflows.get(transfer)) is None:
            return None
        outflow.sent(len(data))
        return encode_chunk(frames.Chunk(transfer, data))

    def taken(self, transfer: int, size_bytes: int) -> str | None:
        """A chunk of a put_media has been written; None where the transfer has been answered."""
        if (inflow := self._inflows.get(transfer)) is None:
            return None
        return self._text(frames.ChunkAck(transfer, inflow.taken(size_bytes)))

    def ping(self, n: int) -> str:
        return self._text(frames.Ping(n))

    def pong(self, n: int) -> str:
        return self._text(frames.Pong(n))

    # Inside

    def _text(self, frame: Any) -> str:
        return encode(FROM_GATEWAY, frame)

    def _greeted(self, hello: frames.DaemonHello) -> frames.DaemonHello:
        if self.daemon is not None:
            raise WireError(ErrorCode.OUT_OF_ORDER, "a second hello")
        if hello.protocol != PROTOCOL:
            raise WireError(
                ErrorCode.PROTOCOL_VERSION,
                f"the daemon ({hello.daemon[:100]}) speaks wire protocol {hello.protocol}, this gateway {PROTOCOL}",
            )
        self.daemon = hello
        return hello

    def _command(self, frame: frames.CommandFrame) -> Asked | Misunderstood:
        if frame.id <= self._last_id:
            raise WireError(ErrorCode.OUT_OF_ORDER, f"command {frame.id} after command {self._last_id}")
        self._last_id = frame.id
        self._waiting[frame.id] = None
        try:
            command: Command = COMMANDS.from_wire(frame.command)
        except WireError as error:
            kind = "unsupported" if error.code == ErrorCode.UNKNOWN_TYPE else "invalid"
            return Misunderstood(frame.id, kind, error.detail)
        self._waiting[frame.id] = command
        match command:
            case PutMedia(transfer=transfer):
                self._inflows[transfer] = Inflow()
            case GetMedia(transfer=transfer):
                self._outflows[transfer] = Outflow()
        return Asked(frame.id, command)

    def _answered(self, id_: int) -> None:
        if id_ not in self._waiting:
            raise WireError(ErrorCode.OUT_OF_ORDER, f"command {id_} does not wait for an answer")
        match self._waiting.pop(id_):
            case PutMedia(transfer=transfer):
                self._inflows.pop(transfer, None)
            case GetMedia(transfer=transfer):
                self._outflows.pop(transfer, None)
