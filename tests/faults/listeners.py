"""Those who listen to events, over both transports and over every life of the daemon; and what they have heard."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import trio
from trio_websocket import ConnectionClosed, HandshakeError

from pombal.control.client import Disconnected, NoDaemon, connect
from tests.daemon.streams import address, open_socket
from tests.faults.changes import Changes
from tests.faults.keeper import Keeper

# As the contract has it, and not as the daemon's own code has it.
RANK = {status: rank for rank, status in enumerate(("queued", "uncertain", "failed", "sent", "delivered", "read"))}
ENDS = {"uncertain", "failed", "read"}
RETRY_S = 0.05
HANDSHAKE_S = 10.0
# The client's own errors where the daemon dies under it: trio-websocket's and the sockets'.
CUT = (ConnectionClosed, HandshakeError, trio.BrokenResourceError, trio.ClosedResourceError, OSError)


@dataclass
class Heard:
    """Every event, (type, message) by its place: the first is number 1.

    under_way: sends whose end has not been heard. problems: what no listener may ever hear.
    """

    who: str
    events: list[tuple[str, int | None]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    log_id: str = ""
    changes: Changes = field(default_factory=Changes)
    under_way: set[int] = field(default_factory=set)
    _status: dict[int, str] = field(default_factory=dict)

    def hear(self, events: Iterable[dict[str, Any]]) -> None:
        for event in events:
            if event["type"] != "cursor":
                self._hear(event)
        self.changes.tell()

    def _hear(self, event: dict[str, Any]) -> None:
        if event["seq"] != len(self.events) + 1:
            self._complain(f"event {event['seq']} ({event['type']}) came after event {len(self.events)}")
            return
        message = event["data"]["id"] if event["type"].startswith("message.") else None
        self.events.append((event["type"], message))
        if message is not None and "status" in event["data"]:
            self._follow(event, message, event["data"]["status"])

    def _follow(self, event: dict[str, Any], message: int, status: str) -> None:
        """A message begins once, and its status never goes down."""
        known = self._status.get(message)
        if event["type"] in ("message.queued", "message.received"):
            if known is not None:
                self._complain(f"message {message} was told twice, the second time as event {event['seq']}")
        elif known is None:
            self._complain(f"event {event['seq']} speaks of message {message}, which nobody was told of")
        elif RANK[status] < RANK[known]:
            self._complain(f"event {event['seq']}: message {message} went down from {known} to {status}")
        self._status[message] = status
        if event["type"] == "message.queued":
            self.under_way.add(message)
        elif status in ENDS:
            self.under_way.discard(message)

    def greet(self, log_id: str) -> None:
        if self.log_id not in ("", log_id):
            self._complain(f"the event log was {self.log_id}, and is {log_id} now")
        self.log_id = log_id

    async def upto(self, seq: int) -> None:
        """Wait until the event with this number has been heard."""
        await self.changes.until(lambda: len(self.events) >= seq, float("inf"), "")

    def _complain(self, what: str) -> None:
        self.problems.append(f"{self.who}: {what}")


async def listen_on_control_socket(keeper: Keeper, heard: Heard) -> None:
    while True:
        life = await keeper.ready()
        with suppress(Disconnected, NoDaemon):
            async with connect(life.running.home.socket) as client:
                after, log_id = len(heard.events), heard.log_id or None
                async with client.events(after=after, log_id=log_id) as events:
                    heard.greet(events.log_id)
                    async for event in events:
                        heard.hear([event])
        await trio.sleep(RETRY_S)


async def listen_on_websocket(keeper: Keeper, heard: Heard, token: str) -> None:
    while True:
        life = await keeper.ready()
        with suppress(*CUT):
            await _listen_once(address(life.running, token=token, after=len(heard.events), batch=50), heard)
        await trio.sleep(RETRY_S)


async def _listen_once(url: str, heard: Heard) -> None:
    try:
        # A daemon that is killed in the midst of the handshake leaves trio-websocket waiting for ever.
        with trio.move_on_after(HANDSHAKE_S) as opening:
            async with open_socket(url) as client:
                heard.greet((await client.frame())["log_id"])
                opening.deadline = float("inf")
                while True:
                    with suppress(trio.TooSlowError):  # nothing happens for a while
                        heard.hear((await client.frame())["events"])
    except* CUT as group:
        raise ConnectionResetError from group
