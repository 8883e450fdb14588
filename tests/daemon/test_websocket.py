"""The WebSocket, from outside: events as they were committed, commands with their answers, and who may have which."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import jwt
import trio

from tests.daemon.harness import WAIT_S, Home, Running, until_all
from tests.daemon.stream_world import SECRET, World, same, world_of
from tests.daemon.streams import LIVES_S, Socket, address, denied, listening, open_socket, refused


def signed(**claims: Any) -> str:
    return jwt.encode({"user_id": "ana", "exp": time.time() + 86_400, **claims}, SECRET, "HS256")


async def test_events(home: Home) -> None:
    """Live, resumed, filtered and in batches: always what the log has, each once, in order."""
    async with world_of(home) as world:
        daemon = world.daemon
        log_id = (await world.client.daemon_status()).log_id

        async with listening(daemon, world.admin) as (live, hello):
            assert hello == {"type": "hello", "log_id": log_id, "last_seq": await world.last_seq()}
            last = await world.inject("vendas", 30)
            assert same(await live.events(last)) == await world.log(after=hello["last_seq"])
            await world.inject("suporte", 20)

        last = await world.last_seq()
        everything = await world.log()
        async with listening(daemon, world.admin, after=0) as (client, hello):
            assert hello["last_seq"] == last
            assert same(await client.events(last)) == everything
        async with listening(daemon, world.admin, after=everything[9]["seq"], log_id=log_id) as (client, _):
            assert same(await client.events(last)) == everything[10:]

        for batch in (1, 7, 1000):
            async with listening(daemon, world.admin, after=0, batch=batch) as (client, _):
                batches = await client.batches(last)
                assert same([event for several in batches for event in several]) == everything
                assert max(map(len, batches)) <= batch

        wanted = "message.received,session.created"
        async with listening(daemon, world.admin, after=0, session="vendas", types=wanted) as (client, _):
            found = [await client.event() for _ in range(31)]
        assert same(found) == [
            event for event in everything if event["session"] == "vendas" and event["type"] in wanted.split(",")
        ]

        async with listening(daemon, world.ana, after=0) as (client, _):
            mine = [event for event in everything if event["owner"] == "ana"]
            assert same([await client.event() for _ in mine]) == mine
            await world.inject("suporte", 5)
            seq = await world.inject("vendas", 1)
            assert (await client.event())["seq"] == seq, "nothing of another owner's in between"
        async with listening(daemon, world.ana, after=0, session="suporte") as (client, _):
            seq = await world.inject("vendas", 1)
            assert (await client.ask({"type": "mark_read"}))["type"] == "error"
        await daemon.stop()
        for token in (world.ana, world.bia, world.admin):
            assert token not in daemon.output


async def test_gaps_and_cursors(home: Home) -> None:
    async with world_of(home, {"events": {"cursor_every": 10}}) as world:
        last = await world.last_seq()
        async with listening(world.daemon, world.admin, after=0, log_id="another") as (client, _):
            assert await client.event() == {"seq": 0, "type": "gap", "data": {"from": 1, "to": 0}}
            assert (await client.event())["seq"] == 1, "after=0 asks for all there is"
        async with listening(world.daemon, world.admin, after=3, log_id="another") as (client, _):
            assert await client.event() == {"seq": last, "type": "gap", "data": {"from": 1, "to": last}}
            seq = await world.inject("vendas", 1)
            assert (await client.event())["seq"] == seq
        async with listening(world.daemon, world.admin, after=10_000) as (client, _):
            assert (await client.event())["type"] == "gap"
        async with listening(world.daemon, world.bia) as (client, _):
            await world.inject("vendas", 50)
            cursor = await client.event()
            assert cursor["type"] == "cursor"
            assert cursor["seq"] > last
        await world.daemon.stop()


async def commands_that_are_carried_out(world: World) -> None:
    async with listening(world.daemon, world.ana) as (client, _):
        sent = await client.ask({"type": "send", "ref": "a", "to": "5511999999999", "text": "Olá!", "message_id": "m"})
        assert (sent["type"], sent["ref"], sent["created"]) == ("result", "a", True)
        assert sent["result"]["message_id"] == "m"
        assert sent["result"]["status"] == "queued"
        await until_all(world.client, "vendas", {"m"}, "read")

        again = await client.ask({"type": "send", "ref": 2, "to": "5511999999999", "text": "Olá!", "message_id": "m"})
        assert (again["type"], again["ref"], again["created"]) == ("result", 2, False)
        assert again["result"]["status"] == "read"
        other = await client.ask({"type": "send", "ref": 3, "to": "5511999999999", "text": "?", "message_id": "m"})
        assert (other["type"], other["ref"], other["kind"], other["status"]) == ("error", 3, "conflict", 409)

        place = {"latitude": -23.5, "longitude": -46.6}
        send = {"type": "send", "message_type": "location", "to": "5511999999999", "location": place}
        assert (await client.ask(send))["result"]["message_type"] == "location"
        foreign = await client.ask({"type": "send", "session": "suporte", "to": "5511999999999", "text": "x"})
        assert (foreign["kind"], foreign["status"]) == ("not_found", 404)

        made = await client.ask({"type": "inject", "session": "vendas", "from": "5511977776666", "text": "oi"})
        assert made == {"type": "result", "ref": None, "result": {"injected": 1}}
        with trio.fail_after(WAIT_S):
            while not (page := await world.client.message_list(session="vendas", direction="inbound")).results:  # noqa: ASYNC110
                await trio.sleep(0.01)
        read = {"type": "mark_read", "session": "vendas", "message_ids": [page.results[0].message_id]}
        assert (await client.ask(read))["result"] == {"marked": 1}

        for number in range(20):
            command = {"type": "send", "to": "5511999999999", "text": f"{number}", "message_id": f"n{number}"}
            await client.say(json.dumps(command))
        await until_all(world.client, "vendas", {f"n{number}" for number in range(20)}, "sent")
        page = await world.client.message_list(session="vendas", direction="outbound", order="asc", limit=100)
        assert [each.message_id for each in page.results][-20:] == [f"n{number}" for number in range(20)]


REFUSED: list[tuple[str | bytes, str]] = [
    ("", "invalid"),
    ("{", "invalid"),
    ("[]", "invalid"),
    ("{}", "invalid"),
    ('{"type": []}', "invalid"),
    ('{"type": "dance"}', "invalid"),
    ('{"type": "send", "type": "send"}', "invalid"),
    ('{"type": "send", "to": "5511999999999"}', "invalid"),
    ('{"type": "send", "to": "5511999999999", "text": "x", "colour": "red"}', "invalid"),
    ('{"type": "send", "message_type": "poem", "to": "5511999999999", "text": "x"}', "invalid"),
    ('{"type": "send", "to": "nobody", "text": "x"}', "invalid"),
    ('{"type": "mark_read", "message_ids": ["none"]}', "not_found"),
    ('{"type": "inject", "session": "suporte", "from": "5511999999999"}', "not_found"),
    ('{"type": "inject", "session": "vendas", "from": "5511999999999", "count": 1000000}', "invalid"),
    ('{"type": "send", "ref": [1]}', "invalid"),
    ("[" * 100_000, "invalid"),
    (b"\x00\x01", "invalid"),
]


async def commands_that_are_refused(world: World) -> None:
    """Each gets an answer, and the talk goes on."""
    async with listening(world.daemon, world.ana) as (client, _):
        for said, kind in REFUSED:
            await client.say(said)
            answer = await client.answer()
            assert (answer["type"], answer["kind"]) == ("error", kind), said
            assert answer["detail"]
        await client.say(json.dumps({"type": "send", "ref": "r", "to": 1}))
        answer = await client.answer()
        assert answer["ref"] == "r"
        assert [each["field"] for each in answer["errors"]] == ["to"]


@asynccontextmanager
async def short_lived(daemon: Running) -> AsyncIterator[Socket]:
    """A client that was greeted, with a token that soon expires."""
    for life_s in LIVES_S:
        async with open_socket(address(daemon, token=signed(exp=int(time.time()) + life_s))) as client:
            if await client.is_greeted():
                yield client
                return
    raise AssertionError("no token lived for long enough")


async def tokens_of_all_kinds(world: World) -> None:
    daemon = world.daemon
    bearer = {"Authorization": f"Bearer {world.ana}"}
    async with open_socket(address(daemon), bearer) as client:
        assert (await client.frame())["type"] == "hello"
    async with listening(daemon, signed()) as (client, _):
        await world.inject("vendas", 1)
        assert (await client.event())["owner"] == "ana"
    assert (await refused(address(daemon)))[0] == 4401
    for bad in ("x", world.ana[:-5] + "AAAAA", signed(token_type="refresh"), signed(exp=1), signed(user_id=None)):
        code, reason = await refused(address(daemon, token=bad))
        assert code == 4401
        assert reason
    assert (await refused(address(daemon), {"Authorization": "Basic YTpi"}))[0] == 4401
    async with short_lived(daemon) as client:
        assert await client.closed() == (4401, "the token has expired")


async def a_cookie_serves_pages_of_our_own_alone(world: World) -> None:
    """A page of somebody else's opens a WebSocket here with the browser's cookie as well (there is no CORS for it)."""
    url, host = address(world.daemon), world.daemon.url.removeprefix("http://")
    cookie = {"Cookie": f"theme=dark; pombal_token={world.ana}"}
    for origin in (f"http://{host}", f"https://{host}"):
        async with open_socket(url, {**cookie, "Origin": origin}) as client:
            assert (await client.frame())["type"] == "hello"
    for foreign in ({}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": f"http://{host}.evil"}):
        answer = await denied(world.daemon, cookie | foreign)
        assert (answer.status_code, answer.json()["kind"]) == (403, "forbidden"), foreign
    elsewhere = {"Origin": "https://desk.example"}
    async with open_socket(address(world.daemon, token=world.ana), elsewhere | cookie) as client:
        assert (await client.frame())["type"] == "hello"


async def what_cannot_be_asked_for(world: World) -> None:
    for query in ({"after": "x"}, {"after": -1}, {"batch": 0}, {"batch": 1001}, {"types": "nope"}, {"colour": 1}):
        code, reason = await refused(address(world.daemon, token=world.ana, **query))
        assert (code, next(iter(query)) in reason) == (4400, True)
    async with httpx2.AsyncClient(base_url=world.daemon.url, timeout=WAIT_S) as http:
        assert (await http.get("/ws/whatsapp/")).status_code == 404
    nowhere = await denied(world.daemon, {}, path="/ws/nowhere/", token=world.ana)
    assert (nowhere.status_code, nowhere.json()["kind"]) == (404, "not_found")


async def test_streams_of_one_token_are_counted(home: Home) -> None:
    async with world_of(home, {"http": {"streams_per_token": 2}}) as world:
        async with listening(world.daemon, world.ana), listening(world.daemon, world.ana):
            code, reason = await refused(address(world.daemon, token=world.ana))
            assert (code, "streams_per_token" in reason) == (4429, True)
            async with listening(world.daemon, world.bia):
                pass
            async with httpx2.AsyncClient(base_url=world.daemon.url, timeout=WAIT_S) as http:
                with trio.fail_after(WAIT_S):  # bia's may not have been counted off yet
                    page = (await http.get("/metrics")).text
                    while 'pombal_event_subscribers{transport="websocket"} 2.0' not in page:
                        page = (await http.get("/metrics")).text
                assert 'pombal_event_lag_events{transport="websocket"} 0.0' in page
                stream = await http.get("/api/v1/events/stream/", headers={"Authorization": f"Bearer {world.ana}"})
                assert (stream.status_code, stream.json()["kind"]) == (429, "rate_limited")
        with trio.fail_after(WAIT_S):
            while (await refused_or_hello(world))[0] != "hello":  # noqa: ASYNC110
                await trio.sleep(0.01)
        await world.daemon.stop()


async def refused_or_hello(world: World) -> tuple[str, str]:
    async with open_socket(address(world.daemon, token=world.ana)) as client:
        try:
            return (await client.frame())["type"], ""
        except Exception as error:
            return type(error).__name__, ""


async def test_a_drain_tells_all_there_is_and_then_says_so(home: Home) -> None:
    """1001 with the reason; the log holds nothing that the client has not heard."""
    async with world_of(home) as world, listening(world.daemon, world.admin) as (client, hello):
        for _ in range(50):
            await client.say(json.dumps({"type": "inject", "session": "vendas", "from": "5511977776666"}))
        heard: list[int] = []

        async def hear() -> None:
            nonlocal heard
            try:
                while True:
                    frame = await client.frame()
                    if "seq" in frame:
                        heard.append(frame["seq"])
            except Exception:
                code, reason = await client.closed()
                assert (code, "stopping" in reason) == (1001, True)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hear)
            await world.daemon.stop()
        last = world.daemon.logged("drained")[0]["last_event_seq"]
        assert heard == list(range(hello["last_seq"] + 1, last + 1))


async def test_commands(home: Home) -> None:
    async with world_of(home) as world:
        for part in (commands_that_are_carried_out, commands_that_are_refused):
            await part(world)
        await world.daemon.stop()


async def test_who_may_listen(home: Home) -> None:
    async with world_of(home) as world:
        for part in (tokens_of_all_kinds, a_cookie_serves_pages_of_our_own_alone, what_cannot_be_asked_for):
            await part(world)
        await world.daemon.stop()
