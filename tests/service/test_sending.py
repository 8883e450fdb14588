"""message.send: what is taken, what is refused, and what a repeated message_id means."""

import hashlib
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pombal.model.changes import PutMedia
from pombal.model.errors import Kind, PombalError
from pombal.model.params import SendParams, parse_params
from pombal.service.base import SendAnswer
from tests.fakes.rooms import ADMIN, World, outcome
from tests.service.world import BIA, ask, injected, ready

SHA256 = hashlib.sha256(b"a file").hexdigest()


async def send(world: World, **raw: Any) -> Any:
    """The answer as from the wire, or the kind of the refusal."""

    async def parsed() -> SendAnswer:
        params = parse_params(SendParams, {"session": "ana", "to": "5511987654321", "text": "oi"} | raw)
        return await world.send(**{name: getattr(params, name) for name in params.model_fields_set})

    return await outcome(parsed())


async def test_a_send_is_answered_after_its_commit(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    held = world.store.held = trio.Event()
    answers: list[Any] = []

    sends = world.service.sends(ADMIN)
    sends.add(SendParams(session="ana", to="5511987654321", text="oi"), answers.append)
    await sends.place()
    await wait_all_tasks_blocked()
    assert answers == []
    held.set()
    await world.hub.news()
    (answer,) = answers
    assert isinstance(answer, SendAnswer)
    assert world.message(answer.message.message_id).text_content == "oi"


async def test_sends_keep_the_order_in_which_they_were_given(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    ids: list[int] = []

    def reply(answer: SendAnswer | PombalError) -> None:
        assert isinstance(answer, SendAnswer)
        ids.append(answer.message.id)

    sends = world.service.sends(ADMIN)
    for number in range(100):
        sends.add(SendParams(session="ana", to="5511987654321", text=f"{number}"), reply)
        if number % 7 == 0:
            await sends.place()
    await sends.place()
    await world.until_true(lambda: len(ids) == 100)
    assert ids == sorted(ids)
    texts = world.connection.execute("SELECT text_content FROM messages ORDER BY id").fetchall()
    assert [text for (text,) in texts] == [f"{number}" for number in range(100)]


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ({"session": "nobody"}, Kind.NOT_FOUND),
        ({"to": "letters"}, Kind.INVALID),
        ({"to": "1@example.com"}, Kind.INVALID),
        ({"text": "a\0b"}, Kind.INVALID),
        ({"text": ""}, Kind.INVALID),
        ({"text": None}, Kind.INVALID),
        ({"text": "ã" * 65_537}, Kind.TOO_LARGE),
        ({"type": "image"}, Kind.INVALID),
        ({"type": "unknown"}, Kind.INVALID),
        ({"location": {"latitude": 0.0, "longitude": 0.0}}, Kind.INVALID),
        ({"type": "location", "text": None, "location": {"latitude": 91.0, "longitude": 0.0}}, Kind.INVALID),
        ({"message_id": "ã"}, Kind.INVALID),
        ({"message_id": "x" * 129}, Kind.INVALID),
        ({"message_id": ""}, Kind.INVALID),
        ({"quoted_message_id": "unknown"}, Kind.INVALID),
        ({"type": "reaction", "text": None, "reaction": {"message_id": "unknown", "emoji": "👍"}}, Kind.INVALID),
        ({"type": "image", "text": None, "media": {"sha256": SHA256, "mime_type": "image/png"}}, Kind.INVALID),
        (
            {"type": "image", "text": None, "media": {"sha256": "x", "mime_type": "image/png"}},
            Kind.INVALID,
        ),
        (
            {"type": "document", "media": {"sha256": SHA256, "mime_type": "a/b", "file_name": "a\0b"}, "text": None},
            Kind.INVALID,
        ),
    ],
)
async def test_what_is_refused(autojump_clock: MockClock, world: World, raw: dict[str, Any], kind: Kind) -> None:
    await ready(world)
    assert await send(world, **raw) == kind
    assert world.connection.execute("SELECT count(*) FROM messages").fetchone() == (0,)


@pytest.mark.parametrize(
    ("raw", "column", "stored"),
    [
        ({"text": "😵‍💫 שלום"}, "text_content", "😵‍💫 שלום"),
        ({"text": "half \ud83d"}, "text_content", "half \ufffd"),
        ({"text": "ã" * 65_536}, "text_content", "ã" * 65_536),
        ({"to": "+55 (11) 8765-4321"}, "chat_id", "5511987654321@s.whatsapp.net"),
        ({"to": "551187654321@s.whatsapp.net"}, "contact_number", "5511987654321"),
        ({"to": "120363041234567890@g.us"}, "chat_id", "120363041234567890@g.us"),
        ({"to": "12345@lid"}, "contact_number", None),
    ],
)
async def test_what_is_taken(
    autojump_clock: MockClock, world: World, raw: dict[str, Any], column: str, stored: str | None
) -> None:
    await ready(world)
    answer = await send(world, **raw)
    assert answer.created
    assert world.connection.execute(f"SELECT {column} FROM messages").fetchone() == (stored,)


async def test_media_that_was_put_before(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    await world.recorder.commit(PutMedia(at=world.clock(), sha256=SHA256, size_bytes=6))
    media = {"sha256": SHA256, "mime_type": "image/png", "file_name": "foto.png"}
    answer = await send(world, type="image", text="legenda", media=media, message_id="m1")
    assert answer.message.media.model_dump() == media | {"size_bytes": 6}
    await world.until_status("m1", "delivered")


# A repeated message_id


async def test_the_same_id_with_the_same_content_is_the_same_send(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    first = await send(world, message_id="m1")
    await world.until_status("m1", "read")
    again = await send(world, message_id="m1", to="+55 11 98765-4321")  # another spelling of the same
    assert (first.created, again.created) == (True, False)
    assert again.message.id == first.message.id
    assert again.message.status == "read"
    assert len(world.events("message.queued")) == 1


@pytest.mark.parametrize("raw", [{"text": "tchau"}, {"to": "5511900000001"}, {"to": "12@lid"}])
async def test_with_other_content_it_is_a_conflict(
    autojump_clock: MockClock, world: World, raw: dict[str, Any]
) -> None:
    await ready(world)
    await send(world, message_id="m1")
    assert await send(world, message_id="m1", **raw) == Kind.CONFLICT


async def test_two_at_once_under_one_id_are_one(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    answers: list[Any] = []

    async def one() -> None:
        answers.append(await send(world, message_id="m1"))

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(one)
    assert sorted(answer.created for answer in answers) == [False] * 9 + [True]
    assert {answer.message.id for answer in answers} == {1}


async def test_a_stopped_session_answers_a_repeated_send_and_takes_no_new_one(
    autojump_clock: MockClock, world: World
) -> None:
    await ready(world)
    await send(world, message_id="m1")
    await world.until_status("m1", "read")
    await ask(world, "session.stop", name="ana")
    assert (await send(world, message_id="m1")).message.status == "read"
    assert await send(world, message_id="m1", text="tchau") == Kind.CONFLICT
    assert await send(world, message_id="m2") == Kind.NOT_READY
    assert await send(world) == Kind.NOT_READY


async def test_the_id_of_a_message_that_was_received_is_no_repeated_send(
    autojump_clock: MockClock, world: World
) -> None:
    await ready(world)
    (inbound,) = await injected(world)
    await ask(world, "session.stop", name="ana")
    assert await send(world, message_id=inbound) == Kind.NOT_READY


async def test_an_id_is_a_sessions_own(autojump_clock: MockClock, world: World) -> None:
    await ready(world, "ana")
    await ready(world, "bia", owner="bia")
    assert (await send(world, message_id="m1")).created
    assert (await send(world, message_id="m1", session="bia", text="other")).created


async def test_the_refusal_says_what_to_do(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    await ask(world, "session.stop", name="ana")
    with pytest.raises(PombalError) as refused:
        await world.send()
    assert refused.value.kind == Kind.NOT_READY
    assert "start it" in refused.value.message
    assert refused.value.data == {"status": "disconnected", "status_reason": "stopped"}


async def test_another_owners_session_is_not_there(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    assert await outcome(world.send(caller=BIA)) == Kind.NOT_FOUND


async def test_each_send_of_a_batch_has_its_own_answer(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    await send(world, message_id="m1")
    answers: list[Any] = []
    sends = world.service.sends(ADMIN)
    for text, message_id in (("oi", "m1"), ("tchau", "m1"), ("oi", "m2")):
        sends.add(SendParams(session="ana", to="5511987654321", text=text, message_id=message_id), answers.append)
    with pytest.raises(PombalError, match="no phone number"):
        sends.add(SendParams(session="ana", to="ana", text="oi"), answers.append)
    await sends.place()
    await world.until_true(lambda: len(answers) == 3)
    again, conflict, new = answers
    assert (again.created, conflict.kind, new.created) == (False, Kind.CONFLICT, True)


async def test_a_batch_that_finds_the_store_down_is_refused_send_by_send(
    autojump_clock: MockClock, world: World
) -> None:
    await ready(world)
    world.store.down = "the disk is full"
    assert await send(world) == Kind.UNAVAILABLE
    answers: list[Any] = []
    sends = world.service.sends(ADMIN)
    for message_id in ("m1", "m2"):
        sends.add(SendParams(session="ana", to="5511987654321", text="oi", message_id=message_id), answers.append)
    await sends.place()
    await trio.sleep(3)  # until the recorder has tried once more
    assert [answer.kind for answer in answers] == [Kind.UNAVAILABLE] * 2


async def test_while_the_store_is_down_sends_are_refused_at_once(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    world.store.down = "the disk is full"
    assert await send(world, message_id="m1") == Kind.UNAVAILABLE
    assert await send(world, message_id="m1") == Kind.UNAVAILABLE
    world.store.down = None
    await trio.sleep(3)
    assert (await send(world, message_id="m1")).created
