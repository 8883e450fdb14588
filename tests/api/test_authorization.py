"""The authorization matrix: every route for every kind of token. A route without a row fails here."""

import base64
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trio
from fastapi.routing import APIRoute
from trio.testing import MockClock

from pombal.model.caller import Role
from tests.api.client import BASE, TO, Http, Platform, platform
from tests.auth.making import signed
from tests.fakes.rooms import OWN_SECRET
from tests.service.world import injected

SECRET_TEXT = "o texto secreto da Ana"
ELSEWHERE = "203.0.113.9"  # /metrics is open to this machine
HOUR_S = 3600


@dataclass(frozen=True)
class Row:
    """What one route answers to Ana, whose session it is about, to Bia, who has none, and to an admin.

    is_public: without a token, and with a bad one, as with any. is_endless: those who may are given its head alone.
    In order, for what one does the next one meets.
    """

    ana: int
    bia: int
    admin: int
    is_public: bool = False
    is_endless: bool = False
    path: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


def body(**fields: Any) -> dict[str, Any]:
    return {"json": fields}


DOCUMENT = {"base64": base64.b64encode(b"x").decode(), "mime_type": "application/pdf"}
S, M = f"{BASE}/sessions", f"{BASE}/messages"
ROWS: dict[str, Row] = {
    f"GET {S}": Row(200, 200, 200),
    f"GET {S}/status": Row(200, 404, 200, path=f"{S}/status?session=ana"),
    f"GET {S}/{{session}}": Row(200, 404, 200),
    f"GET {S}/{{session}}/metrics": Row(200, 404, 200),
    f"GET {S}/{{session}}/qr": Row(423, 404, 423),
    f"POST {S}/{{session}}/pair-code": Row(423, 404, 423, options=body(phone_number=TO)),
    f"GET {M}": Row(200, 200, 200),
    f"GET {M}/high-latency": Row(200, 200, 200, path=f"{M}/high-latency?threshold_ms=0"),
    f"GET {M}/latency-stats": Row(200, 200, 200),
    f"POST {M}/mark-read": Row(200, 404, 200, options=body(session="ana", message_ids=["RECEIVED"])),
    f"GET {M}/{{id:digits}}": Row(200, 404, 200),
    f"GET {M}/{{id:digits}}/media": Row(200, 404, 200),
    f"POST {M}/{{id:digits}}/cancel": Row(409, 404, 409),
    f"POST {M}/{{id:digits}}/resend": Row(409, 404, 409),
    f"POST {BASE}/send": Row(202, 404, 202, options=body(session="ana", to=TO, text=SECRET_TEXT)),
    f"POST {BASE}/contacts/check": Row(200, 404, 200, options=body(session="ana", numbers=[TO])),
    f"POST {BASE}/contacts/export": Row(403, 403, 200, options=body(number="5511900000001")),
    f"POST {BASE}/contacts/erase": Row(403, 403, 200, options=body(number="5511900000001")),
    f"GET {BASE}/contacts/erasures/{{erasure}}": Row(403, 403, 404),
    "GET /api/v1/events": Row(200, 200, 200, path="/api/v1/events?after=0"),
    "GET /api/v1/audit": Row(403, 403, 200),
    "GET /api/v1/events/stream": Row(200, 200, 200, is_endless=True),
    "GET /api/v1/health": Row(200, 200, 200, is_public=True),
    "GET /livez": Row(200, 200, 200, is_public=True),
    "GET /readyz": Row(200, 200, 200, is_public=True),
    "GET /metrics": Row(403, 403, 200),
    "GET /api/v1/schema": Row(200, 200, 200, is_public=True),
    "GET /api/v1/docs": Row(200, 200, 200, is_public=True),
    f"POST {S}/logout": Row(200, 404, 200, options=body(session="ana")),
    f"POST {S}/stop": Row(200, 404, 200, options=body(session="ana")),
    f"POST {S}/start": Row(200, 409, 200, options=body(session="ana")),
    f"POST {S}/restart": Row(200, 404, 200, options=body(session="ana")),
    f"DELETE {S}/{{session}}": Row(200, 404, 200),
}
# What is no HTTP request, with the test that holds it.
ELSEWHERE_TESTED = {
    "WebSocketRoute /ws/whatsapp": "tests/daemon/test_websocket.py",
    "WebSocketRoute /{elsewhere:path}": "tests/daemon/test_websocket.py",
}


def own(**changes: Any) -> str:
    return signed(OWN_SECRET, headers={"kid": "pombal"}, user_id="ana", **changes)


def without_algorithm() -> str:
    now = int(time.time())
    claims = {"user_id": "ana", "role": "admin", "token_type": "access", "iat": now, "exp": now + HOUR_S}
    header = {"alg": "none", "typ": "JWT", "kid": "pombal"}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims)]
    return ".".join([*parts, ""])


BAD_TOKENS: dict[str, str | None] = {
    "no token": None,
    "no JWT": "token",
    "bad signature": own()[:-4] + "AAAA",
    "another's signature": signed(b"another secret, of thirty-two bytes or more", user_id="ana", role="admin"),
    "expired": own(exp=int(time.time()) - HOUR_S),
    "alg none": without_algorithm(),
    "refresh token": own(token_type="refresh"),
    "sign-in code": own(token_type="sign_in"),
    "without an owner": signed(OWN_SECRET, headers={"kid": "pombal"}, user_id=None),
}


@pytest.fixture
async def dx(tmp_path: Path, autojump_clock: MockClock) -> AsyncIterator[Platform]:
    async with platform(tmp_path) as made:
        yield made


async def furnish(dx: Platform) -> tuple[str, str]:
    """Ana's session, ready: the id of a message that was sent, and the message_id of one that was received."""
    ana = dx.client("ana")
    await ana.ok("POST", "/sessions/start/", 201)
    await dx.world.until("ana", "ready")
    sent = await ana.ok(
        "POST", "/send/", 202, json={"to": TO, "type": "document", "text": SECRET_TEXT, "media": DOCUMENT}
    )
    await dx.world.until_status(sent["message_id"], "read")
    (received,) = await injected(dx.world, SECRET_TEXT)
    return str(sent["id"]), received


async def ask(http: Http, route: str, row: Row, furniture: tuple[str, str]) -> httpx2.Response:
    number, received = furniture
    method, _, template = route.partition(" ")
    path = row.path or template.replace("{session}", "ana").replace("{id:digits}", number)
    options = json.loads(json.dumps(row.options).replace("RECEIVED", received))
    return await http.request(method, path, **options)


def routes_of(routes: Any) -> Iterator[Any]:
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from routes_of(included.routes)


async def test_every_route_has_a_row_and_no_other(dx: Platform) -> None:
    there: set[str] = set()
    for route in routes_of(dx.app.routes):
        methods = sorted(route.methods) if isinstance(route, APIRoute) and route.methods else [type(route).__name__]
        there |= {f"{method} {route.path}" for method in methods}
    assert there == ROWS.keys() | ELSEWHERE_TESTED.keys()


@pytest.mark.parametrize("kind", BAD_TOKENS)
async def test_a_bad_token_opens_nothing(dx: Platform, kind: str) -> None:
    furniture = await furnish(dx)
    nobody = dx.with_token(BAD_TOKENS[kind], ELSEWHERE)
    before = dx.world.hub.last_seq
    for route, row in ROWS.items():
        answer = await ask(nobody, route, row, furniture)
        if row.is_public:
            assert answer.status_code == row.ana, route
        else:
            assert answer.status_code == 401, route
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["kind"] == "unauthorized"
        assert SECRET_TEXT not in answer.text, route
    assert dx.world.hub.last_seq == before


@pytest.mark.parametrize("who", ["ana", "bia", "admin"])
async def test_whoever_asks_sees_and_touches_what_is_theirs(dx: Platform, who: str) -> None:
    furniture = await furnish(dx)
    http = dx.client("root" if who == "admin" else who, Role.ADMIN if who == "admin" else Role.USER, ELSEWHERE)
    session_id = dx.world.seat("ana").id
    before = dx.world.hub.last_seq
    for route, row in ROWS.items():
        answer = await ask(http, route.replace("GET", "HEAD") if row.is_endless else route, row, furniture)
        assert answer.status_code == getattr(row, who), f"{route}: {answer.text}"
        if who == "bia" and not row.is_public:
            assert SECRET_TEXT not in answer.text, route
            assert session_id not in answer.text, route
    if who == "bia":
        assert dx.world.hub.last_seq == before


async def test_lists_and_counts_hold_ones_own(dx: Platform) -> None:
    await furnish(dx)
    bia = dx.client("bia")
    for path in ("/sessions/?count=true", "/messages/?count=true", "/messages/high-latency/?count=true&threshold_ms=0"):
        page = await bia.ok("GET", path)
        assert (page["results"], page["count"]) == ([], 0)
    assert (await bia.ok("GET", "/api/v1/events/?after=0"))["results"] == []
    stats = await bia.ok("GET", "/messages/latency-stats/")
    assert (stats["total_messages"], stats["measured_messages"]) == (0, 0)


class TestWebSocket:
    async def said(self, dx: Platform, token: str | None, until: bytes = b'"hello"') -> list[Any]:
        """What is said to a client that listens until it has heard that, and goes."""
        said: list[Any] = []
        heard = trio.Event()

        async def receive() -> Any:
            if not said:
                return {"type": "websocket.connect"}
            await heard.wait()
            return {"type": "websocket.disconnect", "code": 1000}

        async def send(message: Any) -> None:
            said.append(message)
            if until in message.get("frames", b""):
                heard.set()

        headers = [] if token is None else [(b"authorization", f"Bearer {token}".encode())]
        scope = {"type": "websocket", "path": "/ws/whatsapp/", "query_string": b"after=0", "headers": headers}
        await dx.app(scope, receive, send)
        return said

    @pytest.mark.parametrize("kind", BAD_TOKENS)
    async def test_a_bad_token_hears_nothing_but_that(self, dx: Platform, kind: str) -> None:
        accepted, closed = await self.said(dx, BAD_TOKENS[kind])
        assert accepted["type"] == "websocket.accept"
        assert (closed["type"], closed["code"]) == ("websocket.close", 4401)

    async def test_whoever_may_hears_of_what_is_theirs(self, dx: Platform) -> None:
        await furnish(dx)
        for owner, role, hears in (("ana", Role.USER, True), ("bia", Role.USER, False), ("root", Role.ADMIN, True)):
            until = b'"session":"ana"' if hears else b'"hello"'
            said = await self.said(dx, dx.world.tokens.create(owner, role, HOUR_S)[0], until)
            frames = b"".join(message["frames"] for message in said[1:])
            assert until in frames
            assert hears or b"ana" not in frames
