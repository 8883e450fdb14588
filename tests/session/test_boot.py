"""What becomes of stored sessions when the daemon starts: the table of docs and contract, row by row."""

from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pombal.link.base import Ended, EndKind, LinkLost, Qr, Ready, Restricted
from pombal.model.changes import SetSessionState
from pombal.model.errors import Kind
from pombal.model.params import SessionDeleteParams, SessionNameParams
from pombal.model.session import LinkKind
from pombal.model.session_state import Reason, SessionState, SessionStatus
from pombal.service.base import SendAnswer
from pombal.session import registry
from tests.fakes.link import NUMBER, FakeLink, FakeNetwork, paired
from tests.fakes.rooms import WALL_MS, World, outcome, running

S = SessionStatus
LATER_MS = WALL_MS + 1_000_000


async def stored(world: World, status: SessionStatus, reason: Reason | None, identity: str | None, **kept: Any) -> None:
    """A session that an earlier life left like this."""
    await world.create(start=False)
    state = SessionState(status, reason, kept.get("until_ms"), identity)
    fields = {"is_active": kept.get("is_active", True)}
    await world.recorder.commit(SetSessionState(at=world.clock(), session_key=1, state=state, fields=fields))


# (status, reason, paired before, what a send gets, whether the daemon's start opens a link)
TABLE: list[tuple[SessionStatus, Reason | None, bool, bool, bool]] = [
    (S.READY, None, True, True, True),
    (S.CONNECTING, None, True, True, True),
    (S.AUTHENTICATED, None, True, True, True),
    (S.DISCONNECTED, Reason.NETWORK, True, True, True),
    (S.DISCONNECTED, Reason.LINK_LOST, True, True, True),
    (S.QRCODE, None, True, True, True),
    (S.QRCODE, None, False, False, True),
    (S.DISCONNECTED, Reason.PAIRING_TIMEOUT, True, False, False),
    (S.ERROR, Reason.LOGGED_OUT, True, False, False),
    (S.ERROR, Reason.REPLACED, True, False, False),
    (S.ERROR, Reason.BANNED, True, False, False),
    (S.ERROR, Reason.BAD_CREDENTIALS, True, False, False),
    (S.ERROR, Reason.PASSKEY_REQUIRED, True, False, False),
    (S.ERROR, Reason.CLIENT_OUTDATED, True, False, False),
    (S.ERROR, Reason.RESTRICTED, True, True, True),
    (S.ERROR, Reason.CRASH_LOOP, True, True, True),
]


@pytest.mark.parametrize(("status", "reason", "was_paired", "accepts", "starts"), TABLE)
async def test_what_starts_with_the_daemon(
    autojump_clock: MockClock,
    tmp_path: Path,
    status: SessionStatus,
    reason: Reason | None,
    was_paired: bool,
    accepts: bool,
    starts: bool,
) -> None:
    network = FakeNetwork()
    until_ms = LATER_MS if reason == Reason.RESTRICTED else None
    async with running(tmp_path, network=network) as world:
        await stored(world, status, reason, NUMBER if was_paired else None, until_ms=until_ms)
    assert network.accounts == {}
    async with running(tmp_path, network=network) as world:
        await wait_all_tasks_blocked()
        assert bool(world.account().links) is starts
        if starts:
            assert world.link().context.identity == (NUMBER if was_paired else None)
        if reason == Reason.RESTRICTED:
            assert world.row().state == SessionState(status, reason, until_ms, NUMBER)
        elif starts:
            await world.until("ana", "ready")
        else:
            assert (world.row().status, world.row().status_reason) == (status, reason)
            assert world.states() == []
            await trio.sleep(1000)
            assert world.account().links == []
            await world.call("session.start", SessionNameParams(name="ana"))
            await world.until("ana", "ready")


@pytest.mark.parametrize(("status", "reason", "was_paired", "accepts", "starts"), TABLE)
async def test_what_a_send_gets(
    autojump_clock: MockClock,
    world: World,
    status: SessionStatus,
    reason: Reason | None,
    was_paired: bool,
    accepts: bool,
    starts: bool,
) -> None:
    await stored(world, status, reason, NUMBER if was_paired else None, until_ms=LATER_MS)
    world.seat().move_to(world.row().state)
    answer = await outcome(world.send(message_id="m1"))
    assert isinstance(answer, SendAnswer) if accepts else answer == Kind.NOT_READY


async def test_a_stopped_one_stays_and_keeps_its_queue(autojump_clock: MockClock, tmp_path: Path) -> None:
    network = FakeNetwork()
    network.answers = False
    async with running(tmp_path, network=network) as world:
        await world.ready()
        await world.send(message_id="m1")
        await world.call("session.stop", SessionNameParams(name="ana"))
    async with running(tmp_path, network=network) as world:
        await trio.sleep(1000)
        assert world.row().status_reason == "stopped"
        assert len(world.account().links) == 1
        assert world.seat().outbox.depth == 1
        network.answers = True
        await world.call("session.start", SessionNameParams(name="ana"))
        await world.until_status("m1", "sent")


async def test_they_start_a_slice_at_a_time_and_all_of_them(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "EMPLOY_SLICE", 2)
    names = [f"s{number}" for number in range(5)]
    async with running(tmp_path) as world:
        for name in names:
            await world.ready(name)
    async with running(tmp_path) as world:
        for name in names:
            await world.until(name, "ready")
    async with running(tmp_path) as world:
        await world.call("session.stop", SessionNameParams(name="s4"))  # its turn has not come yet
        assert world.seat("s4").state.reason == Reason.STOPPED


async def test_what_was_ready_is_said_not_to_be_until_it_is(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await world.ready()
    network = FakeNetwork()

    async def down(_: FakeLink) -> None:
        raise LinkLost("no route to host")

    network.on_open = down
    async with running(tmp_path, network=network) as world:
        await world.until("ana", "disconnected", "network")
        assert world.states() == [("connecting", None), ("disconnected", "network")]


async def test_one_series_of_codes_and_then_it_waits(autojump_clock: MockClock, tmp_path: Path) -> None:
    async def time_out(link: FakeLink) -> None:
        link.tell(Qr("qr", LATER_MS), Ended(EndKind.PAIRING_TIMEOUT))

    network = FakeNetwork()
    network.on_open = time_out
    async with running(tmp_path, network=network) as world:
        await stored(world, S.QRCODE, None, None)
    async with running(tmp_path, network=network) as world:
        await world.until("ana", "disconnected", "pairing_timeout")
        await trio.sleep(1000)
        assert len(world.account().links) == 1
    async with running(tmp_path, network=network) as world:
        await trio.sleep(1000)
        assert len(world.account().links) == 1


async def test_a_restriction_holds_over_a_restart(autojump_clock: MockClock, tmp_path: Path) -> None:
    network = FakeNetwork()
    async with running(tmp_path, network=network) as world:
        await world.ready()
        world.link().tell(Restricted(world.clock().wall_ms + 100_000))
        await world.until("ana", "error", "restricted")
        await world.send(message_id="m1")
    async with running(tmp_path, network=network) as world:
        await trio.sleep(50)
        assert world.row().status == "error"
        assert world.link().sent == []
        await world.until_status("m1", "sent")
        assert 100 <= trio.current_time() <= 102
        assert world.row().status == "ready"


async def test_a_restriction_that_ran_out_meanwhile_is_over(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await stored(world, S.ERROR, Reason.RESTRICTED, NUMBER, until_ms=WALL_MS + 10_000)
    await trio.sleep(20)
    async with running(tmp_path) as world:
        await world.until("ana", "ready")
        assert world.states() == [("connecting", None), ("authenticated", None), ("ready", None)]


async def test_at_most_so_many_connect_at_once(autojump_clock: MockClock, tmp_path: Path) -> None:
    network = FakeNetwork()

    async def slowly(link: FakeLink) -> None:
        await trio.sleep(1)
        link.tell(paired(), Ready())

    network.on_open = slowly
    sections = {"sessions": {"start_concurrency": 5}}
    async with running(tmp_path, network=network, sections=sections) as world:
        for number in range(20):
            await world.create(f"s{number}")
    network.most_opening = 0
    started_at = trio.current_time()
    async with running(tmp_path, network=network, sections=sections) as world:
        await world.until_true(lambda: world.registry.census.counts().get((S.READY, LinkKind.SIMULATOR)) == 20)
        assert network.most_opening == 5
        assert trio.current_time() - started_at == 4


async def test_a_creation_that_was_cut_short_is_made_up_for(autojump_clock: MockClock, tmp_path: Path) -> None:
    """Stored as active, but killed before the start was recorded."""
    async with running(tmp_path) as world:
        await stored(world, S.DISCONNECTED, Reason.STOPPED, None)
    async with running(tmp_path) as world:
        await world.until("ana", "ready")


async def test_deleted_sessions_do_not_come_back(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        await world.ready()
        await world.call("session.delete", SessionDeleteParams(name="ana"))
    async with running(tmp_path) as world:
        assert len(world.registry) == 0
