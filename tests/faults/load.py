"""Clients that keep a daemon busy and write down what they were told, over every life that it has."""

import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import httpx2
import trio

from pombal.control.client import Client, Disconnected, NoDaemon, Pending, RemoteError, connect
from tests.faults.keeper import Keeper
from tests.faults.ledger import Ledger

GONE = (Disconnected, NoDaemon)
IN_FLIGHT = 40
# Between two batches of one client, so that a database of a thousand rounds can still be checked within seconds.
PAUSE_S = 0.05
RETRY_S = 0.05
UNDER_WAY_MAX = 400
HELD_BACK_MAX_S = 2.0
SEND_URL = "/api/v1/whatsapp/send/"

Work = Callable[[Client], Awaitable[None]]
Name = tuple[str, str]


class Load:
    """Sends over both transports, injections and an operator's hand.

    What was not answered is sent again, as a client would: it may have been taken all the same, and its message_id
    makes the second try the same message.
    """

    def __init__(
        self, keeper: Keeper, sessions: list[str], rng: random.Random, ledger: Ledger, under_way: Callable[[], int]
    ) -> None:
        self._keeper = keeper
        self._sessions = sessions
        self._rng = rng
        self._ledger = ledger
        self._under_way = under_way
        self._count = 0
        self._unanswered: deque[Name] = deque()
        self.token = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Busy until the block ends, whatever becomes of the daemon."""
        async with trio.open_nursery() as nursery:
            for work in (self._send, self._send, self._inject, self._meddle):
                nursery.start_soon(self._for_ever, work)
            nursery.start_soon(self._send_over_http)
            yield
            nursery.cancel_scope.cancel()

    async def _for_ever(self, work: Work) -> None:
        while True:
            life = await self._keeper.ready()
            with suppress(*GONE):
                async with connect(life.running.home.socket) as client:
                    while True:
                        await work(client)
                        await trio.sleep(PAUSE_S)
            await trio.sleep(RETRY_S)

    async def _send(self, client: Client) -> None:
        await self._hold_back()
        names = [self._next() for _ in range(self._rng.randint(1, IN_FLIGHT))]
        await self._send_all(client, names)

    async def _send_all(self, client: Client, names: list[Name]) -> None:
        waiting = deque((name, self._request(client, *name)) for name in names)
        try:
            while waiting:
                name, pending = waiting[0]
                try:
                    self._ledger.answered(await pending.wait())
                except RemoteError as refusal:
                    self._ledger.refusal(name, refusal.kind, refusal.message)
                waiting.popleft()
        finally:
            self._unanswered.extend(name for name, _ in waiting)

    def _request(self, client: Client, session: str, name: str) -> Pending:
        return client.request("message.send", _params(session, name))

    def _next(self) -> Name:
        if self._unanswered:
            return self._unanswered.popleft()
        self._count += 1
        return self._rng.choice(self._sessions), f"m{self._count}"

    async def send_unanswered(self) -> None:
        """Once more what no life has answered, nothing new."""
        life = await self._keeper.ready()
        async with connect(life.running.home.socket) as client:
            await self._send_all(client, [self._unanswered.popleft() for _ in range(len(self._unanswered))])

    async def _send_over_http(self) -> None:
        while True:
            life = await self._keeper.ready()
            headers = {"Authorization": f"Bearer {self.token}"}
            with suppress(httpx2.TransportError):
                async with httpx2.AsyncClient(base_url=life.url, headers=headers, timeout=60) as http:
                    while True:
                        await self._hold_back()
                        await self._post(http, self._next())
                        await trio.sleep(PAUSE_S)
            await trio.sleep(RETRY_S)

    async def _post(self, http: httpx2.AsyncClient, name: Name) -> None:
        is_answered = False
        try:
            answer = await http.post(SEND_URL, json=_params(*name))
            body = answer.json()
            is_answered = True
        finally:
            if not is_answered:
                self._unanswered.append(name)
        if answer.is_success:
            self._ledger.answered(body)
        else:
            self._ledger.refusal(name, body["kind"], body["detail"])

    async def _hold_back(self) -> None:
        """Taking a send is cheaper than delivering it: on a slow machine the queue would grow and grow.

        Not for long: while the store is down nothing goes on its way, and sends must be there to be refused.
        """
        with trio.move_on_after(HELD_BACK_MAX_S):
            while self._under_way() > UNDER_WAY_MAX:  # noqa: ASYNC110
                await trio.sleep(PAUSE_S)

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
            match self._rng.randrange(12):
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


def _params(session: str, name: str) -> dict[str, str]:
    number = f"55119{80_000_001 + int(name[1:]) % 50}"
    return {"session": session, "to": number, "type": "text", "text": name, "message_id": name}
