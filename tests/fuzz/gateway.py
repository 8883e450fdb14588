"""A gateway that greets as it should and then says anything, over a real WebSocket."""

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, serve_websocket

from pombal.link.wire.events import event_to_wire
from tests.fuzz.mutate import Mutator, dump
from tests.fuzz.wire import LINK_EVENTS, valid_frames
from tests.link.wire.pair import gateway_end


class HostileGateway:
    """frames: how many it has said; connections: how often the daemon came, of its own will, to hear more."""

    def __init__(self, seed: int, frames_max: int) -> None:
        self._rng = random.Random(seed)
        self._frames_max = frames_max
        self._events = [event_to_wire(event) for event in LINK_EVENTS]
        self._valid = [frame for frame in valid_frames() if frame["type"] not in ("hello", "refused")]
        self._mutator = Mutator(self._rng, [*self._events, *self._valid])
        self._seq = self._acknowledged = 0
        self._heard = trio.Event()
        self.frames = 0
        self.connections = 0
        self.done = trio.Event()

    async def serve(self, request: WebSocketRequest) -> None:
        socket = await request.accept()
        self.connections += 1
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._talk, socket)
            with suppress(ConnectionClosed):
                while True:
                    self._take(json.loads(await socket.get_message()))
            nursery.cancel_scope.cancel()

    async def _talk(self, socket: WebSocketConnection) -> None:
        with suppress(ConnectionClosed, trio.BrokenResourceError):
            await socket.send_message(gateway_end().hello())
            self._acknowledged = self._seq  # this gateway has no spool: what was lost does not come again
            while self.frames < self._frames_max:
                self.frames += 1
                await socket.send_message(await self._payload())
            await self._all_acknowledged()
            self.done.set()

    def _take(self, said: dict[str, Any]) -> None:
        if said["type"] == "ack":
            self._acknowledged = said["seq"]
            self._heard.set()
            self._heard = trio.Event()

    async def _all_acknowledged(self) -> None:
        while self._acknowledged < self._seq:
            await self._heard.wait()

    async def _payload(self) -> str | bytes:
        """Mostly events whose frame is whole, so that what is in them gets as far as the database.

        Before anything that may end the connection, all that was said has been taken: else it would be lost with it.
        """
        chance = self._rng.random()
        if chance < 0.9:
            self._seq += 1
            event = json.loads(json.dumps(self._rng.choice(self._events)))
            if event["type"] == "message":
                event["link_id"] += f"{self._seq}"
            return dump({"type": "event", "seq": self._seq, "event": self._mutator.spoil(event)})
        await self._all_acknowledged()
        if chance < 0.99:
            return self._mutator.frame(self._rng.choice(self._valid)).decode("utf-8", "replace")
        return self._rng.randbytes(self._rng.choice((0, 3, 5, 1000)))


@asynccontextmanager
async def hostile_gateway(seed: int, frames_max: int) -> AsyncIterator[tuple[HostileGateway, str]]:
    """(the gateway, its URL)."""
    gateway = HostileGateway(seed, frames_max)
    async with trio.open_nursery() as nursery:
        server = await nursery.start(serve_websocket, gateway.serve, "127.0.0.1", 0, None)
        yield gateway, f"ws://127.0.0.1:{server.port}"
        nursery.cancel_scope.cancel()
