"""Metrics and health as an application, without a network."""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx2
import pytest
from fastapi import APIRouter, FastAPI, Query
from starlette.responses import StreamingResponse

from pombal.model.errors import Kind, PombalError
from tests.api.conftest import World

PROBLEM = "application/problem+json"


def client(app: FastAPI, host: str = "127.0.0.1") -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False, client=(host, 40000))
    return httpx2.AsyncClient(transport=transport, base_url="http://pombal", follow_redirects=False)


class TestHealth:
    @pytest.mark.parametrize("path", ["/api/v1/health", "/api/v1/health/"])
    async def test_all_is_well(self, world: World, path: str) -> None:
        async with client(world.app()) as http:
            answer = await http.get(path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json() == {
            "status": "ok",
            "failing": [],
            "simulator": False,
            "version": "1.2.3",
            "uptime_seconds": 61.235,
            "checks": {"writer": {"ok": True, "detail": None}, "store": {"ok": True, "detail": None}},
        }

    async def test_a_full_disk_is_told_but_is_no_reason_to_restart(self, world: World) -> None:
        world.fails("store", "no space left on device")
        async with client(world.app()) as http:
            health, live, ready = [await http.get(path) for path in ("/api/v1/health/", "/livez", "/readyz")]
        assert (health.status_code, live.status_code, ready.status_code) == (503, 200, 200)
        assert health.json()["status"] == "failing"
        assert health.json()["failing"] == ["store"]
        assert health.json()["checks"]["store"] == {"ok": False, "detail": "no space left on device"}

    async def test_a_hung_writer_is(self, world: World) -> None:
        world.fails("writer", "no answer for 121 s")
        async with client(world.app()) as http:
            live, ready = [await http.get(path) for path in ("/livez/", "/readyz/")]
        assert (live.status_code, live.json()) == (503, {"status": "failing", "failing": ["writer"]})
        assert (ready.status_code, ready.json()) == (200, {"status": "ok", "failing": []})

    @pytest.mark.parametrize(
        ("started", "draining", "failing"), [(False, False, ["started"]), (True, True, ["not_draining"])]
    )
    async def test_starting_and_draining_are_alive_and_not_ready(
        self, world: World, started: bool, draining: bool, failing: list[str]
    ) -> None:
        world.health = replace(world.health, is_started=started, is_draining=draining)
        async with client(world.app()) as http:
            health, live, ready = [await http.get(path) for path in ("/api/v1/health/", "/livez", "/readyz")]
        assert (health.status_code, live.status_code, ready.status_code) == (503, 200, 503)
        assert ready.json()["failing"] == failing

    async def test_it_needs_no_token_from_anywhere(self, world: World) -> None:
        async with client(world.app(), host="203.0.113.9") as http:
            assert (await http.get("/api/v1/health/")).status_code == 200

    async def test_a_load_balancer_may_ask_for_the_head(self, world: World) -> None:
        async with client(world.app()) as http:
            assert (await http.head("/livez")).status_code == 200


class TestMetrics:
    @pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
    @pytest.mark.parametrize("path", ["/metrics", "/metrics/"])
    async def test_open_to_this_machine(self, world: World, host: str, path: str) -> None:
        async with client(world.app(), host) as http:
            answer = await http.get(path, headers=[("Accept", "a/b"), ("Accept", "c/d")])
        assert answer.status_code == 200
        assert answer.text == "# for a/b, c/d\n"
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"

    @pytest.mark.parametrize("host", ["203.0.113.9", "10.0.0.1", "::ffff:10.0.0.1", "fe80::1", "testclient"])
    async def test_closed_to_others(self, world: World, host: str) -> None:
        async with client(world.app(), host) as http:
            answer = await http.get("/metrics", headers={"Authorization": "Bearer whatever"})
        assert answer.status_code == 401
        assert answer.headers["content-type"] == PROBLEM
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["kind"] == "unauthorized"

    @pytest.mark.parametrize(
        "name",
        ["Forwarded", "X-Forwarded-For", "x-forwarded-proto", "X-Real-IP", "Via", "CF-Connecting-IP"],
    )
    async def test_closed_to_what_a_proxy_forwards(self, world: World, name: str) -> None:
        async with client(world.app()) as http:
            assert (await http.get("/metrics", headers={name: "127.0.0.1"})).status_code == 401

    async def test_closed_to_a_peer_without_an_address(self, world: World) -> None:
        transport = httpx2.ASGITransport(world.app(), client=None)  # type: ignore[arg-type]  # as for a Unix socket
        async with httpx2.AsyncClient(transport=transport, base_url="http://pombal") as http:
            assert (await http.get("/metrics")).status_code == 401


class TestProblems:
    @pytest.mark.parametrize("path", ["/", "/nowhere", "/nowhere/", "/api/v1/health/x", "/docs", "/openapi.json", "//"])
    async def test_an_unknown_path(self, world: World, path: str) -> None:
        async with client(world.app()) as http:
            answer = await http.get(f"http://pombal{path}")
        assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)
        detail = answer.json().pop("detail")
        assert detail.startswith("there is nothing at /")
        assert answer.json() == {
            "type": "about:blank", "title": "Not Found", "status": 404, "detail": detail, "kind": "not_found",
        }  # fmt: skip

    async def test_another_method(self, world: World) -> None:
        async with client(world.app()) as http:
            answer = await http.post("/metrics/")
        assert (answer.status_code, answer.headers["content-type"]) == (405, PROBLEM)
        assert answer.json()["detail"].startswith("POST is not possible here; try ")
        assert "GET" in answer.headers["allow"]

    @pytest.mark.parametrize(
        ("kind", "status"), [(Kind.NOT_READY, 423), (Kind.CONFLICT, 409), (Kind.UNAVAILABLE, 503), (Kind.INVALID, 422)]
    )
    async def test_a_refusal_of_our_own(self, world: World, kind: Kind, status: int) -> None:
        app = world.app()

        @app.get("/refused")
        async def refused() -> None:
            raise PombalError(kind, "because")

        async with client(app) as http:
            answer = await http.get("/refused/")
        assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
        assert (answer.json()["kind"], answer.json()["detail"]) == (kind, "because")

    async def test_a_request_that_does_not_fit(self, world: World) -> None:
        app = world.app()

        @app.post("/fits")
        async def fits(body: dict[str, int], limit: int = Query(1)) -> None: ...

        async with client(app) as http:
            wrong = await http.post("/fits?limit=many", json={"a": 1})
            unreadable = await http.post("/fits", content=b"{", headers={"Content-Type": "application/json"})
        assert (wrong.status_code, unreadable.status_code) == (422, 400)
        assert wrong.json()["kind"] == unreadable.json()["kind"] == "invalid"
        assert wrong.json()["detail"].startswith("query.limit: ")
        assert "many" not in wrong.json()["detail"]

    async def test_a_crash_tells_nothing_of_the_inside(self, world: World) -> None:
        app = world.app()

        @app.get("/crash")
        async def crash() -> None:
            raise RuntimeError("/var/lib/pombal has a secret")

        async with client(app) as http:
            answer = await http.get("/crash")
        assert (answer.status_code, answer.headers["content-type"]) == (500, PROBLEM)
        assert answer.json()["kind"] == "crashed"
        assert "secret" not in answer.text
        assert world.counted == [("/crash", "GET", 500)]


class TestCounting:
    async def test_by_template_method_and_code(self, world: World) -> None:
        app = world.app()

        @app.get("/things/{name}")
        async def thing(name: str) -> str:
            return name

        async with client(app) as http:
            for method, path in [
                ("GET", "/things/ana"), ("GET", "/things/bia/"), ("GET", "/livez/"), ("POST", "/livez"),
                ("GET", "/a"), ("GET", "/b/c"), ("BREW", "/livez"),
            ]:  # fmt: skip
                await http.request(method, path)
        assert world.counted == [
            ("/things/{name}", "GET", 200),
            ("/things/{name}", "GET", 200),
            ("/livez", "GET", 200),
            ("/livez", "POST", 405),
            ("unknown", "GET", 404),
            ("unknown", "GET", 404),
            ("/livez", "other", 405),
        ]
        assert all(0 <= seconds < 300 for seconds in world.seconds)

    async def test_an_included_router_counts_under_its_whole_template(self, world: World) -> None:
        router, app = APIRouter(), world.app()

        @router.get("/things/{name}")
        async def thing(name: str) -> str:
            return name

        app.include_router(router, prefix="/api/v1")
        async with client(app) as http:
            assert (await http.get("/api/v1/things/ana")).json() == "ana"
        assert world.counted == [("/api/v1/things/{name}", "GET", 200)]

    async def test_a_stream_that_breaks_keeps_the_code_it_had(self, world: World) -> None:
        app = world.app()

        @app.get("/stream")
        async def stream() -> StreamingResponse:
            async def body() -> AsyncIterator[bytes]:
                yield b"half"
                raise RuntimeError("broke")

            return StreamingResponse(body())

        async with client(app) as http:
            await http.get("/stream")
        assert world.counted == [("/stream", "GET", 200)]
