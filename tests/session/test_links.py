"""Connecting, losing and ending links: reconnect is not restart, and quiet is not dead."""

from itertools import pairwise
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pombal.link.base import Ended, EndKind, LinkLost, Qr, Ready, Restricted
from pombal.model.errors import Kind
from pombal.model.params import SessionNameParams
from tests.fakes.link import FakeLink, FakeNetwork, log_in, paired, show_qr
from tests.fakes.rooms import WALL_MS, World, outcome, running

ANA = SessionNameParams(name="ana")


async def fail_to_open(link: FakeLink) -> None:
    raise LinkLost("no route to host")


# Lost


async def test_a_lost_link_is_told_and_comes_back(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    link.lose("the connection was reset")
    await world.until("ana", "disconnected", "network")
    assert world.row().last_error == "the connection was reset"
    await world.until("ana", "ready")
    assert link.is_closed
    assert trio.current_time() <= 1
    assert world.states()[-3:] == [("disconnected", "network"), ("authenticated", None), ("ready", None)]
    assert (world.row().restart_count, world.row().error_count) == (0, 0)


async def test_a_network_that_is_down_is_told_once_and_tried_less_and_less_often(
    autojump_clock: MockClock, world: World
) -> None:
    link = await world.ready()
    tried_at: list[float] = []

    async def down(_: FakeLink) -> None:
        tried_at.append(trio.current_time())
        raise LinkLost("no route to host")

    world.network.on_open = down
    link.lose()
    await trio.sleep(3600)
    assert world.states().count(("disconnected", "network")) == 1
    pauses = [later - earlier for earlier, later in pairwise(tried_at)]
    assert len(pauses) > 15
    assert max(pauses) <= 300
    assert all(pause >= 150 for pause in pauses[9:])
    assert pauses[0] <= 2
    world.network.on_open = log_in
    await world.until("ana", "ready")
    assert world.row().restart_count == 0


@pytest.mark.parametrize(("stood_s", "is_forgiven"), [(59, False), (61, True)])
async def test_only_a_link_that_stood_long_enough_resets_the_pause(
    autojump_clock: MockClock, world: World, stood_s: float, is_forgiven: bool
) -> None:
    await world.ready()
    for _ in range(9):
        world.link().lose()
        await world.until("ana", "disconnected", "network")
        await world.until("ana", "ready")
    await trio.sleep(stood_s)
    world.link().lose()
    await world.until("ana", "disconnected", "network")
    lost_at = trio.current_time()
    await world.until("ana", "ready")
    assert (trio.current_time() - lost_at <= 1) is is_forgiven


async def test_attempts_that_time_out_do_not_count_as_links_that_stood(autojump_clock: MockClock, world: World) -> None:
    tried_at: list[float] = []

    async def hang(_: FakeLink) -> None:
        tried_at.append(trio.current_time())
        await trio.sleep_forever()

    world.network.on_open = hang
    await world.create()
    await trio.sleep(4000)
    assert tried_at[-1] - tried_at[-2] > 60 + 150


# Opening


async def test_a_link_that_never_opens_is_given_up_and_tried_again(autojump_clock: MockClock, world: World) -> None:
    async def hang(_: FakeLink) -> None:
        await trio.sleep_forever()

    world.network.on_open = hang
    await world.create()
    await world.until("ana", "disconnected", "network")
    assert trio.current_time() == 60
    assert world.row().last_error == "no connection within 60 s"
    world.network.on_open = log_in
    await world.until("ana", "ready")


async def test_a_login_that_gets_stuck_is_given_up(autojump_clock: MockClock, world: World) -> None:
    async def authenticated_only(link: FakeLink) -> None:
        link.tell(paired())

    world.network.on_open = authenticated_only
    await world.create()
    await world.until("ana", "disconnected", "network")
    assert 60 <= trio.current_time() <= 62
    assert "login" in (world.row().last_error or "")
    world.network.on_open = log_in
    await world.until("ana", "ready")


async def test_a_qr_code_may_wait_for_its_scan_as_long_as_it_likes(autojump_clock: MockClock, world: World) -> None:
    async def show(link: FakeLink) -> None:
        link.tell(Qr("qr", 4_000_000_000_000))

    world.network.on_open = show
    await world.create()
    await trio.sleep(600)
    assert world.row().status == "qrcode"
    assert len(world.account().links) == 1


async def test_so_many_connect_at_once_and_a_qr_code_gives_its_place_away(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    opened: list[FakeLink] = []

    async def slowly(link: FakeLink) -> None:
        opened.append(link)
        await trio.sleep(1)
        link.tell(Qr("qr", 4_000_000_000_000))

    network = FakeNetwork()
    network.on_open = slowly
    async with running(tmp_path, network=network, sections={"sessions": {"start_concurrency": 2}}) as world:
        for number in range(5):
            await world.create(f"s{number}")
        await world.until("s4", "qrcode")
        assert network.most_opening == 2
        assert trio.current_time() == 3


async def test_a_login_that_hangs_keeps_its_place_only_as_long_as_it_may_take(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """One stuck login must not hold the whole process."""

    async def first_hangs(link: FakeLink) -> None:
        if link.context.session_name == "ana":
            link.tell(paired())
        else:
            await log_in(link)

    network = FakeNetwork()
    network.on_open = first_hangs
    async with running(tmp_path, network=network, sections={"sessions": {"start_concurrency": 1}}) as world:
        await world.create("ana")
        await world.create("bia")
        await world.until("bia", "ready")
        assert trio.current_time() <= 62


async def test_a_link_that_this_daemon_does_not_have_is_said_to_be_missing(
    autojump_clock: MockClock, world: World
) -> None:
    await world.create(start=False)
    world.context.links.clear()  # type: ignore[attr-defined]  # the simulator was switched off
    await world.call("session.start", ANA)
    await world.until("ana", "disconnected", "network")
    assert "switched off" in (world.row().last_error or "")
    await trio.sleep(1000)
    assert world.row().restart_count == 0


# Silence


async def test_quiet_is_not_dead(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    await trio.sleep(600)
    assert 20 <= link.probes <= 31
    assert world.states()[-1] == ("ready", None)
    assert len(world.account().links) == 1


async def test_one_that_is_heard_of_is_not_asked(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    for _ in range(100):
        await trio.sleep(5)
        link.last_frame_at_ms = world.clock().wall_ms
    assert link.probes == 0


async def test_a_probe_that_goes_unanswered_ends_the_link(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    link.hung.add("probe")
    await world.until("ana", "disconnected", "link_lost")
    assert 30 <= trio.current_time() <= 33
    assert world.row().last_error == "no sign of life within 10 s"
    await world.until("ana", "ready")
    assert link.is_closed
    assert world.row().restart_count == 0


@pytest.mark.parametrize("step_s", [3600, -3600])
async def test_a_step_of_the_wall_clock_hides_no_silence_and_ends_no_link(
    autojump_clock: MockClock, world: World, step_s: int
) -> None:
    link = await world.ready()
    link.last_frame_at_ms = world.clock().wall_ms
    await trio.sleep(5)
    world.clock.turned_ms += step_s * 1000
    await trio.sleep(60)
    assert world.row().status == "ready"
    assert link.probes >= 1
    link.hung.add("probe")
    asked_at = trio.current_time()
    await world.until("ana", "disconnected", "link_lost")
    assert trio.current_time() - asked_at <= 33


async def test_a_link_whose_facts_cannot_be_had_crashes_its_own_session(
    autojump_clock: MockClock, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.ready("ana")
    bia = await world.ready("bia")
    await trio.sleep(1.5)
    link = world.link("ana")

    class Broken(FakeLink):
        @property
        def last_frame_at_ms(self) -> int | None:  # type: ignore[override]
            raise ValueError("boom")

    monkeypatch.setattr(link, "__class__", Broken)
    await world.until("ana", "disconnected", "link_lost")
    assert world.row("ana").restart_count == 0 or world.row("ana").last_error is not None
    await world.until("ana", "ready")
    assert world.row("ana").restart_count == 1
    assert not bia.is_closed


# Ends


@pytest.mark.parametrize("kind", list(EndKind))
async def test_an_end_waits_for_a_person(autojump_clock: MockClock, world: World, kind: EndKind) -> None:
    link = await world.ready()
    until_ms = WALL_MS + 86_400_000 if kind == EndKind.BANNED else None
    link.tell(Ended(kind, "because", until_ms))
    status = "disconnected" if kind == EndKind.PAIRING_TIMEOUT else "error"
    await world.until("ana", status, kind.value)
    row = world.row()
    assert row.status_until == until_ms
    assert row.is_active
    assert row.last_error == (None if kind == EndKind.PAIRING_TIMEOUT else "because")
    await trio.sleep(1000)
    assert len(world.account().links) == 1
    assert await outcome(world.send()) == Kind.NOT_READY
    assert (await world.call("session.start", ANA)).status == "connecting"
    await world.until("ana", "ready")


async def test_an_end_is_acknowledged_behind_what_came_before_it(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    world.store.held = trio.Event()
    before = link.acknowledged
    link.tell(Ready())  # changes nothing, so it has nothing to commit
    await wait_all_tasks_blocked()
    link.tell(Ended(EndKind.REPLACED))
    await wait_all_tasks_blocked()
    assert link.acknowledged == before
    assert not link.is_closed  # else it would be told again, and end the session that a person has started
    world.store.held.set()
    await world.until("ana", "error", "replaced")
    assert link.acknowledged == before + 2


# Restrictions


async def restrict(world: World, seconds: float) -> int:
    """The session's link says that it is restricted for so long; until when."""
    until_ms = world.clock().wall_ms + int(seconds * 1000)
    world.link().tell(Restricted(until_ms, "too many strangers"))
    await world.until("ana", "error", "restricted")
    return until_ms


async def test_a_restriction_keeps_the_queue_until_its_end_and_then_goes_on(
    autojump_clock: MockClock, world: World
) -> None:
    link = await world.ready()
    until_ms = await restrict(world, 100)
    assert world.row().status_until == until_ms
    await world.send("wait", message_id="m1")
    await trio.sleep(99)
    assert link.sent == []
    assert world.row().status == "error"
    await world.until("ana", "ready")
    assert 100 <= trio.current_time() <= 102
    await world.until_status("m1", "sent")
    assert len(world.account().links) == 1


async def test_a_restriction_stops_what_is_on_its_way_out(autojump_clock: MockClock, world: World) -> None:
    """The dispatcher had more in hand when it came."""
    link = await world.ready(settings={"messages_per_second": 1.0, "burst": 1})
    for number in range(5):
        await world.send(f"{number}", message_id=f"m{number}")
    await world.until_status("m1", "sent")
    await restrict(world, 60)
    went_out = len(link.sent)
    await trio.sleep(50)
    assert len(link.sent) == went_out < 5
    await world.until_status("m4", "sent")
    assert trio.current_time() >= 61


async def test_a_restriction_holds_over_a_reconnect(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    await restrict(world, 100)
    await world.send("wait", message_id="m1")
    link.lose()
    await trio.sleep(50)
    assert len(world.account().links) == 2
    assert world.states()[-1] == ("error", "restricted")
    assert world.link().sent == []
    await world.until_status("m1", "sent")
    assert 100 <= trio.current_time() <= 102


async def test_a_restriction_that_ends_while_the_link_is_away_is_over(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    await restrict(world, 10)
    world.network.on_open = fail_to_open
    link.lose()
    await trio.sleep(100)
    assert world.row().status_reason == "network"
    world.network.on_open = log_in
    await world.until("ana", "ready")


async def test_a_code_that_was_shown_meanwhile_is_shown_when_the_restriction_ends(
    autojump_clock: MockClock, world: World
) -> None:
    link = await world.ready()
    await restrict(world, 10)
    world.network.on_open = show_qr
    link.lose()
    await world.until("ana", "qrcode")
    assert trio.current_time() >= 10
    assert world.seat().qr is not None
    world.link().tell(paired(), Ready())
    await world.until("ana", "ready")


async def test_a_longer_restriction_takes_the_place_of_a_shorter_one(autojump_clock: MockClock, world: World) -> None:
    await world.ready()
    await restrict(world, 10)
    later_ms = world.clock().wall_ms + 50_000
    world.link().tell(Restricted(later_ms))
    await world.until_true(lambda: world.row().status_until == later_ms)
    await trio.sleep(45)
    assert world.row().status == "error"
    await world.until("ana", "ready")
    assert trio.current_time() >= 50


async def test_stopping_ends_the_wait_for_a_restriction_and_starting_finds_it_again(
    autojump_clock: MockClock, world: World
) -> None:
    await world.ready()
    until_ms = await restrict(world, 100)
    await world.call("session.stop", ANA)
    assert await outcome(world.send()) == Kind.NOT_READY

    async def still_restricted(link: FakeLink) -> None:
        link.tell(paired(), Ready(), Restricted(until_ms))

    world.network.on_open = still_restricted
    await world.call("session.start", ANA)
    await world.until("ana", "error", "restricted")
    await world.until("ana", "ready")
    assert 100 <= trio.current_time() <= 102
