"""/messages: history, its pages and filters, and its remedies."""

from typing import Any

import pytest

from pombal.model.caller import Role
from tests.api.client import TO, Http, Platform
from tests.service.world import injected


@pytest.fixture
async def talk(dx: Platform, ana: Http) -> Http:
    """A session of Ana's that is ready."""
    await ana.ok("POST", "/sessions/start/", 201)
    await dx.world.until("ana", "ready")
    return ana


async def sent(http: Http, count: int, **fields: Any) -> list[dict[str, Any]]:
    return [await http.ok("POST", "/send/", 202, json={"to": TO, "text": f"texto {n}"} | fields) for n in range(count)]


class TestList:
    async def test_newest_first_in_pages_that_meet_each_once_though_new_ones_come(self, talk: Http) -> None:
        made = [each["id"] for each in await sent(talk, 7)]
        met: list[int] = []
        path: str | None = "/messages/?limit=3&count=true"
        while path is not None:
            page = await talk.ok("GET", path)
            assert page["count"] == 7 + len(met) // 3
            met += [each["id"] for each in page["results"]]
            path = page["next"]
            await sent(talk, 1)
        assert met == sorted(made, reverse=True)

    async def test_filters(self, dx: Platform, talk: Http) -> None:
        await sent(talk, 2)
        (received,) = await injected(dx.world, "Coração partido")

        async def found(query: str) -> list[str]:
            return [each["message_id"] for each in (await talk.ok("GET", f"/messages/?{query}"))["results"]]

        assert await found("direction=inbound") == [received]
        assert await found("search=coracao par&session=ana") == [received]
        assert await found("contact_number=%2B55 11 92222-0000") == [received]
        assert await found("message_type=image") == []
        assert await found("until=1h") == []
        past = "1999-12-31T23:59:59.250"
        for offset in ("Z", "%2B00:00", "+00:00", "-03:00", "+0530"):  # a + that nobody encoded is no other time
            assert await found(f"since={past}{offset}&direction=inbound") == [received]
            assert await found(f"until={past}{offset}") == []
        assert len(await found("since=1h&direction=outbound&origin=api")) == 2
        assert len(await found(f"chat_id={TO}@s.whatsapp.net")) == 2
        assert (await found("order=asc"))[-1] == received

    @pytest.mark.parametrize(
        "query",
        ["limit=501", "since=soon", "cursor=%00", "cursor=-1", "order=up", "status=lost", "threshold_ms=1", "limit=1e3",
         "contact_number=ana"],
    )  # fmt: skip
    async def test_bad_queries(self, talk: Http, query: str) -> None:
        await talk.refused("GET", f"/messages/?{query}", 422, "invalid")

    @pytest.mark.parametrize("query", ["search=%22%00%22", "chat_id=%ff%fe", "search=%F0%9F%95%8A", "search=*"])
    async def test_odd_queries_are_searched_for(self, talk: Http, query: str) -> None:
        assert (await talk.ok("GET", f"/messages/?{query}"))["results"] == []

    async def test_high_latency(self, talk: Http) -> None:
        await sent(talk, 1)
        assert (await talk.ok("GET", "/messages/high-latency/"))["results"] == []
        await talk.refused("GET", "/messages/high-latency/?threshold_ms=-1", 422, "invalid")

    async def test_latency_stats(self, dx: Platform, talk: Http, bia: Http) -> None:
        (message,) = await sent(talk, 1)
        await dx.world.until_status(message["message_id"], "read")
        stats = await talk.ok("GET", "/messages/latency-stats/?direction=outbound")
        assert (stats["total_messages"], stats["acceptable_rate"]) == (1, 1.0)
        assert (await bia.ok("GET", "/messages/latency-stats/"))["total_messages"] == 0
        assert (await dx.client("root", Role.ADMIN).ok("GET", "/messages/latency-stats/"))["total_messages"] == 1

    async def test_others_are_neither_shown_nor_counted(self, dx: Platform, talk: Http, bia: Http) -> None:
        (message,) = await sent(talk, 1)
        await bia.ok("POST", "/sessions/start/", 201)
        assert (await bia.ok("GET", "/messages/?count=true"))["count"] == 0
        await bia.refused("GET", "/messages/?session=ana", 404, "not_found")
        await bia.refused("GET", f"/messages/{message['id']}/", 404, "not_found")
        assert (await dx.client("root", Role.ADMIN).ok("GET", "/messages/?count=true"))["count"] == 1


class TestOne:
    async def test_get(self, talk: Http) -> None:
        (message,) = await sent(talk, 1)
        shown = await talk.ok("GET", f"/messages/{message['id']}/")
        assert (shown["message_id"], shown["text_content"]) == (message["message_id"], "texto 0")

    @pytest.mark.parametrize("number", ["999", "x", "-1", "9" * 18, "9" * 19, "9" * 5000, "1.0", "%00", "٣", " 1"])
    async def test_numbers_that_are_none(self, talk: Http, number: str) -> None:
        for path in ("", "media/"):
            await talk.refused("GET", f"/messages/{number}/{path}", 404, "not_found")
        await talk.refused("POST", f"/messages/{number}/cancel/", 404, "not_found")

    async def test_words_that_are_other_paths_are_no_messages(self, talk: Http) -> None:
        await talk.refused("GET", "/messages/mark-read/", 405, "unsupported")
        await talk.refused("POST", "/messages/latency-stats/", 405, "unsupported")

    async def test_mark_read(self, dx: Platform, talk: Http) -> None:
        names = await injected(dx.world, count=2)
        assert await talk.ok("POST", "/messages/mark-read/", json={"message_ids": names}) == {"marked": 2}
        body = {"message_ids": names, "session": "ana"}
        assert await talk.ok("POST", "/messages/mark-read/", json=body) == {"marked": 0}
        await talk.refused("POST", "/messages/mark-read/", 422, "invalid", json={"message_ids": []})

    async def test_cancel_and_resend(self, dx: Platform, talk: Http, bia: Http) -> None:
        await dx.world.call("simulator.fault", _fault("disconnect"))
        (message,) = await sent(talk, 1)
        await bia.refused("POST", f"/messages/{message['id']}/cancel/", 404, "not_found")
        cancelled = await talk.ok("POST", f"/messages/{message['id']}/cancel/")
        assert (cancelled["status"], cancelled["error"]["kind"]) == ("failed", "cancelled")
        await talk.refused("POST", f"/messages/{message['id']}/cancel/", 409, "conflict", json={})
        await talk.refused("POST", f"/messages/{message['id']}/resend/", 422, "invalid", json={"x": 1})
        assert (await talk.ok("POST", f"/messages/{message['id']}/resend/"))["status"] == "queued"
        await dx.world.until_status(message["message_id"], "read")
        await talk.refused("POST", f"/messages/{message['id']}/resend/", 409, "conflict")

    async def test_of_a_deleted_session_it_can_be_read_and_not_changed(self, dx: Platform, talk: Http) -> None:
        (message,) = await sent(talk, 1)
        await talk.ok("DELETE", "/sessions/ana/")
        await talk.ok("POST", "/sessions/start/", 201)  # another one of the same name
        assert (await talk.ok("GET", f"/messages/{message['id']}/"))["id"] == message["id"]
        await talk.refused("POST", f"/messages/{message['id']}/cancel/", 404, "not_found")


def _fault(kind: str) -> Any:
    from pombal.model.params import FaultParams

    return FaultParams.model_validate({"name": "ana", "kind": kind})
