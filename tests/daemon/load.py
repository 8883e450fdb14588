"""Clients that keep a daemon busy and write down what they were told, until it goes away under them."""

import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import trio

from pombal.control.client import Client, Disconnected, NoDaemon, Pending, RemoteError, connect
from tests.daemon.books import Ledger
from tests.daemon.harness import Home

GONE = (Disconnected, NoDaemon)
IN_FLIGHT = 40
Work = Callable[[Client], Awaitable[None]]


class Load:
    """Sends, injections and an operator's hand.

    What was not answered is sent again in the next life, as a client would: it may have been taken all the same, and
    its message_id makes the second try the same message.
    """

    def __init__(self, home: Home, sessions: list[str], rng: random.Random, ledger: Ledger) -> None:
        self._home = home
        self._sessions = sessions
        self._rng = rng
        self._ledger = ledger
        self._count = 0
        self.unanswered: deque[tuple[str, str]] = deque()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Busy until the daemon is gone, or the block ends."""
        async with trio.open_nursery() as nursery:
            for work in (self._send, self._send, self._inject, self._meddle):
                nursery.start_soon(self._until_gone, work)
            yield
            nursery.cancel_scope.cancel()

    async def _until_gone(self, work: Work) -> None:
        with suppress(*GONE):
            async with connect(self._home.socket) as client:
                while True:
                    await work(client)

    async def _send(self, client: Client) -> None:
        batch = [self._next() for _ in range(self._rng.randint(1, IN_FLIGHT))]
        waiting = deque((each, self._request(client, *each)) for each in batch)
        try:
            while waiting:
                _, pending = waiting[0]
                with suppress(RemoteError):
                    self._ledger.answered(await pending.wait())
                waiting.popleft()
        finally:
            self.unanswered.extend(each for each, _ in waiting)

    def _request(self, client: Client, session: str, name: str) -> Pending:
        number = f"55119{80_000_001 + int(name[1:]) % 50}"
        return client.request("message.send", {"session": session, "to": number, "text": name, "message_id": name})

    def _next(self) -> tuple[str, str]:
        if self.unanswered:
            return self.unanswered.popleft()
        self._count += 1
        return self._rng.choice(self._sessions), f"m{self._count}"

    async def send_unanswered(self, client: Client) -> None:
        """Once more what no life has answered, nothing new."""
        for each in [self.unanswered.popleft() for _ in range(len(self.unanswered))]:
            self._ledger.answered(await self._request(client, *each).wait())

    async def _inject(self, client: Client) -> None:
        self._count += 1
        session, text = self._rng.choice(self._sessions), f"i{self._count}"
        with suppress(RemoteError):
            await client.simulator_inject(session, f"55219{70_000_000 + self._count % 50}", text=text)
            self._ledger.injected.add(text)

    async def _meddle(self, client: Client) -> None:
        """What else happens: a session is restarted, loses its link or crashes; somebody reads messages."""
        session = self._rng.choice(self._sessions)
        with suppress(RemoteError):
            match self._rng.randrange(8):
                case 0:
                    await client.session_restart(session)
                case 1:
                    await client.simulator_fault(session, "disconnect")
                case 2:
                    await client.simulator_fault(session, "crash")
                case _:
                    page = await client.message_list(session=session, direction="inbound", status="delivered", limit=20)
                    if page.results:
                        await client.message_mark_read(session, [message.message_id for message in page.results])
