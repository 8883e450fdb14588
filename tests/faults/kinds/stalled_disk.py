"""A disk that answers nothing for a while, and a thousand messages a second that people go on writing meanwhile."""

from functools import partial

import psutil  # type: ignore[import-untyped]
import trio

from pombal.config.settings import RecorderSettings
from tests.daemon.books import rows
from tests.faults.changes import asked
from tests.faults.kinds.crowd import READY_S, all_ready
from tests.faults.kinds.kind import Kind
from tests.faults.world import World

RATE = 1000
TOLD_AFTER_S = RecorderSettings().stall_s
BATCH = 50
SESSIONS = tuple(f"busy-{number}" for number in range(8))
GROWTH_MAX_BYTES = 256 * 1_048_576
GONE_WITHIN_S = 60.0


async def inflict(world: World) -> None:
    life = await world.keeper.ready()
    process = psutil.Process(life.running.pid)
    await _busy_sessions(world)
    before, known = process.memory_info().rss, _inbound(world)
    with world.prober.excusing("store"):
        async with trio.open_nursery() as nursery:
            with world.library.standstill():
                nursery.start_soon(_write, world)
                await trio.sleep(world.extent.stall_s)
                world.check(world.library.stalled > 0, "the disk stood still")
                if world.extent.stall_s > 2 * TOLD_AFTER_S:
                    world.check("has not answered" in await world.prober.until_failing("store"), "health says why")
            nursery.cancel_scope.cancel()
        written, peak = _inbound(world) - known, process.memory_info().rss - before
        ended_s = trio.current_time()
        await _backlog_gone(world)
        took_s = trio.current_time() - ended_s
        await world.prober.until_well()
    stall_s = world.extent.stall_s
    world.note(f"{written} written in {stall_s:g} s: {peak / 1e6:.0f} MB more, backlog gone in {took_s:.1f} s")
    world.check(peak < GROWTH_MAX_BYTES, f"memory is bounded: {peak / 1e6:.0f} MB more")
    world.check(life.code is None, "it went on")


async def _busy_sessions(world: World) -> None:
    async with world.client() as client:
        known = {session.name for session in (await client.session_list(limit=500)).results}
        for name in SESSIONS:
            if name not in known:
                await client.session_create(name)
        with trio.fail_after(READY_S):
            await asked(partial(all_ready, client))


async def _write(world: World) -> None:
    """At the rate, whether or not anything is taken from the network."""
    began_s, count = trio.current_time(), 0
    async with world.client() as client:
        while True:
            text = f"w{began_s:.3f}-{count}"
            await client.simulator_inject(SESSIONS[count % len(SESSIONS)], "5521977777777", text=text, count=BATCH)
            count += 1
            await trio.sleep_until(began_s + count * BATCH / RATE)


def _inbound(world: World, where: str = "") -> int:
    """How many messages people have written, as the network has it."""
    return int(rows(world.home.simulator_db, f"SELECT count(*) AS count FROM inbound {where}")[0]["count"])


async def _backlog_gone(world: World) -> None:
    """What had waited on the network's side is recorded, but for what other traffic brings meanwhile."""

    async def gone() -> bool:
        return _inbound(world, "WHERE acknowledged = 0") < BATCH

    with trio.fail_after(GONE_WITHIN_S):
        await asked(gone)


KIND = Kind("stalled_disk", inflict, frozenset({"library"}))
