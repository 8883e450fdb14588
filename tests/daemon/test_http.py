"""The HTTP API of a running daemon, as the platform calls it."""

import hashlib
import json
import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx2
import pytest
import trio

from pombal.control.client import Client
from tests.auth.making import signed
from tests.daemon.harness import WAIT_S, Home, Life, until_all, until_status

BASE = "/api/v1/whatsapp"
DJANGO_SECRET = b"django-insecure-^v3ry$l0ng&s3cr3t(of_d1x*connect)"
TEXT = "Olá! Como posso ajudar?"
TIMES = "since=2020-01-01&until=2040-01-01"


@asynccontextmanager
async def api(daemon: Life, token: str) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(base_url=daemon.url, headers=headers, timeout=WAIT_S) as http:
        yield http


@asynccontextmanager
async def owner(daemon: Life, name: str) -> AsyncIterator[tuple[Client, httpx2.AsyncClient]]:
    """The control socket, and the API for an owner whose one session, called as the owner, is ready."""
    async with daemon.client() as client, api(daemon, (await client.token_create(name)).token) as http:
        assert (await http.post(f"{BASE}/sessions/start/")).status_code == 201
        await until_status(client, name, "ready")
        yield client, http


@pytest.fixture(scope="module")
def daemon() -> Iterator[Life]:
    """For tests that need no settings of their own, each with an owner of its own."""
    with tempfile.TemporaryDirectory(prefix="pombal-") as directory:
        with Home(Path(directory)).shared() as life:
            yield life
        assert life.logged("http connection crashed") == []


async def shell(home: Home, script: str, **env: str) -> str:
    """What a shell prints that runs the script; it must end well."""
    with trio.fail_after(WAIT_S):
        done = await trio.run_process(
            ["bash", "-euc", script],
            capture_stdout=True,
            cwd=home.root,
            env=dict(os.environ) | env,
            stdin=subprocess.DEVNULL,
        )
    return done.stdout.decode()


@pytest.mark.system("curl")
async def test_the_platforms_own_curl_lines_as_they_stand(home: Home) -> None:
    """But for the port, which a test may not choose."""
    (home.root / "secret").touch(0o600)
    (home.root / "secret").write_bytes(DJANGO_SECRET)
    home.configure({"auth": {"secret_file": str(home.root / "secret")}})
    lines = [
        'curl -s -X POST http://localhost:8001/api/v1/whatsapp/sessions/start/ -H "Authorization: Bearer $TOKEN"',
        (
            'curl -s -X POST http://localhost:8001/api/v1/whatsapp/send/ -H "Authorization: Bearer $TOKEN" '
            '-H "Content-Type: application/json" -d '
            """'{"to": "5511999999999", "type": "text", "text": "Olá! Como posso ajudar?"}'"""
        ),
        "curl -s http://localhost:8001/api/v1/health/",
    ]
    async with home.daemon() as daemon, daemon.client() as client:
        port = daemon.url.rpartition(":")[2]
        started, sent, health = [line.replace("localhost:8001", f"127.0.0.1:{port}") for line in lines]
        simple_jwt = signed(DJANGO_SECRET, user_id=42)
        session = json.loads(await shell(home, started, TOKEN=simple_jwt))
        assert (session["name"], session["owner"]) == ("42", "42")
        await until_status(client, "42", "ready")
        message = json.loads(await shell(home, sent, TOKEN=simple_jwt))
        assert (message["status"], message["text_content"]) == ("queued", TEXT)
        await until_all(client, "42", {message["message_id"]}, "read")
        assert json.loads(await shell(home, health))["status"] == "ok"
        refused = json.loads(await shell(home, sent, TOKEN=signed(DJANGO_SECRET, user_id=42, token_type="refresh")))
        assert refused["kind"] == "unauthorized"
        assert simple_jwt not in daemon.output
        assert TEXT not in daemon.output


async def test_the_same_send_fifty_times_at_once(daemon: Life) -> None:
    async with owner(daemon, "ana") as (_, http):
        body = {"to": "5511999999999", "text": TEXT, "message_id": "ticket-4711-3"}
        statuses: Counter[int] = Counter()
        ids: set[int] = set()

        async def send() -> None:
            answer = await http.post(f"{BASE}/send/", json=body)
            statuses[answer.status_code] += 1
            ids.add(answer.json()["id"])

        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(send)
        assert statuses == {202: 1, 200: 49}
        assert len(ids) == 1
        other = await http.post(f"{BASE}/send/", json=body | {"text": "outro"})
        assert (other.status_code, other.json()["kind"]) == (409, "conflict")
        page = (await http.get(f"{BASE}/messages/?count=true")).json()
        assert page["count"] == 1


async def test_a_large_file_comes_back_whole_and_in_parts(daemon: Life) -> None:
    film = os.urandom(9_000_000)
    async with owner(daemon, "bia") as (_, http):
        files = {"file": ("filme.mp4", film, "video/mp4")}
        sent = await http.post(f"{BASE}/send/", data={"to": "5511999999999"}, files=files)
        assert sent.status_code == 202, sent.text
        assert sent.json()["media"]["sha256"] == hashlib.sha256(film).hexdigest()
        path = f"{BASE}/messages/{sent.json()['id']}/media/"
        assert (await http.get(path)).content == film
        part = await http.get(path, headers={"Range": "bytes=4000000-5999999"})
        assert (part.status_code, part.content) == (206, film[4_000_000:6_000_000])
        async with http.stream("GET", path) as answer:  # who has seen enough goes
            assert answer.status_code == 200
        assert (await http.get(f"{BASE}/sessions/")).status_code == 200


async def test_no_token_and_no_text_reaches_the_log(home: Home) -> None:
    home.configure({"log": {"level": "debug"}})
    async with home.daemon() as daemon, daemon.client() as client:
        good = (await client.token_create("ana")).token
        async with api(daemon, good) as http:
            await http.post(f"{BASE}/sessions/start/")
            await until_status(client, "ana", "ready")
            for path in (f"{BASE}/messages/?token={good}", f"/nowhere?token={good}", f"/ws/whatsapp/?token={good}"):
                await http.get(path)
            answer = await http.post(f"{BASE}/send/", json={"to": "5511999999999", "text": TEXT})
            await http.post(f"{BASE}/send/", content=TEXT, headers={"Content-Type": "application/json"})
            await http.post(f"{BASE}/send/", json={"to": TEXT, "txt": TEXT})
            await until_all(client, "ana", {answer.json()["message_id"]}, "read")
        await daemon.stop()
        assert good not in daemon.output
        assert TEXT not in daemon.output


async def test_lists_say_the_same_as_the_control_socket(daemon: Life) -> None:
    async with owner(daemon, "clara") as (client, http):
        sent = (await http.post(f"{BASE}/send/", json={"to": "5511999999999", "text": TEXT})).json()
        await until_all(client, "clara", {sent["message_id"]}, "read")
        pairs: list[tuple[str, str, dict[str, Any]]] = [
            (f"{BASE}/messages/", "message.list", {"session": "clara"}),
            (f"{BASE}/messages/{sent['id']}/", "message.get", {"id": sent["id"]}),
            (f"{BASE}/messages/latency-stats/?{TIMES}", "latency.stats", dict(parse_qsl(TIMES)) | {"session": "clara"}),
            ("/api/v1/events/?after=0", "events.list", {"after": 0, "sessions": ["clara"]}),
        ]  # fmt: skip
        for path, method, params in pairs:
            answer, result = (await http.get(path)).json(), await client.call(method, params)
            answer.pop("next", None), result.pop("next", None)
            assert answer == result
