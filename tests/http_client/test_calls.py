"""Each method of both clients: what it asks for, what it makes of the answer, and when it asks again."""

import asyncio
import inspect
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trio

from pombal.http_client import ApiError, AsyncClient, Client, Unreachable, calls
from pombal.http_client.requests import Attempts
from pombal.model.message import Message
from pombal.model.session import Session
from tests.cli import objects
from tests.http_client.conftest import Script, async_client, client, ok, problem

WHATSAPP = "/api/v1/whatsapp"
SESSION, MESSAGE = objects.session(), objects.message("queued")
CODE = {"code": "2@abc", "expires_at": objects.NOW}

# name, arguments, answer, what is asked for
METHODS: list[tuple[str, tuple[Any, ...], dict[str, Any], Any, tuple[str, str, Any]]] = [
    ("start_session", (), {}, SESSION, ("POST", "/sessions/start/", {})),
    ("start_session", ("suporte",), {"link": "simulator"}, SESSION,
     ("POST", "/sessions/start/", {"session": "suporte", "link": "simulator"})),
    ("stop_session", ("suporte",), {}, SESSION, ("POST", "/sessions/stop/", {"session": "suporte"})),
    ("restart_session", (), {}, SESSION, ("POST", "/sessions/restart/", {})),
    ("logout_session", (), {}, SESSION, ("POST", "/sessions/logout/", {})),
    ("session_status", ("suporte",), {}, SESSION, ("GET", "/sessions/status/", {"session": "suporte"})),
    ("delete_session", ("a/b",), {"purge": True}, {"deleted": True, "messages_deleted": 3},
     ("DELETE", "/sessions/a%2Fb/", {"purge": "true"})),
    ("session_metrics", ("suporte",), {}, objects.metrics(), ("GET", "/sessions/suporte/metrics/", {})),
    ("qr_code", ("suporte",), {}, CODE, ("GET", "/sessions/suporte/qr/", {})),
    ("pair_code", ("suporte", "5511999999999"), {}, CODE,
     ("POST", "/sessions/suporte/pair-code/", {"phone_number": "5511999999999"})),
    ("send", ("5511999999999", "Olá"), {"message_id": "t-1"}, MESSAGE,
     ("POST", "/send/", {"to": "5511999999999", "type": "text", "text": "Olá", "message_id": "t-1"})),
    ("send", ("5511999999999",), {"location": {"latitude": 1, "longitude": 2}, "message_id": "t-2"}, MESSAGE,
     ("POST", "/send/", {"to": "5511999999999", "type": "location", "location": {"latitude": 1, "longitude": 2},
                         "message_id": "t-2"})),
    ("message", (41,), {}, MESSAGE, ("GET", "/messages/41/", {})),
    ("mark_read", (["A", "B"],), {"session": "suporte"}, {"marked": 2},
     ("POST", "/messages/mark-read/", {"session": "suporte", "message_ids": ["A", "B"]})),
    ("cancel", (41,), {}, MESSAGE, ("POST", "/messages/41/cancel/", {})),
    ("resend", (41,), {}, MESSAGE, ("POST", "/messages/41/resend/", {})),
    ("check_contacts", (["5511999999999"],), {"session": "suporte"},
     {"results": [{"number": "5511999999999", "exists": False, "canonical_id": None, "lid": None}]},
     ("POST", "/contacts/check/", {"session": "suporte", "numbers": ["5511999999999"]})),
    ("latency_stats", (), {"since": "2h", "session": None}, objects.latency(),
     ("GET", "/messages/latency-stats/", {"since": "2h"})),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args", "kwargs", "answer", "asked"), METHODS)
async def test_what_each_method_asks_for(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], answer: Any, asked: tuple[str, str, Any]
) -> None:
    method, path, given = asked
    script = Script(ok(answer))
    results = [getattr(client(script), name)(*args, **kwargs)]
    results.append(await getattr(async_client(script), name)(*args, **kwargs))
    for request, result in zip(script.asked, results, strict=True):
        assert (request.method, request.path) == (method, WHATSAPP + path.replace("%2F", "/"))
        assert (request.json if method == "POST" else request.query) == given
        assert request.headers["authorization"] == "Bearer T"
        assert result.model_dump(mode="json") == answer


def test_both_clients_have_a_method_for_each_call() -> None:
    names = {
        name for name, call in vars(calls).items() if inspect.isfunction(call) and not name.startswith("_")
        and call.__module__ == calls.__name__ and name != "media_path"
    }  # fmt: skip
    for kind in (Client, AsyncClient):
        assert names | {"media", "events"} <= set(vars(kind))
        assert all(getattr(kind, name).__doc__ == getattr(calls, name).__doc__ for name in names)
    assert {each[0] for each in METHODS} | {"qr_image", "sessions", "messages", "high_latency"} == names


def test_a_picture() -> None:
    script = Script(httpx2.Response(200, content=b"<svg/>"))
    assert client(script).qr_image("suporte", "image/svg+xml") == b"<svg/>"
    assert script.asked[0].headers["accept"] == "image/svg+xml"


async def test_lists_are_iterated_over_page_by_page() -> None:
    pages = [
        {"results": [objects.message(id=3), objects.message(id=2)], "last_seq": 9,
         "next": f"https://elsewhere.example{WHATSAPP}/messages/?search=ol%C3%A1&limit=2&cursor=c1"},
        {"results": [objects.message(id=1)], "next": None, "last_seq": 9},
    ]  # fmt: skip
    script = Script(*map(ok, pages))
    found = client(script).messages(search="olá", limit=2)
    assert next(found).id == 3
    assert len(script.asked) == 1
    assert [message.id for message in found] == [2, 1]
    assert [asked.query for asked in script.asked] == [
        {"search": "olá", "limit": "2"}, {"search": "olá", "limit": "2", "cursor": "c1"},
    ]  # fmt: skip
    script = Script(*map(ok, pages))
    assert [message.id async for message in async_client(script).high_latency(threshold_ms=100)] == [3, 2, 1]
    assert isinstance(next(client(Script(ok(objects.page(SESSION)))).sessions(is_active=True)), Session)


class TestSending:
    def test_gives_each_message_an_id_of_its_own_and_repeats_it_under_that(self) -> None:
        script = Script(
            httpx2.ReadTimeout("slow"), problem(503, "unavailable"), httpx2.Response(502, text="Bad Gateway"),
            problem(429, "rate_limited", retry_after="0"), ok(MESSAGE, 202),
        )  # fmt: skip
        sender = client(script)
        assert isinstance(sender.send("5511999999999", "Olá"), Message)
        assert len({asked.json["message_id"] for asked in script.asked}) == 1
        assert len(script.asked) == 5
        sender.send("5511999999999", "Olá")
        assert len({asked.json["message_id"] for asked in script.asked}) == 2

    async def test_a_file_is_sent_as_a_form_and_anew_on_each_try(self, tmp_path: Path) -> None:
        picture = tmp_path / "gato.jpg"
        picture.write_bytes(b"\xff\xd8picture")
        for kind in ("blocking", "async"):
            script = Script(httpx2.ReadError("broken"), ok(MESSAGE, 202))
            if kind == "blocking":
                client(script).send("5511999999999", "legenda", file=picture, message_id="t-1")
            else:
                await async_client(script).send("5511999999999", "legenda", file=picture, message_id="t-1")
            for asked in script.asked:
                assert asked.headers["content-type"].startswith("multipart/form-data")
                assert b'name="file"; filename="gato.jpg"' in asked.body
                assert b"\xff\xd8picture" in asked.body
                assert b'name="text"\r\n\r\nlegenda' in asked.body
                assert asked.body.index(b'name="to"') < asked.body.index(b'name="file"')
            assert len(script.asked) == 2


class TestErrors:
    def test_a_refusal_has_its_kind(self) -> None:
        script = Script(problem(409, "conflict", "message_id 't-1' was used for another message"))
        with pytest.raises(ApiError, match="was used for another") as caught:
            client(script).send("5511999999999", "Olá", message_id="t-1")
        assert (caught.value.status, caught.value.kind) == (409, "conflict")
        assert len(script.asked) == 1

    def test_what_a_proxy_says_is_an_error_too(self) -> None:
        with pytest.raises(ApiError, match="502 unknown: <html>") as caught:
            client(Script(httpx2.Response(502, text="<html>Bad gateway")), retry_for_s=0).message(1)
        assert caught.value.kind == "unknown"

    @pytest.mark.parametrize("error", [httpx2.ReadTimeout("slow"), httpx2.ReadError("broken")])
    def test_what_may_have_been_done_is_not_asked_for_twice(self, error: Exception) -> None:
        script = Script(error, ok(MESSAGE))
        with pytest.raises(Unreachable) as caught:
            client(script).resend(41)
        assert (caught.value.was_sent, len(script.asked)) == (True, 1)
        assert client(Script(error, ok(MESSAGE))).message(41).id == 41

    def test_what_never_reached_it_is(self) -> None:
        script = Script(httpx2.ConnectError("refused"), problem(429, "rate_limited", retry_after="0"), ok(MESSAGE))
        assert client(script).resend(41).id == 41

    async def test_it_gives_up_in_time(self) -> None:
        script = Script(httpx2.ConnectError("refused"))
        with pytest.raises(Unreachable, match="refused"):
            client(script, retry_for_s=0).message(1)
        with pytest.raises(Unreachable):
            await async_client(script, retry_for_s=0).message(1)
        assert len(script.asked) == 2

    def test_a_token_may_be_asked_for(self) -> None:
        tokens = iter(["one", "two"])
        script = Script(ok(MESSAGE))
        fresh = client(script, lambda: next(tokens))
        fresh.message(1)
        fresh.message(1)
        assert [asked.headers["authorization"] for asked in script.asked] == ["Bearer one", "Bearer two"]


class TestAttempts:
    def test_pauses_grow_up_to_a_bound_and_end_in_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("pombal.http_client.requests.RETRY_FIRST_S", 1.0)
        now = [0.0]
        attempts = Attempts(60.0, lambda: now[0])
        pauses = []
        while (pause_s := attempts.pause_s(Unreachable("", was_sent=True), is_repeatable=True)) is not None:
            pauses.append(pause_s)
            now[0] += pause_s
        for pause_s, most_s in zip(pauses, [1, 2, 4, 8, 10, 10, 10, 10, 10, 10, 10, 10], strict=False):
            assert most_s / 2 <= pause_s <= most_s
        assert now[0] <= 60

    def test_it_waits_as_long_as_it_is_told(self) -> None:
        attempts = Attempts(60.0, lambda: 0.0)
        assert attempts.pause_s(ApiError(429, "rate_limited", "", 7), is_repeatable=False) == 7
        assert attempts.pause_s(ApiError(503, "unavailable", "", 90), is_repeatable=True) is None
        assert attempts.pause_s(ApiError(503, "unavailable", ""), is_repeatable=False) is None
        assert attempts.pause_s(ApiError(500, "crashed", ""), is_repeatable=True) is None


def test_asyncio_will_do_as_well() -> None:
    async def main() -> None:
        script = Script(httpx2.ReadTimeout("slow"), ok(MESSAGE, 202), ok(objects.page(MESSAGE)))
        pombal = async_client(script)
        assert (await pombal.send("5511999999999", "Olá")).id == 41
        assert [message.id async for message in pombal.messages()] == [41]
        assert script.asked[0].json == script.asked[1].json

    asyncio.run(main())


async def test_a_file_comes_in_pieces(autojump_clock: trio.testing.MockClock) -> None:
    script = Script(httpx2.Response(200, content=b"bytes"))
    with client(script).media(41) as pieces:
        assert b"".join(pieces) == b"bytes"
    async with async_client(script).media(41) as later:
        assert b"".join([piece async for piece in later]) == b"bytes"
    assert {asked.path for asked in script.asked} == {f"{WHATSAPP}/messages/41/media/"}
    refused = Script(problem(404, "not_found"))
    with pytest.raises(ApiError), client(refused).media(41):
        pass
    with pytest.raises(ApiError):
        async with async_client(refused).media(41):
            pass
