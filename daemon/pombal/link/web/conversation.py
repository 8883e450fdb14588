"""One connection to a gateway while it lasts: a reader, a writer and a pinger over the codec's state machine."""

from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from typing import TypeVar, cast

import structlog
import trio
from trio_websocket import ConnectionClosed, ConnectionRejected, WebSocketConnection
from wsproto.utilities import LocalProtocolError

from pombal import __version__
from pombal.config.settings import WebSettings
from pombal.link.base import Delivery, LinkLost
from pombal.link.web.bell import Bell
from pombal.link.web.dial import Way, open_stream, open_websocket, rejection
from pombal.link.web.questions import GatewayDeclined, Question
from pombal.link.wire import CloseCode, DaemonEnd, ErrorCode, WireError, frames
from pombal.link.wire.commands import Command, Result
from pombal.link.wire.daemon_end import Answered, Declined, Heard
from pombal.model.errors import Kind, PombalError

log = structlog.get_logger()

E = TypeVar("E", bound=Exception)

# After a timeout, time for what arrived meanwhile to be read: this process may have been the slow one.
GRACE_S = 0.2
CLOSE_TIMEOUT_S = 2.0

WHY_CLOSED = {
    CloseCode.GOING_AWAY: "the gateway stops",
    CloseCode.SUPERSEDED: "another connection serves this session now",
    CloseCode.GARBAGE: "the gateway did not understand us",
}


class Conversation:
    """``serve`` runs it, in a nursery that outlives its user: so what waits to be said at the end still is."""

    def __init__(self, way: Way, session: frames.SessionInfo, settings: WebSettings) -> None:
        self.facts: frames.Facts | None = None
        self.media_waiting: tuple[frames.MediaItem, ...] = ()
        self.media_bell = Bell()
        self.is_unresponsive = False
        self._way = way
        self._session = session
        self._settings = settings
        self.end = DaemonEnd()
        self._scope = trio.CancelScope()
        self._ended = trio.Event()
        self._greeted = Bell()
        self._lost: str | None = None
        self._crash: Exception | None = None
        self._deliveries: list[Delivery] = []
        self._arrived = Bell()
        self._unacknowledged: deque[int] = deque()
        self._to_acknowledge: int | None = None
        self._to_pong: int | None = None
        self._closing: CloseCode | None = None
        self._outgoing: deque[str | bytes] = deque()
        self._writable = Bell()
        self._questions: dict[int, Question] = {}
        self._frames_heard = 0
        self._heard = Bell()

    # Its life

    async def serve(self) -> None:
        """Until the connection ends, whichever way; the reason is kept for those who use it."""
        try:
            with self._scope:
                await self._connect()
        except* LinkLost as group:
            self._lose(str(_first(group)))
        except* WireError as group:
            log.warning("gateway broke the protocol", session=self._session.name, reason=str(_first(group)))
            self._lose(f"the gateway broke the protocol: {_first(group)}")
        except* ConnectionClosed as group:
            self._lose(_why_closed(_first(group)))
        except* ConnectionRejected as group:
            self._lose(rejection(_first(group)))
        except* (trio.BrokenResourceError, trio.ClosedResourceError, LocalProtocolError):
            self._lose("the connection to the gateway broke")
        except* Exception as group:
            self._crash = _first(group)
        finally:
            self._lose("the connection to the gateway was closed")
            self._ended.set()

    async def _connect(self) -> None:
        stream = await open_stream(self._way)
        try:
            async with trio.open_nursery() as nursery:
                socket = await open_websocket(nursery, stream, self._way)
                self._say(self.end.hello(__version__, self._session, self._settings.max_unacknowledged))
                nursery.start_soon(self._write, socket, nursery.cancel_scope)
                nursery.start_soon(self._read, socket)
        finally:
            await trio.aclose_forcefully(stream)

    async def greeted(self) -> frames.GatewayHello:
        """Wait until the gateway has said hello. Raises LinkLost."""
        while self.end.gateway is None:
            self.check()
            await self._greeted.wait()
        return self.end.gateway

    async def close(self, code: CloseCode) -> None:
        """Say what is to be said still (acknowledgements), close, and wait until that is done; bounded."""
        self._closing = code
        self._writable.ring()
        if self.end.gateway is None:
            self._scope.cancel()  # nothing was told yet that could be acknowledged
        with trio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
            await self._ended.wait()
        self._scope.cancel()
        with trio.CancelScope(shield=True):  # it only cancels and closes: no I/O is waited for
            await self._ended.wait()

    @property
    def is_open(self) -> bool:
        return self._lost is None and self.end.gateway is not None

    def check(self) -> None:
        """Raises LinkLost once it has ended, or whatever nobody expected."""
        if self._crash is not None:
            crash, self._crash = self._crash, None
            raise crash
        if self._lost is not None:
            raise LinkLost(self._lost)

    def lose(self, reason: str) -> None:
        """It is of no use any more."""
        self._lose(reason)
        self._scope.cancel()

    def _lose(self, reason: str) -> None:
        if self._lost is None:
            self._lost = reason[:500]
        for bell in (self._greeted, self._arrived, self.media_bell, self._heard):
            bell.ring()
        for question in self._questions.values():
            question.bell.ring()

    # Deliveries

    async def receive(self) -> Sequence[Delivery]:
        """All that wait, at least one. What came before the end is handed over before LinkLost is raised."""
        if self._deliveries:
            await trio.lowlevel.checkpoint()
        while not self._deliveries:
            self.check()
            await self._arrived.wait()
        batch, self._deliveries = self._deliveries, []
        return batch

    def acknowledge(self, seq: int) -> None:
        """Everything up to seq is committed; the newest is said as soon as the writer is free."""
        while self._unacknowledged and self._unacknowledged[0] <= seq:
            self._to_acknowledge = self._unacknowledged.popleft()
        self._writable.ring()

    # Commands

    async def ask(self, command: Command, timeout_s: float) -> Result:
        """Raises LinkLost, GatewayDeclined, PombalError (for what cannot be said: too_large, invalid)."""
        id_, question = self.begin(command)
        try:
            return await self.answer_of(question, command, timeout_s)
        finally:
            self.withdraw(id_)

    def begin(self, command: Command) -> tuple[int, Question]:
        """Say a command; whoever does must ``withdraw`` it in the end."""
        self.check()
        try:
            id_, payload = self.end.command(command)
        except WireError as error:
            kind = Kind.TOO_LARGE if error.code == ErrorCode.TOO_LARGE else Kind.INVALID
            raise PombalError(kind, f"the gateway cannot be told this: {error}") from error
        question = self._questions[id_] = Question(payload)
        self._say(payload)
        return id_, question

    async def answer_of(self, question: Question, command: Command, timeout_s: float) -> Result:
        """A gateway that does not answer in time counts as lost."""
        with trio.move_on_after(timeout_s):
            while question.answer is None:
                self.check()
                await question.bell.wait()
        match question.answer:
            case Answered(result=result):
                return result
            case Declined(_, kind, detail):
                raise GatewayDeclined(kind, detail)
        self.lose(f"the gateway did not answer {type(command).__name__} within {timeout_s:g} s")
        raise LinkLost(self._lost)

    def withdraw(self, id_: int) -> None:
        """Nobody waits for its answer any more; what was not said yet is not said at all."""
        question = self._questions.pop(id_)
        if question.answer is None and question.payload in self._outgoing:
            self._outgoing.remove(question.payload)
            self.end.withdraw(id_)

    def say_chunk(self, transfer: int, data: bytes) -> bool:
        """The next bytes of a transfer; none: its end. False where the gateway wants no more of it."""
        payload = self.end.chunk(transfer, data)
        if payload is not None:
            self._say(payload)
        return payload is not None

    def say_taken(self, transfer: int, size_bytes: int) -> None:
        if (payload := self.end.taken(transfer, size_bytes)) is not None:
            self._say(payload)

    def _say(self, payload: str | bytes) -> None:
        """Bounded by those who wait: commands by their callers, chunks by their window."""
        self._outgoing.append(payload)
        self._writable.ring()

    # Tasks

    async def _write(self, socket: WebSocketConnection, scope: trio.CancelScope) -> None:
        """The one who writes: a frame that was begun is finished, whoever gave up waiting for it."""
        while True:
            while (payload := self._next()) is not None:
                await socket.send_message(payload)
            if self._closing is not None:
                await socket.aclose(self._closing)
                scope.cancel()
                return
            await self._writable.wait()

    def _next(self) -> str | bytes | None:
        if self.end.gateway is not None and self._to_acknowledge is not None:
            seq, self._to_acknowledge = self._to_acknowledge, None
            return self.end.ack(seq)
        if self._to_pong is not None:
            n, self._to_pong = self._to_pong, None
            return self.end.pong(n)
        if self._closing is not None:
            return None
        return self._outgoing.popleft() if self._outgoing else None

    async def _read(self, socket: WebSocketConnection) -> None:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._ping)
                while True:
                    heard = self.end.receive(await socket.get_message())
                    self._frames_heard += 1
                    self._heard.ring()
                    if heard is not None:
                        self._take(heard)
        except* WireError as group:
            code = _first(group).code
            is_version = code == ErrorCode.PROTOCOL_VERSION
            with trio.move_on_after(CLOSE_TIMEOUT_S):
                await socket.aclose(CloseCode.PROTOCOL_VERSION if is_version else CloseCode.GARBAGE)  # noqa: ASYNC120  # cancelled, nobody minds
            raise

    def _take(self, heard: Heard) -> None:
        match heard:
            case Delivery():
                self._deliver(heard)
            case Answered(id=id_) | Declined(id=id_):
                if (question := self._questions.get(id_)) is not None:
                    question.answer = heard
                    question.bell.ring()
            case frames.Chunk(transfer, data):
                self._with_question_of(transfer, lambda question: question.chunks.append(data))
            case frames.ChunkAck(transfer):
                self._with_question_of(transfer, lambda _: None)
            case frames.Facts():
                self.facts = heard
            case frames.MediaWaiting(items):
                self.media_waiting = items
                self.media_bell.ring()
            case frames.Ping(n):
                self._to_pong = n
                self._writable.ring()
            case frames.GatewayHello():
                self._greeted.ring()
            case frames.Refused(kind, detail):
                raise LinkLost(f"the gateway refuses this session ({kind}): {detail}")
            case frames.Lost(detail):
                raise LinkLost(detail or "the gateway has lost WhatsApp")

    def _deliver(self, delivery: Delivery) -> None:
        if len(self._unacknowledged) >= self._settings.max_unacknowledged:
            raise WireError(
                ErrorCode.OUT_OF_ORDER,
                f"more than the {self._settings.max_unacknowledged} events that may be unacknowledged",
            )
        self._unacknowledged.append(delivery.seq)
        self._deliveries.append(delivery)
        self._arrived.ring()

    def _with_question_of(self, transfer: int, work: Callable[[Question], None]) -> None:
        id_ = self.end.command_of(transfer)
        question = None if id_ is None else self._questions.get(id_)
        if question is not None:
            work(question)
            question.bell.ring()

    async def _ping(self) -> None:
        """Liveness of the gateway itself. Anything that it says is a sign of life."""
        with trio.move_on_after(self._settings.start_timeout_s):
            while self.end.gateway is None:
                await self._greeted.wait()
        if self.end.gateway is None:
            raise LinkLost(f"the gateway said no hello within {self._settings.start_timeout_s:g} s")
        for n in count(1):
            await trio.sleep(self._settings.ping_every_s)
            before = self._frames_heard
            self._say(self.end.ping(n))
            with trio.move_on_after(self._settings.ping_timeout_s):
                while self._frames_heard == before:
                    await self._heard.wait()
            if self._frames_heard == before:
                await trio.sleep(GRACE_S)
            if self._frames_heard == before:
                self.is_unresponsive = True
                raise LinkLost(f"the gateway has said nothing for {self._settings.ping_timeout_s:g} s")


def _first(group: BaseExceptionGroup[E]) -> E:
    """The first one that is no group."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return cast("E", error)


def _why_closed(error: ConnectionClosed) -> str:
    if error.reason is None or error.reason.code == 1006:
        return "the connection to the gateway broke"
    code = error.reason.code
    known = WHY_CLOSED.get(code)  # type: ignore[call-overload]
    said = f": {error.reason.reason}" if error.reason.reason else ""
    return f"{known or f'the gateway closed the connection ({code})'}{said}"
