"""The client against a real server on a Unix socket, and against streams that misbehave."""

import hashlib
import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import memory_stream_pair

from pombal.control.client import Client, Disconnected, NoDaemon, RemoteError, connect, connect_by
from pombal.control.client_methods import TypedMethods
from pombal.model.caller import Caller
from pombal.model.errors import Kind, PombalError, not_found
from pombal.model.events import Event, EventType
from pombal.model.params_base import MEDIA_CHUNK_MAX_BYTES
from pombal.model.results import MediaChunk, MediaPutAnswer, MediaStored, MediaUpload
from pombal.service.catalog import METHODS
from tests.control.support import FakeService, event, message, raising, running


class Store:
    """media.put and media.get as the daemon does them."""

    def __init__(self) -> None:
        self.uploads: dict[str, bytes] = {}
        self.files: dict[str, bytes] = {}

    async def put(self, params: Any, _caller: Caller) -> MediaPutAnswer:
        upload = params.upload or f"u{len(self.uploads)}"
        before = self.uploads.get(upload, b"")
        assert params.offset == len(before)
        self.uploads[upload] = whole = before + params.data
        if params.sha256 is None:
            return MediaPutAnswer(MediaUpload(upload=upload, offset=len(whole)))
        assert hashlib.sha256(whole).hexdigest() == params.sha256
        self.files[params.sha256] = whole
        return MediaPutAnswer(MediaStored(sha256=params.sha256, size_bytes=len(whole)))

    async def get(self, params: Any, _caller: Caller) -> MediaChunk:
        whole = self.files[params.sha256]
        end = params.offset + params.limit
        return MediaChunk(data=whole[params.offset : end], eof=end >= len(whole))

    def service(self) -> FakeService:
        return FakeService(handlers={"media.put": self.put, "media.get": self.get})


async def test_typed_and_raw_answers(tmp_path: Path) -> None:
    async with running(tmp_path, FakeService()) as server, connect(server.path) as client:
        assert await client.call("daemon.reload") == {"changed": ["daemon.reload"], "needs_restart": []}
        assert (await client.daemon_reload()).changed == ["daemon.reload"]
        sent = await client.message_send("suporte", "5511999999999", text="olá 👋")
        assert sent == message(1, "olá 👋")


async def test_a_refusal_is_raised_with_its_kind(tmp_path: Path) -> None:
    service = FakeService(handlers={"session.get": raising(not_found("there is no session x"))})
    async with running(tmp_path, service) as server, connect(server.path) as client:
        with pytest.raises(RemoteError, match="there is no session x") as raised:
            await client.session_get("x")
        assert (raised.value.kind, raised.value.code) == (Kind.NOT_FOUND, -32000)
        with pytest.raises(RemoteError) as raised:
            await client.call("session.get", {"name": 5})
        assert (raised.value.kind, raised.value.code) == (Kind.INVALID, -32602)
        assert raised.value.data["errors"][0]["field"] == "name"
        with pytest.raises(RemoteError, match="did you mean") as raised:
            await client.call("session.gett")
        assert raised.value.kind == Kind.UNSUPPORTED


async def test_many_tasks_may_call_at_once(tmp_path: Path) -> None:
    async with running(tmp_path, FakeService()) as server, connect(server.path) as client:
        answers: dict[int, str | None] = {}

        async def send(number: int) -> None:
            answers[number] = (await client.message_send("s", "5511999999999", text=f"t{number}")).text_content

        async with trio.open_nursery() as nursery:
            for number in range(200):
                nursery.start_soon(send, number)
    assert answers == {number: f"t{number}" for number in range(200)}


async def test_a_pipeline_answers_in_order_with_refusals_among_the_answers(tmp_path: Path) -> None:
    service = FakeService(handlers={"session.get": raising(not_found("no"))})
    requests = [
        ("session.get", {"name": "a"})
        if number % 10 == 0
        else ("message.send", {"session": "s", "to": "5511999999999", "text": f"{number}"})
        for number in range(300)
    ]
    async with running(tmp_path, service) as server, connect(server.path) as client:
        answers = [answer async for answer in client.pipeline(requests, window=32)]
    assert len(answers) == 300
    for number, answer in enumerate(answers):
        if number % 10 == 0:
            assert isinstance(answer, RemoteError)
        else:
            assert not isinstance(answer, RemoteError)
            assert answer["text_content"] == str(number)


async def test_nobody_there(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with pytest.raises(NoDaemon, match=f"no daemon answers at {path}"):
        async with connect(path):
            pass


async def test_a_path_that_cannot_be_one(tmp_path: Path) -> None:
    with pytest.raises(PombalError, match="is no control socket") as raised:
        async with connect(tmp_path / ("x" * 200)):
            pass
    assert raised.value.kind == Kind.INVALID


async def test_a_daemon_that_goes_away_in_the_middle(tmp_path: Path) -> None:
    ours, theirs = memory_stream_pair()

    async def open_stream() -> trio.abc.Stream:
        return ours

    async with connect_by(open_stream) as client:
        waiting = client.request("daemon.status")
        await theirs.receive_some(10_000)
        await theirs.aclose()
        with pytest.raises(Disconnected):
            await waiting.wait()
        with pytest.raises(Disconnected):
            await client.daemon_status()


async def test_answers_may_come_in_any_order_and_unknown_ones_are_passed_over() -> None:
    ours, theirs = memory_stream_pair()

    async def open_stream() -> trio.abc.Stream:
        return ours

    async with connect_by(open_stream) as client:
        first, second = client.request("a"), client.request("b")
        for request_id in (99, 2, 1):
            answer = {"jsonrpc": "2.0", "id": request_id, "result": {"of": request_id}}
            await theirs.send_all(json.dumps(answer).encode() + b"\n")
        assert (await first.wait(), await second.wait()) == ({"of": 1}, {"of": 2})


async def test_a_client_turned_away_is_told_why(tmp_path: Path) -> None:
    refusal = PombalError(Kind.FORBIDDEN, "not you")
    async with running(tmp_path, FakeService(), error=refusal) as server, connect(server.path) as client:
        with pytest.raises(RemoteError, match="not you") as raised:
            await client.daemon_status()
        assert raised.value.kind == Kind.FORBIDDEN
        with pytest.raises(RemoteError, match="not you"):
            async with client.events():
                pass


async def test_a_request_too_long_is_refused_here(tmp_path: Path) -> None:
    async with running(tmp_path, FakeService()) as server, connect(server.path) as client:
        with pytest.raises(PombalError) as raised:
            await client.message_send("s", "5511999999999", text="x" * 2_000_000)
        assert raised.value.kind == Kind.TOO_LARGE
        assert (await client.daemon_reload()).changed


async def test_lone_surrogates_are_mended_by_the_daemon(tmp_path: Path) -> None:
    service = FakeService()
    async with running(tmp_path, service) as server, connect(server.path) as client:
        card = {"name": "a\ud800", "number": "5511999999999"}
        await client.call("message.send", {"session": "s", "to": "1", "type": "contact", "contact": card})
    assert service.sent[0].contact is not None
    assert service.sent[0].contact.name == "a\ufffd"


async def test_what_the_body_raises_leaves_as_it_is(tmp_path: Path) -> None:
    async with running(tmp_path, FakeService()) as server:
        with pytest.raises(ZeroDivisionError):
            async with connect(server.path):
                _ = 1 / 0


async def test_events_as_dicts_with_a_cursor_to_resume_by(tmp_path: Path) -> None:
    feed, receive = trio.open_memory_channel[Sequence[Event]](10)
    feed.send_nowait([event(5), event(6), event(9, "cursor")])
    service = FakeService(feed=receive)
    async with (
        running(tmp_path, service) as server,
        connect(server.path) as client,
        client.events(after=4, types=[EventType.MESSAGE_QUEUED]) as events,
    ):
        assert (events.log_id, events.cursor) == ("log-1", 4)
        assert await anext(events) == event(5).object()
        # A slow reader of events holds up nobody's answers.
        assert (await client.daemon_reload()).changed
        assert (await anext(events))["seq"] == 6
        feed.close()
        with pytest.raises(Disconnected):
            await anext(events)
        assert events.cursor == 9
    assert service.subscriptions[0]["after"] == 4


@pytest.mark.parametrize("size_bytes", [0, 1, MEDIA_CHUNK_MAX_BYTES, MEDIA_CHUNK_MAX_BYTES + 1, 1_500_000])
async def test_a_file_goes_up_and_comes_down_in_chunks(tmp_path: Path, size_bytes: int) -> None:
    store = Store()
    content = bytes(index % 251 for index in range(size_bytes))
    file = tmp_path / "photo.jpg"
    file.write_bytes(content)
    moved: list[int] = []
    async with running(tmp_path, store.service()) as server, connect(server.path) as client:
        stored = await client.put_media(file, progress=moved.append)
        assert stored == await client.put_media(content)
        found = b"".join([chunk async for chunk in client.get_media(stored.sha256)])
    assert found == content
    assert stored == MediaStored(sha256=hashlib.sha256(content).hexdigest(), size_bytes=size_bytes)
    assert moved[-1] == size_bytes


def test_every_method_is_there_in_typed_form() -> None:
    by_other_names = {"events.subscribe", "events.unsubscribe"}  # client.events()
    for method in METHODS.keys() - by_other_names:
        typed = getattr(TypedMethods, method.replace(".", "_"))
        assert inspect.iscoroutinefunction(typed), method
        # from __future__ annotations are not used, so this is the class itself
        assert inspect.signature(typed).return_annotation is METHODS[method].result, method
    assert callable(Client.events)
