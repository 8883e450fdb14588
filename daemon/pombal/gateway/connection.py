"""One daemon's connection for one session: events and facts go out, commands come in and are answered."""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from pombal.gateway import usage
from pombal.gateway.carrying import Carrying
from pombal.gateway.commands import carry_out, refusal_of
from pombal.gateway.session import Session
from pombal.link.base import Outgoing
from pombal.link.wire import CloseCode, GatewayEnd, WireError
from pombal.link.wire import frames as wire
from pombal.link.wire.commands import Command, Done, GetMedia, PutMedia, Result
from pombal.link.wire.gateway_end import Asked, Heard, Misunderstood

log = structlog.get_logger()

COMMANDS_MAX = 256
"""Commands of one connection that may be at work, and sends that may wait to be taken; then it is read no further."""
EVENTS_AT_ONCE = 200
CLOSE_S = 2.0


class Connection:
    """``serve`` until it is closed, by whichever side. The session's Listener meanwhile."""

    def __init__(
        self,
        session: Session,
        websocket: WebSocketConnection,
        end: GatewayEnd,
        *,
        max_unacknowledged: int,
        facts_every_s: float,
    ) -> None:
        self._session = session
        self._websocket = websocket
        self._end = end
        self._max_unacknowledged = max_unacknowledged
        self._facts_every_s = facts_every_s
        self._woken = trio.Event()
        self._told: deque[int] = deque()
        self._sends, self._sends_to_take = trio.open_memory_channel[tuple[int, Outgoing]](COMMANDS_MAX)
        self._at_work = trio.Semaphore(COMMANDS_MAX)
        self._carrying = Carrying(end, session.files, self._say)
        self._told_alive: bool | None = None
        self._told_version = -1
        self._acknowledged = self._forgotten = 0
        self._has_forgotten = trio.Event()
        self._acknowledging = trio.Event()
        self._lost: str | None = None
        self._scope = trio.CancelScope()
        self._closing: tuple[CloseCode, str] | None = None

    async def serve(self) -> int | None:
        """The code with which the daemon closed; None where it was not the daemon, or gave none."""
        try:
            with self._scope:
                await self._serve()
        except* ConnectionClosed:
            pass
        if self._acknowledged:
            await trio.to_thread.run_sync(self._session.spool.acknowledge, self._acknowledged)
            await self._session.life.acknowledged()
        if (closed := self._websocket.closed) is not None:
            return int(closed.code)
        if self._closing is not None:
            with trio.move_on_after(CLOSE_S):
                await self._websocket.aclose(*self._closing)
        return None

    async def _serve(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tell_events)
            nursery.start_soon(self._tell_facts)
            nursery.start_soon(self._take_sends)
            nursery.start_soon(self._forget)
            await self._read(nursery)
            nursery.cancel_scope.cancel()

    def close(self, code: CloseCode, reason: str) -> None:
        """The first reason counts; ``serve`` returns soon."""
        self._closing = self._closing or (code, reason)
        self._scope.cancel()

    def wake(self) -> None:
        self._woken.set()

    def lost(self, detail: str) -> None:
        self._lost = detail
        self._woken.set()

    # Out

    async def _say(self, frame: str | bytes | None) -> None:
        if frame is not None:
            await self._websocket.send_message(frame)

    async def _tell_events(self) -> None:
        """All that the spool has, as far as the daemon keeps up."""
        after, spool = 0, self._session.spool
        while True:
            self._woken = trio.Event()
            await self._tell_how_it_stands()
            room = min(EVENTS_AT_ONCE, self._max_unacknowledged - len(self._told))
            events = await trio.to_thread.run_sync(spool.read, after, room) if room > 0 else []
            for seq, event in events:
                after = seq
                self._told.append(seq)
                await self._say(self._end.event(seq, event))
            if not events:
                await self._woken.wait()

    async def _tell_how_it_stands(self) -> None:
        if self._session.life.is_alive != self._told_alive:
            await self._tell_the_facts()
        if self._lost is not None:
            detail, self._lost = self._lost, None
            await self._say(self._end.lost(detail))
        downloads = self._session.downloads
        if downloads.version != self._told_version:
            is_first, self._told_version = self._told_version < 0, downloads.version
            files = await downloads.waiting()
            if is_first and not files:
                return
            items = [wire.MediaItem(each.sha256, each.size_bytes, each.mime_type) for each in files]
            await self._say(self._end.media_waiting(items))

    async def _tell_facts(self) -> None:
        while True:
            await trio.sleep(self._facts_every_s)
            await self._tell_the_facts()

    async def _tell_the_facts(self) -> None:
        life = self._session.life
        self._told_alive = life.is_alive
        await self._say(self._end.facts(wire.Facts(life.is_alive, life.last_frame_at_ms, usage.rss_bytes())))

    # In

    async def _read(self, nursery: trio.Nursery) -> None:
        while True:
            payload = await self._websocket.get_message()
            try:
                heard = self._end.receive(payload)
            except WireError as error:
                log.warning("the daemon broke the protocol", reason_code=error.code.value, reason=error.detail)
                self._closing = (CloseCode.GARBAGE, error.detail[:100])
                return
            await self._hear(heard, nursery)

    async def _hear(self, heard: Heard | None, nursery: trio.Nursery) -> None:
        match heard:
            case wire.Ack(seq):
                self._acknowledged = seq
                self._acknowledging.set()
            case wire.Ping(n):
                nursery.start_soon(self._pong, n)
            case Asked(id_, Outgoing() as outgoing):
                await self._sends.send((id_, outgoing))
            case Asked():
                await self._at_work.acquire()
                self._carrying.expect(heard)
                nursery.start_soon(self._work, heard)
            case Misunderstood(id_, kind, detail):
                await self._say(self._end.refuse(id_, kind, detail))
            case wire.ChunkAck() | wire.Chunk():
                self._carrying.hear(heard)

    async def _forget(self) -> None:
        """What was acknowledged; all of it at once, where acknowledgements come faster than the disk."""
        while True:
            await self._acknowledging.wait()
            self._acknowledging = trio.Event()
            seq = self._acknowledged
            await trio.to_thread.run_sync(self._session.spool.acknowledge, seq)
            await self._session.life.acknowledged()
            self._forgotten = seq
            self._has_forgotten.set()
            self._has_forgotten = trio.Event()
            is_full = len(self._told) >= self._max_unacknowledged
            while self._told and self._told[0] <= seq:
                self._told.popleft()
            if is_full:
                self._woken.set()

    async def _pong(self, n: int) -> None:
        """Once what was said before it has been worked off: whoever has it, knows where they stand."""
        while self._forgotten < self._acknowledged:
            await self._has_forgotten.wait()
        await self._say(self._end.pong(n))

    async def _take_sends(self) -> None:
        """In the order in which they came."""
        async for id_, outgoing in self._sends_to_take:

            async def taken(outgoing: Outgoing = outgoing) -> Done:
                await self._session.sending.take(outgoing)
                return Done()

            await self._answer(id_, taken)

    async def _work(self, asked: Asked) -> None:
        try:
            await self._answer(asked.id, lambda: self._carry_out(asked.command))
        finally:
            self._carrying.done(asked)
            self._at_work.release()

    async def _carry_out(self, command: Command) -> Result:
        match command:
            case PutMedia():
                return await self._carrying.put(command)
            case GetMedia():
                return await self._carrying.get(command)
        return await carry_out(self._session, command)

    async def _answer(self, id_: int, worked: Callable[[], Awaitable[Any]]) -> None:
        try:
            result = await worked()
        except ConnectionClosed:
            raise
        except Exception as error:
            refused = refusal_of(error)
            await self._say(self._end.refuse(id_, refused.kind, refused.detail))
        else:
            await self._say(self._end.answer(id_, result))
