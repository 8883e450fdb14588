"""Retention at work, and files that nobody needs: on the real rooms, with threads, so no clock is jumped here."""

import base64
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from pombal.app.retention import MESSAGES_SLICE, Retention
from pombal.model.params import SessionDeleteParams
from pombal.model.removal_changes import RemovedMessages
from pombal.store.offline import check_database
from tests.fakes.link import incoming
from tests.fakes.rooms import World, running
from tests.service.world import ask

DAY_MS = 86_400_000
KEPT = {"retention": {"messages_days": 30.0, "events_days": 7.0}}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path, sections=KEPT) as built:
        yield built


async def until(is_so: Callable[[], bool]) -> None:
    with trio.fail_after(120):
        while not is_so():  # noqa: ASYNC110  # threads are at work, and tell nobody here
            await trio.sleep(0.005)


async def one_round(world: World) -> None:
    world.removals.last_round_at_ms = None
    retention = Retention(world.recorder, world.registry, world.live, world.clock, world.collector, world.removals)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(retention.run)
        await until(lambda: world.removals.last_round_at_ms is not None)
        nursery.cancel_scope.cancel()


async def put(world: World, data: bytes) -> str:
    sha256 = hashlib.sha256(data).hexdigest()
    await ask(world, "media.put", data=base64.b64encode(data).decode(), sha256=sha256)
    return sha256


async def send_picture(world: World, sha256: str, session: str = "ana", **fields: Any) -> Any:
    media = {"sha256": sha256, "mime_type": "image/png"}
    return await world.send(None, session=session, type="image", media=media, **fields)


def here(world: World) -> set[str]:
    paths = (world.path / "media").glob("[0-9a-f][0-9a-f]/*")
    return {path.parent.name + path.name for path in paths}


async def test_a_round_takes_what_is_old_and_nothing_else(world: World) -> None:
    link = await world.ready()
    old, new = await put(world, b"old"), await put(world, b"new")
    await send_picture(world, old, message_id="old")
    await world.until_status("old", "sent")
    link.tell(*(incoming(f"in{number}") for number in range(250)))
    await until(lambda: world.row().total_messages_received == 250)
    world.clock.turned_ms += 31 * DAY_MS
    await send_picture(world, new, message_id="new")
    await world.until_status("new", "sent")
    world.reports.clear()
    await one_round(world)
    counts = world.removals.counts
    assert (counts["messages"], counts["media_files"], counts["media_bytes"]) == (251, 1, 3)
    assert here(world) == {new}
    slices = [[a.count for a in report.answers if isinstance(a, RemovedMessages)] for report in world.reports]
    assert [counted for counted in slices if counted] == [[MESSAGES_SLICE], [MESSAGES_SLICE], [51]]
    assert world.row().total_messages_received == 250
    assert check_database(world.path / "pombal.db", progress=lambda step: None) == []
    internals = await ask(world, "daemon.internals")
    assert internals["retention"]["last_round_at"] is not None
    assert internals["retention"]["removed"]["messages"] == 251


async def test_without_an_age_messages_are_kept(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await world.ready()
        sha256 = await put(world, b"kept")
        await send_picture(world, sha256, message_id="kept")
        await world.until_status("kept", "sent")
        world.clock.turned_ms += 1000 * DAY_MS
        await one_round(world)
        assert (world.removals.counts["messages"], here(world)) == (0, {sha256})


async def test_the_files_of_old_messages_may_go_before_them(tmp_path: Path) -> None:
    async with running(tmp_path, sections={"retention": {"media_days": 10.0}}) as world:
        await world.ready()
        await send_picture(world, await put(world, b"old"), message_id="old")
        await world.until_status("old", "sent")
        world.clock.turned_ms += 11 * DAY_MS
        await one_round(world)
        assert (world.removals.counts["messages"], here(world)) == (0, set())
        assert (await ask(world, "message.get", session="ana", message_id="old"))["media"] is not None


async def test_purging_takes_the_files_that_nobody_else_uses(world: World) -> None:
    await world.ready("ana")
    await world.ready("bia")
    own, shared, unsent = await put(world, b"own"), await put(world, b"shared"), await put(world, b"unsent")
    await send_picture(world, own)
    await send_picture(world, shared)
    await send_picture(world, shared, "bia")
    deleted = await world.call("session.delete", SessionDeleteParams(name="ana", purge=True))
    assert deleted.messages_deleted == 2
    assert here(world) == {shared, unsent}
    await world.call("session.delete", SessionDeleteParams(name="bia", purge=True))
    assert here(world) == {unsent}


class TestUploadsMeanwhile:
    """The same bytes come again while their file, which nobody spoke of, is being removed."""

    async def _old_file(self, world: World) -> str:
        await world.ready()
        sha256 = await put(world, b"the same")
        world.clock.turned_ms += 2 * DAY_MS
        return sha256

    async def test_an_upload_that_is_first_keeps_the_file(self, world: World) -> None:
        sha256 = await self._old_file(world)
        world.store.held = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(put, world, b"the same")
            await until(lambda: world.recorder.queue_depth > 0)  # its file is there; its row is not committed yet
            later_ms = world.clock().wall_ms - DAY_MS
            await world.collector.collect(later_ms, None, trio.lowlevel.checkpoint)
            world.store.held.set()
            world.store.held = None
        assert here(world) == {sha256}
        assert (await send_picture(world, sha256)).created

    async def test_an_upload_that_is_second_brings_the_file_again(self, world: World) -> None:
        sha256 = await self._old_file(world)
        world.store.held = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.collector.forget, [sha256])
            await until(lambda: world.recorder.queue_depth > 0)
            nursery.start_soon(put, world, b"the same")
            await wait_all_tasks_blocked(0.05)
            world.store.held.set()
            world.store.held = None
        assert here(world) == {sha256}
        assert world.removals.counts["media_files"] == 1
        assert (await send_picture(world, sha256)).created


async def test_files_without_a_row_go_unless_they_are_new(world: World) -> None:
    """Whoever dies between the two leaves such a file."""
    known = await put(world, b"known")
    drawer = world.path / "media" / known[:2]
    strays = [known[:2] + f"{number:062x}" for number in range(2)]
    for stray in strays:
        (drawer / stray[2:]).write_bytes(b"?")
    (drawer / "notes.txt").write_text("not ours")
    now_s = world.clock().wall_ms / 1000
    for name, age_s in ((known, 200_000), (strays[0], 200_000), (strays[1], 60)):
        os.utime(drawer / name[2:], (now_s - age_s, now_s - age_s))
    for _ in range(256):
        await world.collector.strays(world.clock().wall_ms - DAY_MS)
    assert here(world) == {known, strays[1], known[:2] + "notes.txt"}


async def test_while_the_store_is_down_it_waits(world: World) -> None:
    await world.ready()
    world.store.down = "the disk is full"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one_round, world)
        await until(lambda: world.recorder.unavailable is not None)
        assert world.removals.last_round_at_ms is None
        world.store.down = None
    assert world.removals.last_round_at_ms is not None
