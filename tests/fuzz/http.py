"""Requests for the HTTP API and commands for its WebSocket, spoilt in their bodies, queries, headers and framing."""

import json
import random
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import trio

from tests.api.hostile import Raw, frame, raw
from tests.fuzz.mutate import HOSTILE, Mutator

WAIT_S = 120.0
V1, ANA = "/api/v1/whatsapp", "5511987654321"
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
# What a client may be told: its own mistakes, what is not there, and that there is no room now.
ALLOWED = set(range(100, 500)) | {501, 503, 505}

BODIES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/sessions/start/", {"session": "ana", "link": "simulator", "device_name": "Balcão", "phone_number": ANA}),
    ("/sessions/stop/", {"session": "bia"}),
    ("/sessions/restart/", {"session": "bia"}),
    ("/sessions/logout/", {"session": "bia"}),
    ("/sessions/bia/pair-code/", {"phone_number": ANA}),
    ("/send/", {"session": "ana", "to": ANA, "type": "text", "text": "Olá", "message_id": "m1"}),
    ("/send/", {"to": ANA, "type": "location", "location": {"latitude": -23.5, "longitude": -46.6, "name": "Sé"}}),
    ("/send/", {"to": ANA, "type": "contact", "contact": {"name": "Zé", "number": ANA}}),
    ("/send/", {"to": ANA, "type": "reaction", "reaction": {"message_id": "m1", "emoji": "👍"}}),
    ("/send/", {"to": ANA, "type": "image", "text": "foto", "media": {"base64": "dGVzdA==", "mime_type": "image/png"}}),
    ("/messages/mark-read/", {"session": "ana", "message_ids": ["m1"]}),
    ("/messages/1/cancel/", {}),
    ("/messages/1/resend/", {}),
)  # fmt: skip
QUERIES: tuple[tuple[str, dict[str, str]], ...] = (
    (f"{V1}/sessions/", {"status": "ready", "is_active": "true", "link": "simulator", "search": "a", "limit": "5"}),
    (f"{V1}/sessions/status/", {"session": "ana"}),
    (f"{V1}/sessions/ana/metrics/", {}),
    (f"{V1}/sessions/ana/qr/", {}),
    (f"{V1}/messages/", {"direction": "inbound", "since": "2h", "until": "2026-01-31T12:00:00Z", "search": "oi"}),
    (f"{V1}/messages/", {"status": "read", "contact_number": ANA, "cursor": "12", "limit": "500", "count": "true"}),
    (f"{V1}/messages/high-latency/", {"threshold_ms": "5000"}),
    (f"{V1}/messages/latency-stats/", {"session": "ana", "since": "7d"}),
    (f"{V1}/messages/1/", {}),
    (f"{V1}/messages/1/media/", {}),
    ("/api/v1/events/", {"after": "0", "types": "message.received", "limit": "10"}),
    ("/api/v1/health/", {}), ("/metrics", {}), ("/api/v1/schema/", {}), ("/livez", {}), ("/", {}), ("/chats", {}),
)  # fmt: skip
COMMANDS: tuple[dict[str, Any], ...] = (
    {"type": "send", "ref": "a", "session": "ana", "to": ANA, "text": "Olá", "message_id": "m1"},
    {"type": "send", "ref": 2, "message_type": "location", "to": ANA, "location": {"latitude": -23.5, "longitude": 1}},
    {"type": "mark_read", "ref": None, "session": "ana", "message_ids": ["m1"]},
    {"type": "inject", "ref": 4, "session": "ana", "from": ANA, "text": "oi", "count": 2},
)
HEADERS = (
    "Content-Length: 5", "Content-Length: 99999999999", "Content-Length: -1", "Content-Length: x",
    "Content-Length: 5, 5", "Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: xchunked", "Expect: 100-continue", "Expect: pigs", "Content-Type: text/plain",
    "Content-Type: multipart/form-data", "Content-Type: multipart/form-data; boundary=x", "Content-Encoding: gzip",
    "Content-Type: application/json; charset=utf-16", "Accept: image/png",
    "Accept: ;;q=x", "Range: bytes=9-1", "If-None-Match: *", "Upgrade: websocket", "Connection: upgrade", "Host: y",
    "Cookie: pombal_token=x; theme=\u0001", "X-Forwarded-For: 1.2.3.4", "Origin: null", "Authorization: Bearer x",
    "Authorization: Basic YTpi", "X: " + "y" * 9_000, "Bad header", ": empty", "X-Null: \0", " folded: 1",
)  # fmt: skip
CHUNKED = (
    b"5\r\nhello\r\n0\r\n\r\n", b"5\r\nhel", b"zz\r\n", b"-1\r\n\r\n", b"ffffffffffffffffff\r\nx", b"5;" + b"e" * 5_000,
    b"0\r\nTrailer: x\r\n\r\n",
)  # fmt: skip


class Requests:
    """Without end, and the same for the same seed: each is all that one connection says."""

    def __init__(self, seed: int, token: str) -> None:
        self.rng = random.Random(seed)
        self._token = token
        self._mutator = Mutator(self.rng, [body for _, body in BODIES])
        self._commands = Mutator(self.rng, COMMANDS)

    def __iter__(self) -> Iterator[bytes]:
        while True:
            several = self.rng.choice((1, 1, 1, 3))
            whole = b"".join(self._request(is_last=number == several - 1) for number in range(several))
            yield self._mutator.spoil_bytes(whole) if self.rng.random() < 0.1 else whole

    def command(self) -> str:
        """For the WebSocket: UTF-8 in any case, for what is not closes it."""
        return self._commands.frame(self.rng.choice(COMMANDS)).decode("utf-8", "replace")

    def _request(self, *, is_last: bool) -> bytes:
        method, target, headers, body = self._with_body() if self.rng.random() < 0.6 else self._with_query()
        headers += [f"Authorization: Bearer {self._token}", "Host: x", *(["Connection: close"] if is_last else [])]
        if self.rng.random() < 0.2:
            headers += self.rng.sample(HEADERS, self.rng.choice((1, 1, 2)))
        if self.rng.random() < 0.1:
            headers, body = [*headers[1:], "Transfer-Encoding: chunked"], self.rng.choice(CHUNKED)
        if self.rng.random() < 0.05:
            method = self.rng.choice(("PUT", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT", "get", "Ü", "G" * 300))
        version = self.rng.choices(("1.1", "1.0", "2.0", "9"), (95, 3, 1, 1))[0]
        head = "\r\n".join([f"{method} {target} HTTP/{version}", *headers])
        return head.encode("utf-8", "surrogatepass") + b"\r\n\r\n" + body

    def _with_body(self) -> tuple[str, str, list[str], bytes]:
        path, valid = self.rng.choice(BODIES)
        if self.rng.random() < 0.1:
            body, kind = self._form(valid), "multipart/form-data; boundary=x"
        else:
            body, kind = self._mutator.frame(valid), "application/json"
        return "POST", V1 + path, [f"Content-Length: {len(body)}", f"Content-Type: {kind}"], body

    def _form(self, valid: dict[str, Any]) -> bytes:
        parts = [
            f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}' for name, value in valid.items()
        ]
        file = '--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\nContent-Type: text/plain\r\n\r\nabc'
        form = ("\r\n".join([*parts, file]) + "\r\n--x--\r\n").encode()
        return self._mutator.spoil_bytes(form) if self.rng.random() < 0.7 else form

    def _with_query(self) -> tuple[str, str, list[str], bytes]:
        path, valid = self.rng.choice(QUERIES)
        asked = list(valid.items())
        for _ in range(self.rng.choice((0, 1, 2))):
            name = self.rng.choice([*valid, "x", "limit", "session"])
            asked.append((name, self.rng.choice(HOSTILE).strip('"')))
        query = "&".join(f"{name}={quote(value, errors='replace')}" for name, value in asked)
        if self.rng.random() < 0.1:
            query += self.rng.choice(
                ("&%", "&=", "&limit=%ff", "&search=%00", "&limit", "&%ud800=1", ";a=b", "#x", "&&")
            )
        if self.rng.random() < 0.1:
            path = path.replace("1", quote(self.rng.choice(HOSTILE), safe=""), 1)
        if self.rng.random() < 0.05:
            path = self.rng.choice((f"http://y{path}", f"/{path}", path.replace("/", "/../", 1), "*", path + "%2e%2e/"))
        return "GET", f"{path}?{query}" if query else path, [], b""


async def ask(address: tuple[str, int], said: bytes, rng: random.Random) -> list[int]:
    """The status of each answer; none where the daemon just hangs up. Raises AssertionError for what must not be."""
    async with raw(address) as client, trio.open_nursery() as nursery:
        nursery.start_soon(_say, client, said, rng.choice((1, 3)))
        with trio.fail_after(WAIT_S):
            heard = await client.rest()
        nursery.cancel_scope.cancel()
    statuses = [int(status) for status in STATUS.findall(heard)]
    assert set(statuses) <= ALLOWED, f"{said[:3000]!r} was answered {heard[:3000]!r}"
    return statuses


async def _say(client: Raw, said: bytes, pieces: int) -> None:
    """In so many writes, and nothing after that. The daemon may have had enough before."""
    size = len(said) // pieces + 1
    with suppress(trio.BrokenResourceError):
        for at in range(0, len(said), size):
            await client.say(said[at : at + size])
        assert isinstance(client.stream, trio.SocketStream)
        await client.stream.send_eof()


async def command_all(client: Raw, commands: Sequence[str]) -> list[dict[str, Any]]:
    """Each in a frame; the answers, of which each has one."""
    answers: list[dict[str, Any]] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.say, b"".join(frame(command.encode()) for command in commands))
        while len(answers) < len(commands):
            opcode, payload = await client.frame()
            assert opcode in (1, 9), (opcode, payload)
            if opcode == 9:
                continue
            told = json.loads(payload)
            if told["type"] in ("result", "error"):
                answers.append(told)
                assert told.get("kind") != "crashed", told
    return answers
