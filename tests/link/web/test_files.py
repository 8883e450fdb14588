"""Files both ways: in pieces, beside the messages, and each whole or not at all."""

import os
import tracemalloc
from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from pombal.link.base import Edited, LinkLost, Outgoing, SendRefused
from pombal.link.web.questions import GatewayDeclined
from pombal.link.web.transfers import put_file
from pombal.link.wire import CHUNK_MAX_BYTES, WINDOW_CHUNKS, commands
from pombal.model.errors import Kind, PombalError
from pombal.model.message import MessageType
from tests.fakes.gateway import FakeSession, Refuse
from tests.link.web.world import SETTINGS, events_until, world

SMALL = b"a file"
LARGE = os.urandom(3_000_001)


def picture(sha256: str) -> Outgoing:
    content = {"media": {"sha256": sha256, "mime_type": "image/jpeg", "size_bytes": 6}}
    return Outgoing("L1", "c@s.whatsapp.net", None, MessageType.IMAGE, "look", content)


@pytest.mark.parametrize("data", [b"", SMALL, LARGE, bytes(CHUNK_MAX_BYTES), bytes(CHUNK_MAX_BYTES * WINDOW_CHUNKS)])
async def test_a_file_goes_before_its_message(data: bytes) -> None:
    async with world() as w, w.link() as link:
        sha256 = w.shelf.add(data)
        await link.send(picture(sha256))
        assert w.session.stored[sha256] == data
        assert [type(command) for command in w.session.asked] == [commands.HasMedia, commands.PutMedia, Outgoing]


async def test_one_that_the_gateway_has_is_not_sent_again() -> None:
    async with world() as w, w.link() as link:
        sha256 = w.shelf.add(LARGE)
        await link.send(picture(sha256))
        await link.send(picture(sha256))
        assert [type(command) for command in w.session.asked][3:] == [commands.HasMedia, Outgoing]


async def test_one_that_the_gateway_lost_meanwhile_is_put_again_once() -> None:
    refusals = ["media_missing"]

    async def answer(session: FakeSession, command: commands.Command) -> commands.Result | None:
        await trio.lowlevel.checkpoint()
        if isinstance(command, commands.HasMedia):
            return commands.Has(True)
        if isinstance(command, Outgoing) and refusals:
            raise Refuse(refusals.pop())
        return None

    async with world() as w, w.link() as link:
        w.gateway.answer = answer
        sha256 = w.shelf.add(SMALL)
        await link.send(picture(sha256))
        assert w.session.stored[sha256] == SMALL
        refusals[:] = ["media_missing"] * 2
        with pytest.raises(SendRefused) as refused:
            await link.send(picture(sha256))
        assert refused.value.kind == "media_missing"


async def test_one_that_we_do_not_have() -> None:
    async with world() as w, w.link() as link:
        with pytest.raises(SendRefused) as refused:
            await link.send(picture("0" * 64))
        assert refused.value.kind == "media_missing"
        assert w.session.sent == []


async def test_a_gateway_that_refuses_a_file_half_way() -> None:
    async def answer(session: FakeSession, command: commands.Command) -> None:
        await trio.lowlevel.checkpoint()
        if isinstance(command, commands.PutMedia):
            raise Refuse("too_large", "WhatsApp takes no such thing")

    async with world() as w, w.link() as link:
        w.gateway.answer = answer
        sha256 = w.shelf.add(LARGE)
        with pytest.raises(SendRefused, match="WhatsApp takes no such thing"):
            await link.send(picture(sha256))
        w.gateway.answer = None
        await link.send(picture(sha256))
        assert w.session.stored[sha256] == LARGE


async def test_a_transfer_without_progress_is_a_link_lost(autojump_clock: MockClock) -> None:
    async def answer(session: FakeSession, command: commands.Command) -> None:
        if isinstance(command, commands.PutMedia):
            await trio.sleep_forever()  # and confirms nothing

    async with world() as w:
        w.settings = SETTINGS.model_copy(update={"transfer_timeout_s": 7.0})
        w.gateway.answer, w.gateway.confirms = answer, False
        async with w.link() as link:
            sha256 = w.shelf.add(bytes(2 * CHUNK_MAX_BYTES * WINDOW_CHUNKS))
            with pytest.raises(LinkLost, match="no progress for 7 s"):
                await link.send(picture(sha256))


@pytest.mark.parametrize("kind", [Kind.NOT_FOUND, Kind.UNAVAILABLE])
async def test_a_disk_that_fails_half_way(kind: Kind) -> None:
    async with world() as w, w.link() as link:
        sha256 = w.shelf.add(LARGE)
        w.shelf.read_failures = [None, None, PombalError(kind, "bad sector")]
        with pytest.raises(SendRefused if kind == Kind.NOT_FOUND else LinkLost, match="bad sector"):
            await link.send(picture(sha256))
        assert w.session.stored == {}
        await link.send(picture(sha256))
        assert w.session.stored[sha256] == LARGE


async def test_a_file_that_became_shorter() -> None:
    async with world() as w, w.link() as link:
        sha256 = w.shelf.add(LARGE)
        w.shelf.sizes[sha256] = len(LARGE) + 1
        with pytest.raises(SendRefused) as refused:
            await link.send(picture(sha256))
        assert refused.value.kind == "media_missing"


async def test_a_large_file_is_never_whole_in_memory() -> None:
    """Neither way is more of it under way than the window."""
    size_bytes = 64_000_000

    async with world() as w, w.conversation() as talk:
        source = Zeros(size_bytes)
        w.gateway.answer = not_stored
        under_way: list[int] = []
        source.on_read = lambda: under_way.append(
            sum(len(chunk) for chunk in talk._outgoing if isinstance(chunk, bytes))
        )
        tracemalloc.start()
        try:
            with pytest.raises(GatewayDeclined):
                await put_file(talk, source, "0" * 64, 60)
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert max(under_way) <= CHUNK_MAX_BYTES * WINDOW_CHUNKS + 100
        assert peak_bytes < size_bytes / 4


class Zeros:
    """A file of nothing."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.on_read: Callable[[], None] = lambda: None

    async def size_of(self, sha256: str) -> int | None:
        await trio.lowlevel.checkpoint()
        return self.size_bytes

    async def read(self, sha256: str, offset: int, limit: int) -> bytes:
        await trio.lowlevel.checkpoint()
        self.on_read()
        return bytes(min(limit, self.size_bytes - offset))


async def not_stored(session: FakeSession, command: commands.Command) -> None:
    await trio.lowlevel.checkpoint()
    session.drops_chunks = True


async def taken(session: FakeSession, *sha256s: str) -> None:
    with trio.fail_after(120):
        await session.until(lambda: not any(sha256 in session.files for sha256 in sha256s))


@pytest.mark.parametrize("data", [b"", SMALL, LARGE])
async def test_a_file_that_came_is_kept_and_then_let_go(data: bytes) -> None:
    async with world() as w:
        sha256 = w.session.add_file(data)
        async with w.link():
            await taken(w.session, sha256)
        assert w.shelf.files[sha256] == data
        assert w.session.asked[-1] == commands.MediaTaken(sha256)


async def test_files_come_one_after_the_other_and_while_connected() -> None:
    async with world() as w:
        first = w.session.add_file(SMALL)
        async with w.link():
            await taken(w.session, first)
            others = [w.session.add_file(os.urandom(400_000)) for _ in range(3)]
            again = w.session.add_file(SMALL)
            await taken(w.session, *others, again)
        assert set(w.shelf.kept) == {first, *others}
        assert w.shelf.kept.count(first) == 2


async def test_messages_pass_a_file_that_the_disk_is_slow_with() -> None:
    async with world() as w:
        w.gateway.logs_in = False
        w.shelf.gate = trio.Event()
        sha256 = w.session.add_file(LARGE)
        async with w.link() as link:
            await w.session.until(lambda: w.session.asked)
            w.session.tell(*(Edited("c", str(n), "t") for n in range(100)))
            await events_until(link, 100)
            assert sha256 not in w.shelf.files
            w.shelf.gate.set()
            await taken(w.session, sha256)


async def test_a_file_too_large_for_us_is_let_go() -> None:
    async with world() as w:
        w.shelf.max_bytes = 10
        sha256, small = w.session.add_file(LARGE), w.session.add_file(SMALL)
        async with w.link():
            await taken(w.session, sha256, small)
        assert set(w.shelf.files) == {small}


async def test_a_full_disk_is_tried_again(autojump_clock: MockClock) -> None:
    async with world() as w:
        w.shelf.write_failures = [PombalError(Kind.UNAVAILABLE, "full")]
        w.shelf.failures = [PombalError(Kind.UNAVAILABLE, "the store is locked")]
        sha256 = w.session.add_file(LARGE)
        async with w.link():
            await taken(w.session, sha256)
        assert w.shelf.files[sha256] == LARGE


async def test_a_damaged_file_is_left_to_the_next_connection() -> None:
    async with world() as w:
        damaged = w.session.add_file(SMALL)
        w.session.files[damaged] = SMALL[::-1]
        whole = w.session.add_file(LARGE)
        async with w.link():
            await taken(w.session, whole)
        assert damaged not in w.shelf.files
        w.session.files[damaged] = SMALL
        async with w.link():
            await taken(w.session, damaged)


async def test_a_file_that_is_gone_disturbs_nothing() -> None:
    async def answer(session: FakeSession, command: commands.Command) -> None:
        await trio.lowlevel.checkpoint()
        if isinstance(command, commands.GetMedia) and session.files[command.sha256] == SMALL:
            raise Refuse("not_found")

    async with world() as w:
        w.gateway.answer = answer
        w.session.add_file(SMALL)
        other = w.session.add_file(LARGE)
        async with w.link():
            await taken(w.session, other)


async def test_a_connection_that_breaks_under_a_file_leaves_it_to_the_next() -> None:
    async with world() as w:
        w.shelf.gate = trio.Event()
        sha256 = w.session.add_file(LARGE)
        async with w.link():
            await w.session.until(lambda: w.session.asked)
        assert w.shelf.files == {}
        w.shelf.gate.set()
        async with w.link():
            await taken(w.session, sha256)
        assert w.shelf.files[sha256] == LARGE
