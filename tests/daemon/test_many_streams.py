"""Many who listen at once, some of them badly: each hears every event once, in order."""

from contextlib import suppress
from typing import Any

import trio

from pombal.control.client import Disconnected
from tests.daemon.harness import WAIT_S, Home, until
from tests.daemon.stream_world import World, world_of
from tests.daemon.streams import Frame, Socket, address, listening, open_socket

FRAME_BY_FRAME, IN_BATCHES = 20, 50
SENT, RECEIVED = 20, 100
LAST = "session.updated"
LAG = 'pombal_event_lag_events{transport="websocket"} '


async def hear(world: World, batch: int | None, greeted: trio.Event) -> None:
    """One client: every event from now to the last one, once, in order."""
    query: dict[str, Any] = {} if batch is None else {"batch": batch}
    async with listening(world.daemon, world.admin, **query) as (client, hello):
        greeted.set()
        await hear_all(client, hello["last_seq"])


async def hear_all(client: Socket, after: int) -> None:
    heard: list[Frame] = []
    while not heard or heard[-1]["type"] != LAST:
        frame = await client.frame()
        heard += frame.get("events", [frame])
    assert [event["seq"] for event in heard] == list(range(after + 1, after + len(heard) + 1))
    assert len(heard) > RECEIVED + SENT


async def send(world: World, count: int) -> None:
    """Messages go out, one after the other, and are read."""
    for number in range(count):
        await world.client.message_send("vendas", f"55119{90_000_000 + number}", text=f"{number}")


async def make_events(world: World) -> None:
    before = await world.last_seq()
    await world.client.simulator_inject("suporte", "5511988887777", text="x" * 8_000, count=RECEIVED)
    await send(world, SENT)
    received = 0
    with trio.fail_after(WAIT_S):
        async with world.client.events(after=before, types=["message.received"]) as events:
            async for _ in events:
                received += 1
                if received == RECEIVED:
                    break
    await world.client.session_update("vendas", device_name="the last one")


async def test_every_client_hears_every_event_once_in_order(home: Home) -> None:
    """And one that does not read holds up nobody; then it is caught up from the log, for the ring forgot long ago."""
    async with world_of(home, {"events": {"ring": 32, "page": 50}}) as world:
        async with listening(world.daemon, world.admin) as (idle, hello):
            async with trio.open_nursery() as nursery:
                clients = [(batch, trio.Event()) for batch in [None] * FRAME_BY_FRAME + [100] * IN_BATCHES]
                for batch, greeted in clients:
                    nursery.start_soon(hear, world, batch, greeted)
                with trio.fail_after(WAIT_S):
                    for _, greeted in clients:
                        await greeted.wait()
                await make_events(world)
            assert await _lag(world) > 32, "who does not read is behind, by more than the ring holds"
            await hear_all(idle, hello["last_seq"])
            assert await _lag(world) == 0
        await world.daemon.stop()


async def _lag(world: World) -> float:
    import httpx2

    async with httpx2.AsyncClient(base_url=world.daemon.url, timeout=WAIT_S) as http:
        page = (await http.get("/metrics")).text
    return float(page.partition(LAG)[2].partition("\n")[0])


class Follower:
    """A client that remembers where it is, as its documentation tells it to."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.log_id = ""
        self.heard: list[Frame] = [{"seq": 0}]

    async def follow(self, home_url: str, upto: int | None = None, some: int | None = None) -> None:
        """Until the event upto, or some events more, or the end of the connection."""
        query = {"token": self._token, "after": self.heard[-1]["seq"], "batch": 7}
        async with open_socket(home_url + "&".join(f"{name}={value}" for name, value in query.items())) as client:
            hello = await client.frame()
            assert self.log_id in ("", hello["log_id"])
            self.log_id = hello["log_id"]
            await self._take(client, len(self.heard) + (some or 1_000_000), upto or 1_000_000)

    async def _take(self, client: Socket, count: int, upto: int) -> None:
        while len(self.heard) < count and self.heard[-1]["seq"] < upto:
            self.heard += (await client.frame())["events"]


async def test_killed_and_resumed_nothing_is_missing_and_nothing_comes_twice(home: Home) -> None:
    """The client is cut off again and again, and then the daemon is killed under it."""
    async with world_of(home) as world:
        follower, another = Follower(world.admin), Follower(world.admin)
        url = address(world.daemon)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, world, 60)
            for some in (1, 10, 30, 50):
                await follower.follow(url, some=some)
        async with trio.open_nursery() as nursery:

            async def follow_until_it_is_gone() -> None:
                try:
                    await another.follow(url)
                except Exception:
                    nursery.cancel_scope.cancel()

            async def keep_busy() -> None:
                with suppress(Disconnected):
                    while True:
                        await send(world, 1)

            nursery.start_soon(follow_until_it_is_gone)
            nursery.start_soon(keep_busy)
            await until(world.client, lambda event: event["seq"] > 250)
            await world.daemon.kill()
    async with home.daemon() as daemon, daemon.client() as client:
        last = (await client.daemon_status()).last_event_seq
        for each in (follower, another):
            await each.follow(address(daemon), upto=last)
            heard = [event["seq"] for event in each.heard]
            assert heard[: last + 1] == list(range(last + 1))
        page = await client.events_list(after=0, limit=1000)
        told = {event["seq"]: event["type"] for event in follower.heard[1:]}
        assert {event["seq"]: event["type"] for event in page.results if event["seq"] <= last}.items() <= told.items()
        await daemon.stop()
