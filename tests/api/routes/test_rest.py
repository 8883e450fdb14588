"""Events, metrics with a token, rates, other origins, the schema and its page."""

import re
from pathlib import Path

import pytest
from trio.testing import MockClock

from pombal.model.caller import Role
from tests.api.client import TO, Http, Platform, platform


class TestEvents:
    async def test_page_by_page_to_the_end(self, dx: Platform, ana: Http, bia: Http) -> None:
        await ana.ok("POST", "/sessions/start/", 201)
        await bia.ok("POST", "/sessions/start/", 201)
        await dx.world.until("ana", "ready")
        await dx.world.until("bia", "ready")
        seqs: list[int] = []
        path = "/api/v1/events/?after=0&limit=2"
        while path is not None:
            page = await ana.ok("GET", path)
            assert {each["owner"] for each in page["results"]} <= {"ana"}
            seqs += [each["seq"] for each in page["results"]]
            path = page["next"]
        assert seqs == sorted(set(seqs))
        everything = await dx.client("root", Role.ADMIN).ok("GET", "/api/v1/events/?after=0&limit=1000")
        assert seqs == [each["seq"] for each in everything["results"] if each["owner"] == "ana"]
        assert everything["log_id"] == dx.world.hub.log_id

    async def test_filters(self, dx: Platform, ana: Http) -> None:
        for name in ("um", "dois"):
            await ana.ok("POST", "/sessions/start/", 201, json={"session": name})
        admin = dx.client("root", Role.ADMIN)
        by_commas = await admin.ok("GET", "/api/v1/events/?after=0&types=session.created,session.qr&session=um,x")
        repeated = await admin.ok("GET", "/api/v1/events/?after=0&types=session.created&types=session.qr&session=um")
        assert {each["session"] for each in by_commas["results"]} == {"um"}
        assert by_commas["results"] == repeated["results"]
        newest = await admin.ok("GET", "/api/v1/events/?types=session.created")
        assert [each["session"] for each in newest["results"]] == ["um", "dois"]
        assert newest["next"] is None or "after=" in newest["next"]

    async def test_how_many_there_are(self, dx: Platform, ana: Http) -> None:
        await ana.ok("POST", "/sessions/start/", 201)
        await dx.world.until("ana", "ready")
        whole = await ana.ok("GET", "/api/v1/events/?after=0&limit=1000&count=true")
        assert whole["count"] == len(whole["results"])
        page = await ana.ok("GET", "/api/v1/events/?after=2&limit=1&count=true")
        assert (len(page["results"]), page["count"]) == (1, whole["count"] - 2)
        kinds = [each for each in whole["results"] if each["type"] == "session.status"]
        assert (await ana.ok("GET", "/api/v1/events/?types=session.status&count=true"))["count"] == len(kinds)
        assert "count" not in await ana.ok("GET", "/api/v1/events/")

    async def test_what_is_missing_is_told_and_next_leads_on_in_this_log(self, dx: Platform, ana: Http) -> None:
        await ana.ok("POST", "/sessions/start/", 201)
        await dx.world.until("ana", "ready")
        whole = await ana.ok("GET", "/api/v1/events/?after=0")
        end = {"seq": whole["last_seq"], "type": "gap", "data": {"from": 1, "to": whole["last_seq"]}}
        for place in ("after=99999", "after=2&log_id=another"):
            page = await ana.ok("GET", f"/api/v1/events/?{place}")
            assert (page["results"], page["next"]) == ([end], None)
        first = await ana.ok("GET", "/api/v1/events/?after=0&log_id=another&limit=2")
        assert first["results"][0] == {"seq": 0, "type": "gap", "data": {"from": 1, "to": 0}}
        rest = await ana.ok("GET", first["next"].replace("limit=2", "limit=100"))
        assert [*first["results"][1:], *rest["results"]] == whole["results"]

    @pytest.mark.parametrize("query", ["after=-1", "types=x", "limit=1001", "session=", "after=" + "9" * 30])
    async def test_bad_queries(self, ana: Http, query: str) -> None:
        await ana.refused("GET", f"/api/v1/events/?{query}", 422, "invalid")


class TestContacts:
    async def test_which_numbers_are_on_whatsapp(self, dx: Platform, ana: Http) -> None:
        await ana.refused("POST", "/contacts/check/", 404, "not_found", json={"numbers": [TO]})
        await ana.ok("POST", "/sessions/start/", 201)
        await dx.world.until("ana", "ready")
        found = await ana.ok("POST", "/contacts/check/", json={"numbers": ["+55 11 98765-4321", "551122223333"]})
        assert [each["number"] for each in found["results"]] == [TO, "551122223333"]
        assert all(each["exists"] and each["canonical_id"] for each in found["results"])
        await ana.refused("POST", "/contacts/check/", 422, "invalid", json={"numbers": ["ana"]})
        await ana.refused("POST", "/contacts/check/", 422, "invalid", json={"numbers": []})
        await ana.ok("POST", "/sessions/stop/")
        await ana.refused("POST", "/contacts/check/", 423, "not_ready", json={"numbers": [TO]})


class TestAround:
    async def test_metrics_from_elsewhere_take_an_admins_token(self, dx: Platform) -> None:
        elsewhere = "203.0.113.9"
        assert (await dx.client("root", Role.ADMIN, elsewhere).get("/metrics")).status_code == 200
        await dx.client("ana", Role.USER, elsewhere).refused("GET", "/metrics", 403, "forbidden")
        await dx.with_token(None, elsewhere).refused("GET", "/metrics", 401, "unauthorized")
        await dx.with_token("x.y.z", elsewhere).refused("GET", "/metrics", 401, "unauthorized")

    async def test_too_many_requests(self, tmp_path: Path, autojump_clock: MockClock) -> None:
        async with platform(tmp_path, sections={"http": {"requests_per_minute": 3}}) as dx:
            ana, bia = dx.client("ana"), dx.client("bia")
            for _ in range(3):
                await ana.ok("GET", "/sessions/")
            answer = await ana.get("/api/v1/whatsapp/sessions/")
            assert answer.status_code == 429
            assert 1 <= int(answer.headers["retry-after"]) <= 20
            await bia.ok("GET", "/sessions/")

    async def test_other_origins_only_where_they_are_allowed(self, tmp_path: Path, autojump_clock: MockClock) -> None:
        origin = "https://app.dx.com.br"
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        async with platform(tmp_path, sections={"http": {"cors_origins": [origin]}}) as dx:
            ana = dx.client("ana")
            preflight = await ana.options("/api/v1/whatsapp/send/", headers=asked)
            assert preflight.headers["access-control-allow-origin"] == origin
            answer = await ana.get("/api/v1/whatsapp/sessions/", headers={"Origin": origin})
            assert answer.headers["access-control-allow-origin"] == origin
            assert "access-control-allow-credentials" not in answer.headers
            other = await ana.get("/api/v1/whatsapp/sessions/", headers={"Origin": "https://evil.example"})
            assert "access-control-allow-origin" not in other.headers

    async def test_and_by_default_nowhere(self, ana: Http) -> None:
        asked = {"Origin": "https://x.example", "Access-Control-Request-Method": "GET"}
        answer = await ana.options("/api/v1/whatsapp/sessions/", headers=asked)
        assert answer.status_code == 405
        assert "access-control-allow-origin" not in answer.headers

    async def test_next_leads_where_the_outside_finds_us(self, tmp_path: Path, autojump_clock: MockClock) -> None:
        async with platform(tmp_path, sections={"http": {"public_url": "https://dx.example/wa/"}}) as dx:
            ana = dx.client("ana")
            for name in ("a", "b"):
                await ana.ok("POST", "/sessions/start/", 201, json={"session": name})
            page = await ana.ok("GET", "/sessions/?limit=1")
            assert page["next"].startswith("https://dx.example/wa/api/v1/whatsapp/sessions/?limit=1&cursor=")

    async def test_a_host_that_is_none_is_not_repeated(self, ana: Http) -> None:
        for name in ("a", "b"):
            await ana.ok("POST", "/sessions/start/", 201, json={"session": name})
        page = await ana.ok("GET", "/sessions/?limit=1", headers={"Host": "evil.example/<script>"})
        assert page["next"].startswith("/api/v1/whatsapp/sessions/?limit=1&cursor=")

    async def test_the_schema_and_its_page_need_nothing(self, dx: Platform) -> None:
        nobody = dx.with_token(None)
        document = (await nobody.get("/api/v1/schema/")).json()
        assert document["openapi"] == "3.1.0"
        page = await nobody.get("/api/v1/docs/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
        assert "<script" not in page.text
        assert re.findall(r"(?:src|href)=.?(https?://\S+)", page.text) == []
        assert all(f"{path}/" in page.text for path in document["paths"] if path.startswith("/api/"))
