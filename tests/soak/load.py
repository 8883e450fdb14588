"""A day at a helpdesk, in clients: agents send, platforms listen, sessions come and go, monitoring looks on."""

import base64
import os
import random
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from statistics import median

import httpx2
import trio

from pombal.control.client import Client, RemoteError, connect
from pombal.http_client import ApiError, AsyncClient
from pombal.model.errors import Kind
from pombal.model.message import Message
from tests.daemon.harness import Running

CONTACTS = 500
FILE_EVERY = 50  # one send in so many has a small file
TEXT = "Bom dia! O seu pedido já saiu para entrega 🙏"


class Timings:
    """Milliseconds since the last time somebody asked for their median."""

    def __init__(self) -> None:
        self._values: list[float] = []

    def add(self, value_ms: float) -> None:
        self._values.append(value_ms)

    def take(self) -> float | None:
        values, self._values = self._values, []
        return median(values) if values else None


class Load:
    """Everything of it runs until it is cancelled. What it was told is in ``answered`` and in ``heard``."""

    def __init__(self, daemon: Running, token: str, sessions: list[str], *, sends_per_s: float, seed: int) -> None:
        self._daemon = daemon
        self._url = daemon.url
        self._token = token
        self._sessions = sessions
        self._every_s = 1 / sends_per_s
        self._rng = random.Random(seed)
        self.answered: dict[tuple[str, str], str | None] = {}
        """The link_id of each send that was answered, by (session, message_id)."""
        self.heard: dict[str, int] = {}
        """By listener: the last event it was told. That it was told each, in order, is held while it listens."""
        self.refused = 0
        self.send, self.event, self.bare_fsync = Timings(), Timings(), Timings()
        self._stopped = False

    async def run(self) -> None:
        """Send and meddle until ``stop``; listen until cancelled."""
        async with trio.open_nursery() as nursery:
            for listener in (self._listen_steadily, self._listen_with_pauses, self._listen_anew):
                nursery.start_soon(listener)
            async with trio.open_nursery() as busy:
                for work in (self._send, self._come_and_go, self._look_on, self._touch_the_disk):
                    busy.start_soon(work)

    def stop(self) -> None:
        self._stopped = True

    async def _every(self, seconds: float, work: Callable[[int], Awaitable[None]]) -> None:
        """One after the other; what comes late is made up for, as people at a desk do."""
        due, count = trio.current_time(), 0
        while not self._stopped:
            await work(count)
            count += 1
            due += seconds
            await trio.sleep_until(due)

    # Who sends

    async def _send(self) -> None:
        async with connect(self._daemon.home.socket) as control, AsyncClient(self._url, self._token) as http:

            async def send(number: int) -> None:
                began = time.perf_counter()
                try:
                    answer = await self._ask(number, control, http)
                except (ApiError, RemoteError) as error:
                    if error.kind != Kind.NOT_READY:  # its session is being stopped and started just now
                        raise
                    self.refused += 1
                else:
                    self.send.add((time.perf_counter() - began) * 1000)
                    self.answered[answer.session, answer.message_id] = answer.link_id

            await self._every(self._every_s, send)

    async def _ask(self, number: int, control: Client, http: AsyncClient) -> Message:
        session, name = self._sessions[number % len(self._sessions)], f"m{number}"
        to = f"55119{80_000_000 + self._rng.randrange(CONTACTS)}"
        if number % FILE_EVERY == 0:
            data = base64.b64encode(name.encode() * 100).decode()
            media = {"base64": data, "mime_type": "text/plain", "file_name": f"{name}.txt"}
            return await http.send(to, session=session, type="document", media=media, message_id=name)
        if number % 2:
            return await http.send(to, TEXT, session=session, message_id=name)
        return await control.message_send(session, to, text=TEXT, message_id=name)

    # Who listens

    async def _listen_steadily(self) -> None:
        async with AsyncClient(self._url, self._token) as http, http.events(after=0) as events:
            async for event in events:
                self._told("steady", event.seq)
                if event.at is not None:
                    at = datetime.fromisoformat(event.at).timestamp()
                    self.event.add((time.time() - at) * 1000)

    async def _listen_with_pauses(self) -> None:
        """Falls behind, and is caught up from the log."""
        async with AsyncClient(self._url, self._token) as http, http.events(after=0) as events:
            async for event in events:
                self._told("pausing", event.seq)
                if event.seq % 1000 == 0:
                    await trio.sleep(2)

    async def _listen_anew(self) -> None:
        """A connection for every thousand events, resumed where the one before ended."""
        while True:
            after = self.heard.get("anew", 0)
            async with AsyncClient(self._url, self._token) as http, http.events(after=after) as events:
                async for event in events:
                    self._told("anew", event.seq)
                    if event.seq % 1000 == 0:
                        break

    def _told(self, listener: str, seq: int) -> None:
        expected = self.heard.get(listener, 0) + 1
        assert seq == expected, f"{listener} was told event {seq} where {expected} was next"
        self.heard[listener] = seq

    # What else there is

    async def _come_and_go(self) -> None:
        """An operator restarts sessions, or stops and starts them, one after the other."""
        async with connect(self._daemon.home.socket) as control:

            async def meddle(number: int) -> None:
                session = self._sessions[number % len(self._sessions)]
                if number % 3 == 0:
                    await control.session_stop(session)
                    await control.session_start(session)
                else:
                    await control.session_restart(session)

            await self._every(5, meddle)

    async def _look_on(self) -> None:
        """Prometheus, a load balancer, and an agent who scrolls, searches and looks at figures."""
        pages = (
            "/metrics", "/api/v1/health/", "/api/v1/whatsapp/messages/?limit=100",
            "/api/v1/whatsapp/messages/?search=pedido&limit=20", "/api/v1/whatsapp/messages/latency-stats/",
            "/api/v1/whatsapp/sessions/", "/api/v1/whatsapp/messages/?direction=inbound&contact_number=5511980000001",
        )  # fmt: skip
        headers = {"Authorization": f"Bearer {self._token}"}

        async def look(number: int) -> None:
            # A client of its own each time: connections that open and close are what descriptors leak from.
            async with httpx2.AsyncClient(base_url=self._url, headers=headers, timeout=60) as http:
                answer = await http.get(pages[number % len(pages)])
                assert answer.status_code == 200, answer.text

        await self._every(1, look)

    async def _touch_the_disk(self) -> None:
        """A page written and synced beside the daemon, to know a slow disk from a slow daemon."""
        path = self._daemon.home.root / "yardstick"

        async def touch(_: int) -> None:
            self.bare_fsync.add(await trio.to_thread.run_sync(_write_and_sync, path))

        await self._every(1, touch)


def _write_and_sync(path: Path) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    with path.open("wb") as file:
        file.write(bytes(4096))
        file.flush()
        os.fsync(file.fileno())
    return (time.perf_counter() - began) * 1000
