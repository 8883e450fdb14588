"""/sessions: their life over HTTP."""

from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from pombal.model.caller import Role
from tests.api.client import Http, Platform, platform


class TestStart:
    async def test_a_new_one_by_the_owners_name_with_no_body_at_all(self, dx: Platform, ana: Http) -> None:
        made = await ana.ok("POST", "/sessions/start/", 201)
        assert (made["name"], made["owner"], made["is_active"]) == ("ana", "ana", True)
        await dx.world.until("ana", "ready")
        again = await ana.ok("POST", "/sessions/start", 200, json={})
        assert (again["id"], again["status"]) == (made["id"], "ready")

    async def test_by_another_name_and_then_by_its_id(self, dx: Platform, ana: Http) -> None:
        body = {"session": "suporte", "device_name": "Suporte", "phone_number": "+55 11 98765-4321"}
        made = await ana.ok("POST", "/sessions/start/", 201, json=body)
        assert (made["name"], made["device_name"], made["phone_number"]) == ("suporte", "Suporte", "5511987654321")
        await ana.ok("POST", "/sessions/stop/", 200, json={"session": made["id"]})
        again = await ana.ok("POST", "/sessions/start/", 200, json={"session": made["id"]})
        assert (again["name"], again["is_active"]) == ("suporte", True)

    async def test_without_a_name_it_is_the_only_one_whatever_it_is_called(self, dx: Platform) -> None:
        """An imported session, or one that an operator made: the platform's call names none."""
        client = dx.client("ana@dx.com.br")
        made = await client.ok("POST", "/sessions/start/", 201, json={"session": "suporte"})
        await client.ok("POST", "/sessions/stop/", 200)
        assert (await client.ok("POST", "/sessions/start/", 200))["id"] == made["id"]

    async def test_a_name_that_another_owner_has(self, dx: Platform, ana: Http, bia: Http) -> None:
        await ana.ok("POST", "/sessions/start/", 201, json={"session": "suporte"})
        await bia.refused("POST", "/sessions/start/", 409, "conflict", json={"session": "suporte"})

    async def test_an_admin_starts_anybodys(self, dx: Platform, ana: Http) -> None:
        await ana.ok("POST", "/sessions/start/", 201, json={"session": "suporte"})
        admin = dx.client("root", Role.ADMIN)
        started = await admin.ok("POST", "/sessions/start/", 200, json={"session": "suporte"})
        assert started["owner"] == "ana"

    async def test_with_another_link(self, dx: Platform, ana: Http) -> None:
        await ana.ok("POST", "/sessions/start/", 201, json={"link": "simulator"})
        await ana.ok("POST", "/sessions/start/", 200, json={"link": "simulator"})
        await ana.refused("POST", "/sessions/start/", 409, "conflict", json={"link": "web"})

    @pytest.mark.parametrize("owner", ["Ana", "ana@dx.com.br", "start", "é"])
    async def test_an_owner_whose_name_no_session_can_have(self, dx: Platform, owner: str) -> None:
        client = dx.client(owner)
        shown = await client.refused("POST", "/sessions/start/", 422, "invalid")
        assert shown["errors"] == [{"field": "session", "reason": "is required"}]
        await client.ok("POST", "/sessions/start/", 201, json={"session": "suporte"})

    @pytest.mark.parametrize(
        ("body", "status", "kind"),
        [
            ({"link": "cloud"}, 501, "unsupported"), ({"link": "fax"}, 422, "invalid"),
            ({"sesion": "a"}, 422, "invalid"),
            ({"session": "No Name"}, 422, "invalid"), ({"phone_number": "many"}, 422, "invalid"), ([], 422, "invalid"),
            ({"session": 7}, 422, "invalid"),
        ],
    )  # fmt: skip
    async def test_what_is_refused(self, dx: Platform, ana: Http, body: Any, status: int, kind: str) -> None:
        await ana.refused("POST", "/sessions/start/", status, kind, json=body)
        assert (await ana.ok("GET", "/sessions/"))["results"] == []

    async def test_many_at_once_make_one(self, dx: Platform, ana: Http) -> None:
        import trio

        statuses: list[int] = []

        async def start() -> None:
            statuses.append((await ana.post("/api/v1/whatsapp/sessions/start/")).status_code)

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(start)
        assert sorted(statuses) == [200] * 19 + [201]


class TestOnly:
    async def test_of_none_one_and_several(self, dx: Platform, ana: Http) -> None:
        await ana.refused("GET", "/sessions/status/", 404, "not_found")
        await ana.ok("POST", "/sessions/start/", 201)
        assert (await ana.ok("GET", "/sessions/status/"))["name"] == "ana"
        await ana.ok("POST", "/sessions/start/", 201, json={"session": "outra"})
        shown = await ana.refused("POST", "/sessions/stop/", 422, "invalid")
        assert shown["errors"][0]["field"] == "session"
        assert (await ana.ok("GET", "/sessions/status/?session=outra"))["name"] == "outra"

    async def test_of_an_admin_their_own_before_anybodys(self, dx: Platform, ana: Http) -> None:
        admin = dx.client("root", Role.ADMIN)
        await ana.ok("POST", "/sessions/start/", 201)
        assert (await admin.ok("GET", "/sessions/status/"))["name"] == "ana"
        await admin.ok("POST", "/sessions/start/", 201)
        assert (await admin.ok("GET", "/sessions/status/"))["name"] == "root"

    async def test_stop_restart_logout(self, dx: Platform, ana: Http) -> None:
        await ana.ok("POST", "/sessions/start/", 201)
        await dx.world.until("ana", "ready")
        stopped = await ana.ok("POST", "/sessions/stop/", json={})
        assert (stopped["status"], stopped["is_active"]) == ("disconnected", False)
        assert (await ana.ok("POST", "/sessions/restart/"))["is_active"] is True
        await dx.world.until("ana", "ready")
        assert (await ana.ok("POST", "/sessions/logout/"))["is_active"] is False


class TestList:
    async def test_filters_search_pages_and_count(self, dx: Platform, ana: Http, bia: Http) -> None:
        for name in ("um", "dois", "tres"):
            await ana.ok("POST", "/sessions/start/", 201, json={"session": name, "device_name": f"Mesa {name}"})
        await bia.ok("POST", "/sessions/start/", 201)
        await ana.ok("POST", "/sessions/stop/", json={"session": "dois"})

        async def names(query: str) -> list[str]:
            return [each["name"] for each in (await ana.ok("GET", f"/sessions/{query}"))["results"]]

        assert await names("") == ["um", "dois", "tres"]
        for no in ("false", "False", "0"):
            assert await names(f"?is_active={no}") == ["dois"]
        assert await names("?is_active=True") == await names("?is_active=1") == ["um", "tres"]
        assert await names("?status=disconnected&link=simulator") == ["dois"]
        assert await names("?search=mesa t") == ["tres"]
        assert await names("?owner=bia") == ["um", "dois", "tres"]  # a user sees their own, whatever they ask for
        page = await ana.ok("GET", "/sessions/?limit=2&count=true")
        assert page["count"] == 3
        assert page["next"].startswith("http://pombal:8001/api/v1/whatsapp/sessions/?limit=2&count=true&cursor=")
        last = await ana.ok("GET", page["next"])
        assert ([each["name"] for each in last["results"]], last["next"], last["count"]) == (["tres"], None, 3)
        assert "count" not in await ana.ok("GET", "/sessions/")
        assert (await dx.client("root", Role.ADMIN).ok("GET", "/sessions/?count=true"))["count"] == 4

    @pytest.mark.parametrize(
        "query", ["?limit=0", "?limit=501", "?limit=x", "?limit=+5", "?is_active=yes", "?status=up", "?cursor=x",
                  "?cursor=", "?sesion=a", "?count=2"],
    )  # fmt: skip
    async def test_bad_queries(self, ana: Http, query: str) -> None:
        await ana.refused("GET", f"/sessions/{query}", 422, "invalid")


async def test_a_name_that_none_may_have_is_refused_under_the_name_it_has_here(ana: Http) -> None:
    for name in ("status", "a/b"):
        told = await ana.refused("POST", "/sessions/start/", 422, "invalid", json={"session": name})
        assert [each["field"] for each in told["errors"]] == ["session"]


class TestOne:
    async def test_another_owners_session_is_refused_in_the_words_for_none(self, ana: Http, bia: Http) -> None:
        await ana.ok("POST", "/sessions/start/", 201)
        for name in ("ana", "nobody"):
            for path in (f"/sessions/{name}/", f"/sessions/{name}/qr/", f"/messages/?session={name}"):
                told = await bia.refused("GET", path, 404, "not_found")
                assert (
                    told["detail"]
                    == f"there is no session '{name}'; GET /api/v1/whatsapp/sessions/ lists what there is"
                )
            await bia.refused("DELETE", f"/sessions/{name}/", 404, "not_found")

    async def test_get_metrics_delete(self, dx: Platform, ana: Http, bia: Http) -> None:
        made = await ana.ok("POST", "/sessions/start/", 201)
        assert (await ana.ok("GET", "/sessions/ana/"))["id"] == made["id"]
        assert (await ana.ok("GET", f"/sessions/{made['id']}"))["name"] == "ana"
        metrics = await ana.ok("GET", "/sessions/ana/metrics/")
        assert (metrics["session"], metrics["total_messages_sent"], metrics["error_rate"]) == ("ana", 0, 0.0)
        for path in ("/sessions/ana/", "/sessions/ana/metrics/", "/sessions/ana/qr/"):
            await bia.refused("GET", path, 404, "not_found")
        await bia.refused("DELETE", "/sessions/ana/", 404, "not_found")
        assert await ana.ok("DELETE", "/sessions/ana/?purge=true") == {"deleted": True, "messages_deleted": 0}
        await ana.refused("GET", "/sessions/ana/", 404, "not_found")
        assert (await ana.ok("GET", f"/sessions/{made['id']}/"))["name"] == "ana"

    async def test_methods_that_a_path_does_not_have(self, ana: Http) -> None:
        for method in ("PUT", "PATCH", "POST"):
            answer = await ana.request(method, "/api/v1/whatsapp/sessions/ana/")
            assert answer.status_code == 405
            assert answer.headers["allow"] == "DELETE, GET, HEAD"

    async def test_any_path_may_be_asked_for_its_head(self, ana: Http) -> None:
        answer = await ana.head("/api/v1/whatsapp/sessions/")
        assert (answer.status_code, answer.content) == (200, b"")
        assert int(answer.headers["content-length"]) > 20


class TestLinking:
    @pytest.fixture
    async def unscanned(self, tmp_path: Path, autojump_clock: MockClock) -> Any:
        async with platform(tmp_path, auto_scan_ms=None, qr_lifetime_ms=20_000.0) as made:
            yield made

    async def test_the_code_in_three_forms(self, unscanned: Platform) -> None:
        ana = unscanned.client("ana")
        await ana.ok("POST", "/sessions/start/", 201)
        code = await ana.ok("GET", "/sessions/ana/qr/")
        assert code["code"]
        assert code["expires_at"].endswith("Z")
        svg = await ana.get("/api/v1/whatsapp/sessions/ana/qr/", headers={"Accept": "image/svg+xml"})
        assert svg.headers["content-type"].startswith("image/svg+xml")
        assert svg.text.startswith("<svg")
        assert svg.headers["vary"] == "Accept"
        png = await ana.get("/api/v1/whatsapp/sessions/ana/qr/", headers={"Accept": "image/avif, image/png, */*;q=0.1"})
        assert png.content.startswith(b"\x89PNG")
        assert png.headers["expires-at"] == code["expires_at"]
        browser = await ana.get("/api/v1/whatsapp/sessions/ana/qr/", headers={"Accept": "text/html,*/*;q=0.8"})
        assert browser.headers["content-type"] == "application/json"
        await ana.refused("GET", "/sessions/ana/qr/", 406, "unsupported", headers={"Accept": "text/html"})

    async def test_a_pairing_code(self, unscanned: Platform) -> None:
        ana = unscanned.client("ana")
        await ana.ok("POST", "/sessions/start/", 201)
        made = await ana.ok("POST", "/sessions/ana/pair-code/", json={"phone_number": "5511999999999"})
        assert made["code"]
        await ana.refused("POST", "/sessions/ana/pair-code/", 422, "invalid")

    async def test_a_session_that_shows_none_says_why(self, dx: Platform, ana: Http) -> None:
        await ana.ok("POST", "/sessions/start/", 201)
        await dx.world.until("ana", "ready")
        await ana.refused("GET", "/sessions/ana/qr/", 423, "not_ready")
