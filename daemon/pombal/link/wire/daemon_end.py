"""The daemon's end of a connection as a state machine: frames in, frames out, no I/O."""

from dataclasses import dataclass
from typing import Any

from pombal.link.base import Delivery
from pombal.link.wire import frames
from pombal.link.wire.codec import FROM_DAEMON, FROM_GATEWAY, decode, encode, encode_chunk
from pombal.link.wire.commands import COMMANDS, Command, GetMedia, PutMedia, Result, result_from_wire
from pombal.link.wire.errors import ErrorCode, WireError
from pombal.link.wire.events import event_from_wire
from pombal.link.wire.limits import PROTOCOL, TRANSFER_ID_MAX
from pombal.link.wire.transfers import Inflow, Outflow


@dataclass(frozen=True, slots=True)
class Answered:
    """A command was carried out."""

    id: int
    result: Result


@dataclass(frozen=True, slots=True)
class Declined:
    """A command was not carried out."""

    id: int
    kind: str
    detail: str


Heard = (
    frames.GatewayHello | frames.Refused | Delivery | Answered | Declined | frames.Facts | frames.MediaWaiting
    | frames.Lost | frames.Ping | frames.Pong | frames.ChunkAck | frames.Chunk
)  # fmt: skip
"""What the gateway told, checked against what it may tell now."""


class DaemonEnd:
    """What ``receive`` returns is in order and makes sense; what the other methods return is to be sent, in order."""

    def __init__(self) -> None:
        self.gateway: frames.GatewayHello | None = None
        self._is_refused = False
        self._last_seq = -1
        self._last_acknowledged = -1
        self._last_id = 0
        self._last_transfer = -1
        self._waiting: dict[int, Command] = {}
        self._outflows: dict[int, Outflow] = {}
        self._inflows: dict[int, Inflow] = {}

    def receive(self, payload: str | bytes) -> Heard | None:
        """One WebSocket message; None for what may be ignored. Raises WireError: then close with GARBAGE."""
        frame = decode(FROM_GATEWAY, payload)
        if frame is None:
            return None
        self._check_turn(frame)
        match frame:
            case frames.GatewayHello():
                return self._hello(frame)
            case frames.Refused():
                self._is_refused = True
            case frames.EventFrame():
                return self._event(frame)
            case frames.Answer():
                return self._answer(frame)
            case frames.ChunkAck(transfer, size_bytes):
                if (outflow := self._outflows.get(transfer)) is None:
                    return None  # its transfer was given up meanwhile
                outflow.confirmed(size_bytes)
            case frames.Chunk(transfer, data):
                if (inflow := self._inflows.get(transfer)) is None:
                    return None
                inflow.received(len(data))
        heard: Heard = frame
        return heard

    # To be sent

    def hello(self, daemon: str, session: frames.SessionInfo, max_unacknowledged: int = 1000) -> str:
        return self._text(frames.DaemonHello(PROTOCOL, daemon, session, max_unacknowledged))

    def ack(self, seq: int) -> str:
        """Raises WireError (out_of_order) for what was never told."""
        if not self._last_acknowledged <= seq <= self._last_seq:
            raise WireError(ErrorCode.OUT_OF_ORDER, f"seq {seq} cannot be acknowledged now")
        self._last_acknowledged = seq
        return self._text(frames.Ack(seq))

    def command(self, command: Command) -> tuple[int, str]:
        """(its id, the frame). Raises WireError: too_large, invalid; nothing is to be sent then."""
        self._last_id += 1
        text = self._text(frames.CommandFrame(self._last_id, COMMANDS.to_wire(command)))
        self._waiting[self._last_id] = command
        match command:
            case PutMedia(transfer=transfer):
                self._outflows[transfer] = Outflow()
            case GetMedia(transfer=transfer):
                self._inflows[transfer] = Inflow()
        return self._last_id, text

    def withdraw(self, id_: int) -> None:
        """A command that ``command`` gave was never sent. Ids may be left out."""
        self._over(self._waiting.pop(id_))

    def command_of(self, transfer: int) -> int | None:
        """The id of the command whose transfer this is; None once it was answered."""
        return next((id_ for id_, command in self._waiting.items() if _transfer_of(command) == transfer), None)

    def next_transfer(self) -> int:
        """An id for a transfer that is not in use."""
        self._last_transfer = (self._last_transfer + 1) % (TRANSFER_ID_MAX + 1)
        return self._last_transfer

    def room_bytes(self, transfer: int) -> int:
        """How long the next chunk may be; 0: wait for a ChunkAck. Of a transfer that has ended: 0."""
        outflow = self._outflows.get(transfer)
        return 0 if outflow is None else outflow.room_bytes

    def chunk(self, transfer: int, data: bytes) -> bytes | None:
        """The next bytes; none: the end. None where the gateway has answered already, and wants no more of it."""
        if (outflow := self._outflows.get(transfer)) is None:
            return None
        outflow.sent(len(data))
        return encode_chunk(frames.Chunk(transfer, data))

    def taken(self, transfer: int, size_bytes: int) -> str | None:
        """A chunk has been dealt with; None where its transfer has ended."""
        if (inflow := self._inflows.get(transfer)) is None:
            return None
        return self._text(frames.ChunkAck(transfer, inflow.taken(size_bytes)))

    def ping(self, n: int) -> str:
        return self._text(frames.Ping(n))

    def pong(self, n: int) -> str:
        return self._text(frames.Pong(n))

    # Inside

    def _text(self, frame: Any) -> str:
        return encode(FROM_DAEMON, frame)

    def _check_turn(self, frame: Any) -> None:
        is_first = self.gateway is None and not self._is_refused
        if is_first and not isinstance(frame, frames.GatewayHello | frames.Refused):
            raise WireError(ErrorCode.OUT_OF_ORDER, "the gateway's first frame must be hello or refused")
        if not is_first and isinstance(frame, frames.GatewayHello | frames.Refused):
            raise WireError(ErrorCode.OUT_OF_ORDER, "a second hello")
        if self._is_refused:
            raise WireError(ErrorCode.OUT_OF_ORDER, "a frame after the gateway refused")

    def _hello(self, hello: frames.GatewayHello) -> frames.GatewayHello:
        if hello.protocol != PROTOCOL:
            raise WireError(
                ErrorCode.PROTOCOL_VERSION,
                f"the gateway ({hello.gateway[:100]}) speaks wire protocol {hello.protocol}, this daemon {PROTOCOL}",
            )
        self.gateway = hello
        return hello

    def _event(self, frame: frames.EventFrame) -> Delivery:
        if frame.seq <= self._last_seq:
            raise WireError(ErrorCode.OUT_OF_ORDER, f"event {frame.seq} after event {self._last_seq}")
        self._last_seq = frame.seq
        return Delivery(frame.seq, event_from_wire(frame.event))

    def _answer(self, frame: frames.Answer) -> Answered | Declined:
        command = self._waiting.pop(frame.id, None)
        if command is None:
            raise WireError(ErrorCode.OUT_OF_ORDER, f"an answer to command {frame.id}, which nobody asked")
        self._over(command)
        if frame.error is not None:
            return Declined(frame.id, frame.error.kind, frame.error.detail)
        return Answered(frame.id, result_from_wire(type(command), dict(frame.result or {})))

    def _over(self, command: Command) -> None:
        if (transfer := _transfer_of(command)) is not None:
            self._outflows.pop(transfer, None)
            self._inflows.pop(transfer, None)


def _transfer_of(command: Command) -> int | None:
    return command.transfer if isinstance(command, PutMedia | GetMedia) else None
