"""The client against a daemon that is killed under it: nothing is lost, nothing comes twice, no send is doubled."""

import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import trio

from pombal.http_client import AsyncClient, Client, Event
from tests.daemon.harness import WAIT_S, Home, Running, ready_session

MESSAGES, KILLED_AFTER = 40, (10, 25)
OWNER = "42"


@dataclass
class Heard:
    """What one follower has heard, until it has heard of every message."""

    events: list[Event] = field(default_factory=list)

    def take(self, event: Event) -> bool:
        self.events.append(event)
        return len(self.queued) >= MESSAGES

    @property
    def queued(self) -> list[str]:
        return [event.data["message_id"] for event in self.events if event.type == "message.queued"]


@asynccontextmanager
async def a_home() -> AsyncIterator[tuple[Home, str, int]]:
    """A home, the URL of its daemons, and the socket that they inherit: it listens on while none of them lives."""
    with tempfile.TemporaryDirectory(prefix="pombal-") as directory, socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        home = Home(Path(directory), {"http": {"bind": f"fd://{listener.fileno()}"}})
        yield home, f"http://{host}:{port}", listener.fileno()


async def test_followers_and_senders_outlive_the_daemon() -> None:
    by_websocket, by_sse = Heard(), Heard()
    sent: list[str] = []
    has_sent = {count: trio.Event() for count in KILLED_AFTER}
    all_is_heard = trio.Event()

    async def follow_websocket(url: str, token: str) -> None:
        async with AsyncClient(url, token) as client, client.events(after=0) as events:
            async for event in events:
                if by_websocket.take(event):
                    return

    def follow_sse(url: str, token: str) -> None:
        with Client(url, token) as client, closing(client.events(after=0)) as events:
            for event in events:
                if by_sse.take(event):
                    return

    async def send(url: str, token: str) -> None:
        async with AsyncClient(url, token, retry_for_s=WAIT_S * 3) as client:
            for number in range(MESSAGES):
                message = await client.send("5511999999999", f"mensagem {number}")
                sent.append(message.message_id)
                if number + 1 in has_sent:
                    has_sent[number + 1].set()

    async def lives(home: Home, descriptor: int, task_status: trio.TaskStatus[str]) -> None:
        async with home.daemon(pass_fds=[descriptor]) as daemon:
            task_status.started(await prepared(daemon))
            await has_sent[KILLED_AFTER[0]].wait()
            await daemon.kill()
        async with home.daemon(pass_fds=[descriptor]) as daemon:
            await has_sent[KILLED_AFTER[1]].wait()
            await daemon.kill()
        async with home.daemon(pass_fds=[descriptor]) as daemon:
            await all_is_heard.wait()
            await hold_together(daemon, url, token, sent, by_websocket, by_sse)

    with trio.fail_after(WAIT_S * 4):
        async with a_home() as (home, url, descriptor), trio.open_nursery() as nursery:
            token = await nursery.start(lives, home, descriptor)
            async with trio.open_nursery() as clients:
                clients.start_soon(follow_websocket, url, token)
                clients.start_soon(partial(trio.to_thread.run_sync, follow_sse, url, token, abandon_on_cancel=True))
                clients.start_soon(send, url, token)
            all_is_heard.set()


async def prepared(daemon: Running) -> str:
    async with daemon.client() as control:
        await ready_session(control, "vendas", owner=OWNER)
        return (await control.token_create(OWNER)).token


async def hold_together(daemon: Running, url: str, token: str, sent: list[str], *followers: Heard) -> None:
    """The log, the list of messages and what each follower heard say the same."""
    async with AsyncClient(url, token) as client, aclosing(client.messages(limit=7)) as messages:
        assert sorted([message.message_id async for message in messages]) == sorted(sent)
    async with daemon.client() as control:
        page = await control.events_list(after=0, limit=1000)
    for heard in followers:
        assert sorted(heard.queued) == sorted(sent)
        assert [event.seq for event in heard.events] == [event["seq"] for event in page.results][: len(heard.events)]
