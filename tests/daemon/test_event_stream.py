"""Server-Sent Events, from outside: the same events as the WebSocket's, as an EventSource reads them."""

import time
from typing import Any

import httpx2
import jwt
import trio

from tests.daemon.harness import WAIT_S, Home
from tests.daemon.stream_world import SECRET, World, same, world_of
from tests.daemon.streams import LIVES_S, STREAM_PATH, event_source


async def test_events(home: Home) -> None:
    """Live and resumed, each once, in order; of one's own sessions only."""
    async with world_of(home) as world:
        async with event_source(world.daemon, world.admin) as source:
            assert source.headers["content-type"] == "text/event-stream; charset=utf-8"
            assert source.headers["cache-control"] == "no-store"
            assert await source.block() == ["retry: 2000"]
            before = await world.last_seq()
            await world.inject("vendas", 30)
            live = [await source.event() for _ in range(30)]
            assert [each[1] for each in live if each] == await world.log(after=before)
            assert all(each is not None and each[0] == each[1]["seq"] for each in live)
        everything = await world.log()
        async with event_source(world.daemon, world.admin, after=0) as source:
            assert same([(await source.event() or (0, {}))[1] for _ in everything]) == everything
        middle = everything[9]["seq"]
        async with event_source(world.daemon, world.admin, {"Last-Event-ID": f"{middle}"}, after=0) as source:
            assert (await source.event() or (0, {}))[0] == middle + 1, "it goes before after"
        async with event_source(world.daemon, None, token=world.bia, after=0) as source:
            await world.inject("vendas", 3)
            seq = await world.inject("suporte", 1)
            heard: list[dict[str, Any]] = []
            while not heard or heard[-1]["seq"] != seq:
                event = await source.event()
                assert event is not None
                heard.append(event[1])
            assert {each["owner"] for each in heard} == {"bia"}
        await _refusals(world)
        await world.daemon.stop()
        for token in (world.ana, world.bia, world.admin):
            assert token not in world.daemon.output


async def _expires(world: World) -> None:
    for life_s in LIVES_S:
        short = jwt.encode({"user_id": "ana", "exp": int(time.time()) + life_s}, SECRET, "HS256")
        async with event_source(world.daemon, short) as source:
            if source.status == 200:
                assert await source.event() is None
                return
    raise AssertionError("no token lived for long enough")


async def test_it_ends_with_its_token_and_with_the_daemon(home: Home) -> None:
    async with world_of(home) as world:
        await _expires(world)
        async with event_source(world.daemon, world.admin) as source:
            last = await world.inject("vendas", 5)
            await world.daemon.stop()
            heard = []
            while (event := await source.event()) is not None:
                heard.append(event[0])
            assert heard[:5] == list(range(last - 4, last + 1))


async def test_a_quiet_one_shows_life_and_one_that_goes_is_forgotten(home: Home) -> None:
    async with (
        world_of(home, {"http": {"streams_per_token": 1, "heartbeat_s": 0.05}}) as world,
        httpx2.AsyncClient(base_url=world.daemon.url, timeout=WAIT_S) as http,
    ):
        for _ in range(3):
            async with event_source(world.daemon, world.ana) as source:
                assert source.status == 200
                assert [await source.block() for _ in range(4)] == [["retry: 2000"], [":"], [":"], [":"]]
                assert 'pombal_event_subscribers{transport="sse"} 1.0' in (await http.get("/metrics")).text
                assert (await http.get(STREAM_PATH, params={"token": world.ana})).status_code == 429
            with trio.fail_after(WAIT_S):
                while 'pombal_event_subscribers{transport="sse"}' in (await http.get("/metrics")).text:  # noqa: ASYNC110
                    await trio.sleep(0.01)
        await world.daemon.stop()


REFUSED: list[tuple[dict[str, str], dict[str, str], int]] = [
    ({}, {}, 401),
    ({"Authorization": "Bearer x"}, {}, 401),
    ({}, {"token": "x"}, 401),
    ({"Last-Event-ID": "x"}, {"token": "<ana>"}, 422),
    ({"Last-Event-ID": "1" * 30}, {"token": "<ana>"}, 422),
    ({}, {"token": "<ana>", "after": "x"}, 422),
    ({}, {"token": "<ana>", "batch": "1"}, 422),
    ({"Cookie": "pombal_token=<ana>", "Origin": "https://evil.example"}, {}, 403),
]


async def _refusals(world: World) -> None:
    async with httpx2.AsyncClient(base_url=world.daemon.url, timeout=WAIT_S) as http:
        for headers, query, status in REFUSED:
            answer = await http.get(
                STREAM_PATH,
                headers={name: value.replace("<ana>", world.ana) for name, value in headers.items()},
                params={name: value.replace("<ana>", world.ana) for name, value in query.items()},
            )
            assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
            assert world.ana not in answer.text
        assert (await http.head(STREAM_PATH, params={"token": world.ana})).status_code == 200
