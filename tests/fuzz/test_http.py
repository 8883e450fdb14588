"""Spoilt requests to the HTTP API, and spoilt commands to its WebSocket, against a running daemon."""

import os
from collections import Counter
from itertools import islice

from tests.api.hostile import raw
from tests.daemon.harness import Home, Running
from tests.fuzz.http import Requests, ask, command_all
from tests.fuzz.state import GROWTH_MAX_BYTES, anonymous_bytes, database_is_whole, mend, nobody_crashed, telling_faults

FRAMES = int(os.environ.get("POMBAL_FUZZ_FRAMES", "20000")) // 20
SEED = int(os.environ.get("POMBAL_FUZZ_SEED", "1"))
BURST = 200


def where(daemon: Running) -> tuple[str, int]:
    host, _, port = daemon.url.removeprefix("http://").rpartition(":")
    return host, int(port)


async def test_requests(home: Home) -> None:
    home.configure({"log": {"level": "info"}, "latency": {"log": "slow"}})
    statuses: Counter[int] = Counter()
    async with home.daemon() as daemon, daemon.client() as client:
        requests = Requests(SEED, (await client.token_create("ana", role="admin")).token)
        said = iter(requests)
        before = anonymous_bytes(daemon)
        with telling_faults(daemon):
            for _ in range(0, FRAMES, BURST):
                await mend(client, "ana")
                for each in islice(said, BURST):
                    statuses.update(await ask(where(daemon), each, requests.rng))
                await nobody_crashed(client)
            assert anonymous_bytes(daemon) - before < GROWTH_MAX_BYTES
            await daemon.stop()
    database_is_whole(home)
    assert {200, 202, 400, 401, 404, 415, 422} <= statuses.keys(), statuses


async def test_websocket_commands(home: Home) -> None:
    home.configure({"log": {"level": "info"}, "latency": {"log": "slow"}})
    kinds: Counter[str] = Counter()
    async with home.daemon() as daemon, daemon.client() as client:
        token = (await client.token_create("ana", role="admin")).token
        requests = Requests(SEED, token)
        upgrade = (
            "GET /ws/whatsapp/?types=session.created HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            f"Authorization: Bearer {token}\r\n\r\n"
        )
        with telling_faults(daemon):
            for _ in range(0, FRAMES, BURST):
                await mend(client, "ana")
                async with raw(where(daemon)) as socket:
                    await socket.say(upgrade.encode())
                    assert (await socket.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
                    answers = await command_all(socket, [requests.command() for _ in range(BURST)])
                kinds.update(answer.get("kind", answer["type"]) for answer in answers)
                await nobody_crashed(client)
            await daemon.stop()
    database_is_whole(home)
    assert kinds["result"] > FRAMES / 20, kinds
    assert {"result", "invalid", "not_found"} <= kinds.keys(), kinds
