"""Files on their way: each holds back its own chat alone, and nothing is lost, doubled or overtaken."""

import tempfile
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from trio.testing import MockClock, wait_all_tasks_blocked

from pombal.link.base import LinkLost, Outgoing, Ready, SendRefused, Sent
from pombal.model.changes import PutMedia
from pombal.model.errors import Kind
from pombal.model.params import MessageRefParams
from tests.fakes.link import FakeLink, FakeNetwork
from tests.fakes.rooms import World, outcome, running

SHA = "ab" * 32
SIZE_BYTES = 1_000_000
CHATS = ("5511900000001", "5511900000002", "120363025@g.us")


def cancelling(message_id: str) -> MessageRefParams:
    return MessageRefParams(session="ana", message_id=message_id)


@dataclass
class Wire:
    """Sees every message go; one with a file stays on its way until ``let_through``."""

    begun: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    done: list[str] = field(default_factory=list)
    uploading: dict[str, trio.Event] = field(default_factory=dict)
    most_at_once: int = 0
    is_open: bool = False
    faults: list[str] = field(default_factory=list)

    async def on_send(self, link: FakeLink, message: Outgoing) -> None:
        name = message.text or ""
        chats = {self.chats[other] for other in self.uploading}
        if message.chat_id in chats:
            self.faults.append(f"{name} overtakes what is on its way in its chat")
        self.begun[link.number].append(name)
        if message.content and "media" in message.content and not self.is_open:
            await self._upload(name)
        self.done.append(name)

    async def _upload(self, name: str) -> None:
        gate = self.uploading[name] = trio.Event()
        self.most_at_once = max(self.most_at_once, len(self.uploading))
        try:
            await gate.wait()
        finally:
            del self.uploading[name]

    def let_through(self, name: str) -> None:
        self.uploading[name].set()

    def open(self) -> None:
        self.is_open = True
        for gate in self.uploading.values():
            gate.set()

    chats: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def world(tmp_path: Path, autojump_clock: MockClock, wire: Wire) -> AsyncIterator[World]:
    network = FakeNetwork()
    network.on_send = wire.on_send
    async with running(tmp_path, network=network, sections={"outbox": {"uploads": 2}}) as built:
        await put_media(built)
        yield built


async def put_media(world: World) -> None:
    await world.recorder.commit(PutMedia(at=world.clock(), sha256=SHA, size_bytes=SIZE_BYTES))


async def send(world: World, wire: Wire, name: str, chat: int, *, is_file: bool) -> None:
    """A message whose text is its message_id."""
    fields: dict[str, Any] = {"to": CHATS[chat], "message_id": name}
    if is_file:
        fields |= {"type": "image", "media": {"sha256": SHA, "mime_type": "image/png"}}
    wire.chats[name] = f"{CHATS[chat]}@s.whatsapp.net" if "@" not in CHATS[chat] else CHATS[chat]
    await world.send(name, **fields)


async def test_a_file_holds_back_its_own_chat_alone(autojump_clock: MockClock, world: World, wire: Wire) -> None:
    link = await world.ready()
    await send(world, wire, "file", 0, is_file=True)
    await wait_all_tasks_blocked()
    for number, chat in enumerate((0, 1, 2)):
        await send(world, wire, f"t{number}", chat, is_file=False)
    await world.until_status("t2", "sent")
    assert wire.begun[link.number] == ["file", "t1", "t2"]
    assert world.message("t0").status == "queued"
    wire.let_through("file")
    await world.until_status("t0", "sent")
    assert wire.begun[link.number] == ["file", "t1", "t2", "t0"]
    assert wire.faults == []


async def test_what_waits_behind_a_file_goes_once_the_link_has_it_whether_or_not_anything_else_happens(
    autojump_clock: MockClock, world: World, wire: Wire
) -> None:
    """Nothing is acknowledged here, so nothing but the end of the upload can wake the dispatcher."""
    world.network.answers = False
    link = await world.ready()
    for number, (chat, is_file) in enumerate([(0, True), (1, True), (2, True), (0, False), (2, False)]):
        await send(world, wire, f"m{number}", chat, is_file=is_file)
    await wait_all_tasks_blocked()
    assert sorted(wire.uploading) == ["m0", "m1"]
    wire.let_through("m0")
    await wait_all_tasks_blocked()
    assert (sorted(wire.uploading), sorted(wire.begun[link.number][2:])) == (["m1", "m2"], ["m2", "m3"])
    wire.open()
    await wait_all_tasks_blocked()
    assert wire.begun[link.number][-1] == "m4"
    assert wire.faults == []


async def test_so_many_at_once_and_the_next_when_one_is_done(
    autojump_clock: MockClock, world: World, wire: Wire
) -> None:
    await world.ready()
    for chat in range(3):
        await send(world, wire, f"f{chat}", chat, is_file=True)
    await wait_all_tasks_blocked()
    assert sorted(wire.uploading) == ["f0", "f1"]
    wire.let_through("f1")
    await world.until_status("f1", "sent")
    await wait_all_tasks_blocked()
    assert sorted(wire.uploading) == ["f0", "f2"]


async def test_an_upload_is_dispatched_when_it_begins_and_overdue_only_after_its_end(
    autojump_clock: MockClock, world: World, wire: Wire
) -> None:
    world.network.answers = False
    link = await world.ready()
    await send(world, wire, "f", 0, is_file=True)
    await trio.sleep(40)  # longer than an acknowledgement may take, and short for such a file
    assert world.events("message.overdue") == []
    assert await outcome(world.call("message.cancel", cancelling("f"))) == Kind.CONFLICT
    wire.let_through("f")
    await trio.sleep(49)  # the link has it, and may still be uploading it: 30 s and 1 MB at 50 kB/s
    assert world.events("message.overdue") == []
    await trio.sleep(5)
    assert len(world.events("message.overdue")) == 1
    link.tell(Sent(link.sent[0].link_id))
    await world.until_status("f", "sent")
    row = world.message("f")
    assert row.dispatched_at == row.queued_at


@pytest.mark.parametrize("deduplicates", [True, False])
async def test_one_that_takes_too_long_for_its_size_is_given_up_and_the_link_is_not(
    autojump_clock: MockClock, world: World, wire: Wire, deduplicates: bool
) -> None:
    world.network.deduplicates = deduplicates
    await world.ready()
    await send(world, wire, "f", 0, is_file=True)
    await send(world, wire, "t", 0, is_file=False)
    await trio.sleep(49)  # 30 s and 1 MB at 50 kB/s
    assert world.message("f").status == "queued"
    await world.until_status("t", "sent")
    row = world.message("f")
    assert (row.status, row.error_kind) == ("failed" if deduplicates else "uncertain", "upload_timeout")
    assert len(world.account().links) == 1


async def test_a_file_that_is_refused_fails_and_its_chat_goes_on(
    autojump_clock: MockClock, world: World, wire: Wire
) -> None:
    link = await world.ready()
    link.failing["send"] = SendRefused("too_large", "WhatsApp takes no such video")
    await send(world, wire, "f", 0, is_file=True)
    await world.until_status("f", "failed")
    del link.failing["send"]
    await send(world, wire, "t", 0, is_file=False)
    await world.until_status("t", "sent")
    assert world.message("f").error_kind == "too_large"


async def test_a_link_lost_in_the_midst_of_uploads_sends_them_again_in_order(
    autojump_clock: MockClock, world: World, wire: Wire
) -> None:
    link = await world.ready()
    for number, (chat, is_file) in enumerate([(0, True), (1, True), (0, False), (1, False)]):
        await send(world, wire, f"m{number}", chat, is_file=is_file)
    await wait_all_tasks_blocked()
    link.lose()
    await world.until("ana", "disconnected", "network")
    wire.is_open = True
    await world.until_status("m3", "sent")
    await world.until_status("m2", "sent")
    begun = wire.begun[world.link().number]
    assert sorted(begun) == ["m0", "m1", "m2", "m3"]
    assert begun.index("m0") < begun.index("m2")
    assert begun.index("m1") < begun.index("m3")
    assert set(world.account().received.values()) == {1}


async def test_a_link_that_is_ready_once_more_does_not_begin_an_upload_again(
    autojump_clock: MockClock, world: World, wire: Wire
) -> None:
    link = await world.ready()
    await send(world, wire, "f", 0, is_file=True)
    await wait_all_tasks_blocked()
    link.tell(Ready())
    await send(world, wire, "t", 1, is_file=False)
    await world.until_status("t", "sent")
    wire.let_through("f")
    await world.until_status("f", "sent")
    assert wire.begun[link.number] == ["f", "t"]


async def test_thousands_in_a_chat_that_is_held_back_do_not_keep_another_waiting(
    autojump_clock: MockClock, world: World, wire: Wire
) -> None:
    await world.ready()
    await send(world, wire, "f", 0, is_file=True)
    for number in range(700):
        await send(world, wire, f"t{number}", 0, is_file=False)
    await send(world, wire, "other", 1, is_file=False)
    await world.until_status("other", "sent")
    assert world.message("t0").status == "queued"
    wire.open()
    await world.until_status("t699", "sent")
    assert [name for name in wire.done if name.startswith("t")] == [f"t{number}" for number in range(700)]


async def test_the_drain_ends_an_upload_and_it_goes_out_in_the_next_life(
    autojump_clock: MockClock, tmp_path: Path, wire: Wire
) -> None:
    network = FakeNetwork()
    network.on_send = wire.on_send
    async with running(tmp_path, network=network) as world:
        await put_media(world)
        await world.ready()
        await send(world, wire, "f", 0, is_file=True)
        await wait_all_tasks_blocked()
        await world.drain()
    wire.is_open = True
    async with running(tmp_path, network=network) as world:
        await world.until_status("f", "sent")
        assert set(world.account().received.values()) == {1}


# Whatever happens in whatever order

chats = st.integers(0, len(CHATS) - 1)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("text"), chats),
        st.tuples(st.just("file"), chats),
        st.tuples(st.just("file"), chats),
        st.tuples(st.just("let_through"), st.integers(0, 5)),
        st.tuples(st.just("cancel"), st.integers(0, 20)),
        st.tuples(st.just("lose"), st.just(0)),
        st.tuples(st.just("ready_again"), st.just(0)),
        st.tuples(st.just("settle"), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps, st.booleans(), st.booleans())
def test_nothing_is_lost_doubled_or_overtaken(planned: list[Any], deduplicates: bool, resolves: bool) -> None:
    async def life() -> None:
        with tempfile.TemporaryDirectory() as directory, capture_logs():
            network, wire = FakeNetwork(), Wire()
            network.deduplicates, network.resolves, network.on_send = deduplicates, resolves, wire.on_send
            sections: dict[str, dict[str, Any]] = {
                "outbox": {"uploads": 2, "window": 4},
                "link": {"reconnect_max_s": 1.0},
            }
            async with running(Path(directory), network=network, sections=sections) as world:
                await put_media(world)
                await world.ready()
                await Life(world, wire, planned).run()

    trio.run(life, clock=MockClock(autojump_threshold=0))


class Life:
    """One example: what is done, and what must hold afterwards."""

    def __init__(self, world: World, wire: Wire, planned: list[Any]) -> None:
        self.world, self.wire, self.planned = world, wire, planned
        self.sent: list[str] = []
        self.cancelled: set[str] = set()

    async def run(self) -> None:
        for kind, number in self.planned:
            await getattr(self, f"do_{kind}")(number)
        self.wire.open()
        await self.world.until_true(lambda: all(self.world.message(name).status != "queued" for name in self.sent))
        self.judge()

    async def do_text(self, chat: int) -> None:
        await self.send(chat, is_file=False)

    async def do_file(self, chat: int) -> None:
        await self.send(chat, is_file=True)

    async def send(self, chat: int, *, is_file: bool) -> None:
        self.sent.append(f"m{len(self.sent)}")
        await send(self.world, self.wire, self.sent[-1], chat, is_file=is_file)

    async def do_let_through(self, number: int) -> None:
        if self.wire.uploading:
            names = sorted(self.wire.uploading)
            self.wire.let_through(names[number % len(names)])

    async def do_cancel(self, number: int) -> None:
        if self.sent:
            name = self.sent[number % len(self.sent)]
            answer = await outcome(self.world.call("message.cancel", cancelling(name)))
            if answer != Kind.CONFLICT:
                self.cancelled.add(name)

    async def do_lose(self, _: int) -> None:
        if self.world.seat().connection is not None:
            self.world.link().lose()

    async def do_ready_again(self, _: int) -> None:
        if self.world.seat().state.status == "ready":
            self.world.link().tell(Ready())

    async def do_settle(self, _: int) -> None:
        await wait_all_tasks_blocked()

    def judge(self) -> None:
        assert self.wire.faults == []
        assert self.wire.most_at_once <= 2
        statuses = {name: self.world.message(name).status for name in self.sent}
        given_up = {name for name, status in statuses.items() if status == "uncertain"}
        assert not given_up or not self.world.network.deduplicates
        assert all(statuses[name] == "failed" for name in self.cancelled)
        assert all(statuses[name] == "sent" for name in self.sent if name not in self.cancelled | given_up)
        for begun in self.wire.begun.values():
            assert not self.cancelled & set(begun)
            for chat in set(self.wire.chats.values()):
                order = [int(name[1:]) for name in begun if self.wire.chats[name] == chat]
                assert order == sorted(order)
        arrived = Counter(self.world.account().received.values())
        assert set(arrived) <= {1}
        assert arrived[1] >= len(self.sent) - len(self.cancelled) - len(given_up)


async def test_a_link_that_is_lost_while_it_takes_a_file(autojump_clock: MockClock, world: World, wire: Wire) -> None:
    link = await world.ready()
    link.failing["send"] = LinkLost("reset")
    wire.is_open = True
    await send(world, wire, "f", 0, is_file=True)
    await world.until_status("f", "sent")
    assert world.link() is not link
    assert world.row().restart_count == 0
