"""Start, stop, restart, log out, delete: what an operator does to a session, and what is told of it."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pombal.link.base import LinkLost, Qr, Ready
from pombal.model.errors import Kind, PombalError
from pombal.model.params import (
    ContactCheckParams,
    PairCodeParams,
    SessionDeleteParams,
    SessionNameParams,
    SessionUpdateParams,
)
from pombal.model.session import Session
from pombal.service.auditing import WAIT_S as AUDIT_WAIT_S
from tests.fakes.link import NUMBER, FakeLink, log_in, paired, show_qr
from tests.fakes.rooms import World, outcome

ANA = SessionNameParams(name="ana")


async def do(world: World, command: str) -> Session:
    shown: Session = await world.call(f"session.{command}", ANA)
    return shown


async def test_a_session_that_is_created_comes_up(autojump_clock: MockClock, world: World) -> None:
    session = await world.create()
    assert (session.status, session.is_active) == ("connecting", True)
    await world.until("ana", "ready")
    assert [event["type"] for event in world.events()] == [
        "session.created", "session.status", "session.status", "session.status",
    ]  # fmt: skip
    assert world.states() == [("connecting", None), ("authenticated", None), ("ready", None)]
    row = world.row()
    assert (row.phone_number, row.identity, row.device_name) == (NUMBER, NUMBER, "Pombal")
    assert row.connected_at is not None


async def test_one_that_is_created_to_stay_stopped_does_not(autojump_clock: MockClock, world: World) -> None:
    session = await world.create(start=False)
    await wait_all_tasks_blocked()
    assert (session.status, session.status_reason, session.is_active) == ("disconnected", "stopped", False)
    assert world.network.accounts == {}


async def test_a_creator_who_has_gone_leaves_a_session_that_lives(autojump_clock: MockClock, world: World) -> None:
    """Stored is there: whoever asks next must find it, and it must run."""
    world.store.held = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.create)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    world.store.held.set()
    await world.until_true(lambda: len(world.registry))
    await world.until("ana", "ready")
    assert world.seat().is_active


async def test_start_never_waits_for_a_scan_and_is_idempotent(autojump_clock: MockClock, world: World) -> None:
    world.network.on_open = show_qr
    began = trio.current_time()
    assert (await world.create()).status == "connecting"
    await world.until("ana", "qrcode")
    again = await do(world, "start")
    assert again.status == "qrcode"
    assert trio.current_time() == began
    assert len(world.account().links) == 1
    assert world.states() == [("connecting", None), ("qrcode", None)]


async def test_start_of_a_ready_session_changes_nothing(autojump_clock: MockClock, world: World) -> None:
    await world.ready()
    told = len(world.events())
    assert (await do(world, "start")).status == "ready"
    assert len(world.events()) == told
    assert len(world.account().links) == 1


async def test_stop_closes_the_link_and_is_idempotent(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    stopped = await do(world, "stop")
    assert (stopped.status, stopped.status_reason, stopped.is_active) == ("disconnected", "stopped", False)
    assert link.is_closed
    assert (await do(world, "stop")).status_reason == "stopped"
    assert world.states()[-1] == ("disconnected", "stopped")
    assert world.states().count(("disconnected", "stopped")) == 1
    await trio.sleep(1000)
    assert len(world.account().links) == 1


async def test_a_stopped_session_starts_again(autojump_clock: MockClock, world: World) -> None:
    await world.ready()
    await do(world, "stop")
    started = await do(world, "start")
    assert (started.status, started.is_active) == ("connecting", True)
    await world.until("ana", "ready")
    assert len(world.account().links) == 2


async def test_restart_closes_and_opens(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    restarted = await do(world, "restart")
    assert (restarted.status, restarted.is_active) == ("connecting", True)
    assert link.is_closed
    await world.until("ana", "ready")
    assert world.states()[-4:] == [
        ("disconnected", "stopped"), ("connecting", None), ("authenticated", None), ("ready", None),
    ]  # fmt: skip


async def test_restart_starts_a_stopped_session(autojump_clock: MockClock, world: World) -> None:
    await world.create(start=False)
    assert (await do(world, "restart")).is_active
    await world.until("ana", "ready")


async def test_whoever_asked_for_a_restart_may_go_before_it_is_recorded(
    autojump_clock: MockClock, world: World
) -> None:
    await world.ready()
    world.store.held = trio.Event()
    assert await outcome(do(world, "restart")) == Kind.UNAVAILABLE
    assert trio.current_time() == 30 + AUDIT_WAIT_S  # and it is noted that it was asked for
    world.store.held.set()
    await trio.sleep(1)
    assert world.row().status == "ready"
    assert world.seat().connection is not None
    assert world.row().is_active


async def test_a_start_that_nobody_waits_for_any_more_still_starts(autojump_clock: MockClock, world: World) -> None:
    await world.create(start=False)
    world.store.held = trio.Event()
    assert await outcome(do(world, "start")) == Kind.UNAVAILABLE
    world.store.held.set()
    await world.until("ana", "ready")
    assert world.row().is_active


async def test_a_stop_that_nobody_waits_for_any_more_still_stops(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    world.store.held = trio.Event()
    assert await outcome(do(world, "stop")) == Kind.UNAVAILABLE
    assert link.is_closed
    world.store.held.set()
    await world.until("ana", "disconnected", "stopped")
    assert not world.row().is_active


# Logout


async def test_logout_unlinks_and_stops_without_a_word_of_a_lost_network(
    autojump_clock: MockClock, world: World
) -> None:
    link = await world.ready()
    left = await do(world, "logout")
    assert (left.status, left.status_reason, left.is_active) == ("disconnected", "stopped", False)
    assert "logout" in link.called
    assert world.states()[-2:] == [("ready", None), ("disconnected", "stopped")]


async def test_logout_needs_an_open_link(autojump_clock: MockClock, world: World) -> None:
    await world.create(start=False)
    assert await outcome(do(world, "logout")) == Kind.NOT_READY


async def test_a_logout_that_loses_its_link_is_refused_and_the_session_connects_again(
    autojump_clock: MockClock, world: World
) -> None:
    link = await world.ready()
    link.failing["logout"] = LinkLost("reset")
    link.lose()
    # Both hear of it at once: the one who logs out must not hide the loss from the one who reconnects.
    assert await outcome(do(world, "logout")) == Kind.UNAVAILABLE
    await world.until_true(lambda: len(world.account().links) == 2)
    await world.until("ana", "ready")
    assert world.row().restart_count == 0


async def test_a_logout_that_is_never_answered_ends_with_its_deadline(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    link.hung.add("logout")
    assert await outcome(do(world, "logout")) == Kind.UNAVAILABLE
    assert trio.current_time() == 30
    assert world.row().status == "ready"


# Deletion


async def delete(world: World, name: str = "ana", *, purge: bool = False) -> dict[str, object]:
    answer = await world.call("session.delete", SessionDeleteParams(name=name, purge=purge))
    shown: dict[str, object] = answer.model_dump()
    return shown


async def test_deletion_unlinks_fails_the_queue_and_is_told_last(autojump_clock: MockClock, world: World) -> None:
    world.network.answers = False
    link = await world.ready()
    session_id = world.seat().id
    await world.send("um", message_id="m1")
    told = len(world.events())
    assert await delete(world) == {"deleted": True, "messages_deleted": 0}
    after = world.events()[told:]
    assert [event["type"] for event in after] == ["session.status", "message.status", "session.deleted"]
    assert after[1]["error"]["kind"] == "session_deleted"
    assert world.message("m1", session_id).status == "failed"
    assert "logout" in link.called
    assert link.is_closed
    assert world.network.forgotten == [session_id]


async def test_what_is_deleted_can_be_read_by_its_id_and_is_not_called_connected(
    autojump_clock: MockClock, world: World
) -> None:
    await world.ready()
    session_id = world.seat().id
    await delete(world)
    with pytest.raises(PombalError) as gone:
        world.seat()
    assert gone.value.kind == Kind.NOT_FOUND
    row = world.row(session_id)
    assert (row.status, row.is_active) == ("disconnected", False)
    shown = await world.call("session.get", SessionNameParams(name=session_id))
    assert (shown.is_connected, shown.link_alive) == (False, False)
    assert await outcome(world.call("session.get", ANA)) == Kind.NOT_FOUND
    assert await outcome(do(world, "start")) == Kind.NOT_FOUND


async def test_a_purge_removes_the_messages(autojump_clock: MockClock, world: World) -> None:
    await world.ready()
    for number in range(3):
        await world.send(message_id=f"m{number}")
    await world.until_status("m2", "sent")
    assert await delete(world, purge=True) == {"deleted": True, "messages_deleted": 3}


async def test_the_name_is_free_at_once(autojump_clock: MockClock, world: World) -> None:
    await world.ready()
    first = world.seat().id
    await delete(world)
    second = await world.create()
    assert second.id != first
    await world.until("ana", "ready")
    assert [seat.id for seat in world.registry] == [second.id]
    assert [info.name for info in world.tree.page("session")] == ["ana"]


@pytest.mark.parametrize("number", range(8))
async def test_one_may_create_under_the_name_in_the_very_commit_that_frees_it(
    autojump_clock: MockClock, world: World, number: int
) -> None:
    """The two tasks that hear of that commit have their turns in any order (trio shuffles them)."""
    await world.ready()
    answers: list[object] = []

    async def recreate() -> None:
        while not isinstance(answer := await outcome(world.create(device_name="second")), Session):
            assert answer == Kind.ALREADY_EXISTS
        answers.append(answer)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(recreate)
        nursery.start_soon(delete, world)
    await world.until("ana", "ready")
    assert world.seat().device_name == "second"
    assert len(world.registry) == 1
    assert world.tree.page("session") == [world.seat().actor]


async def test_commands_that_waited_behind_a_deletion_are_answered(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    link.hung.add("logout")
    answers: list[object] = []

    async def start() -> None:
        answers.append(await outcome(do(world, "start")))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(delete, world)
        await wait_all_tasks_blocked()
        nursery.start_soon(start)
    assert answers == [Kind.SHUTTING_DOWN]


async def test_deletion_waits_only_so_long_for_a_link_that_hangs(autojump_clock: MockClock, world: World) -> None:
    link = await world.ready()
    link.hung.add("logout")
    await delete(world)
    assert trio.current_time() == 5


async def test_a_deletion_that_cannot_be_recorded_leaves_a_stopped_session(
    autojump_clock: MockClock, world: World
) -> None:
    await world.ready()
    inner, world.store.down = world.store.commit, None

    async def full_at_the_last(batch):  # type: ignore[no-untyped-def]
        if any(type(change).__name__ == "DeleteSession" for change in batch):
            world.store.down = "the disk is full"
        return await inner(batch)

    world.store.commit = full_at_the_last  # type: ignore[method-assign]
    assert await outcome(delete(world)) == Kind.UNAVAILABLE
    world.store.commit, world.store.down = inner, None  # type: ignore[method-assign]
    assert (world.seat().state.reason, world.seat().is_active) == ("stopped", False)
    # The note of the call that failed is written first.
    while world.recorder.unavailable is not None:  # noqa: ASYNC110
        await trio.sleep(1)
    assert await delete(world) == {"deleted": True, "messages_deleted": 0}


# What hangs, and what is busy


@pytest.fixture
async def hanging(world: World) -> FakeLink:
    link = await world.ready()
    link.hung |= {"send", "mark_read", "check_contacts", "pair_code"}
    return link


@pytest.mark.parametrize("command", ["stop", "restart", "delete"])
async def test_a_link_that_hangs_does_not_hang_what_closes_it(
    autojump_clock: MockClock, world: World, hanging: FakeLink, command: str
) -> None:
    answers: list[object] = []

    async def check() -> None:
        answers.append(
            await outcome(world.call("contact.check", ContactCheckParams(session="ana", numbers=["5511999999999"])))
        )

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(check)
        await world.send(message_id="m1")
        await wait_all_tasks_blocked()
        assert trio.current_time() == 0
        if command == "delete":
            await delete(world)
        else:
            await do(world, command)
        assert trio.current_time() == 0
        assert hanging.is_closed
    assert answers == [Kind.UNAVAILABLE] * 3


async def test_a_full_mailbox_refuses_at_once(autojump_clock: MockClock, world: World, hanging: FakeLink) -> None:
    check = ContactCheckParams(session="ana", numbers=["5511999999999"])
    answers: list[object] = []

    async def ask() -> None:
        answers.append(await outcome(world.call("contact.check", check)))

    async with trio.open_nursery() as nursery:
        for _ in range(65):
            nursery.start_soon(ask)
            await wait_all_tasks_blocked()
        assert answers == []
        assert await outcome(world.call("contact.check", check)) == Kind.UNAVAILABLE
        assert trio.current_time() == 0
    assert answers == [Kind.UNAVAILABLE] * 65
    assert trio.current_time() == 30
    assert world.seat().mailbox.depth == 0


async def test_a_command_that_meets_a_lost_link_is_refused_and_nothing_crashes(
    autojump_clock: MockClock, world: World
) -> None:
    link = await world.ready()
    link.failing["check_contacts"] = LinkLost("reset")
    check = ContactCheckParams(session="ana", numbers=["5511999999999"])
    assert await outcome(world.call("contact.check", check)) == Kind.UNAVAILABLE
    assert (world.row().restart_count, world.row().status) == (0, "ready")


# Pairing


async def test_pairing_again_with_another_number_fails_the_old_queue(autojump_clock: MockClock, world: World) -> None:
    world.network.answers = False
    await world.ready()
    await world.send("for the old number", message_id="m1")
    await do(world, "stop")
    assert await outcome(world.send(message_id="m2")) == Kind.NOT_READY

    async def other_number(link: FakeLink) -> None:
        link.tell(paired("5511933330000"))

    world.network.on_open = other_number
    await do(world, "start")
    await world.until("ana", "authenticated")
    failed = world.message("m1")
    assert (failed.status, failed.error_kind) == ("failed", "identity_changed")
    assert (world.row().identity, world.row().phone_number) == ("5511933330000", "5511933330000")
    world.link().tell(Ready())
    await world.until("ana", "ready")
    assert world.link().sent == []


async def test_pairing_again_with_the_same_number_keeps_the_queue(autojump_clock: MockClock, world: World) -> None:
    world.network.answers = False
    await world.ready()
    await world.send(message_id="m1")
    await do(world, "logout")
    await do(world, "start")
    await world.until("ana", "ready")
    await world.until_true(lambda: world.link().texts == ["oi"])
    assert world.message("m1").status == "queued"


async def test_codes_are_shown_until_the_session_leaves_them(autojump_clock: MockClock, world: World) -> None:
    world.network.on_open = show_qr
    await world.create()
    shown = await world.call("session.qr", ANA)
    assert shown.code == "qr 1"
    code = await world.call("session.pair_code", PairCodeParams(name="ana", phone_number="+55 11 99999-9999"))
    assert code.code == "ABCD-1234"
    await world.until_true(lambda: len(world.events("session.pair_code")))
    assert [(event["type"], event["code"]) for event in world.events("session.qr", "session.pair_code")] == [
        ("session.qr", "qr 1"), ("session.pair_code", "ABCD-1234"),
    ]  # fmt: skip
    await log_in(world.link())
    await world.until("ana", "ready")
    assert (world.seat().qr, world.seat().pair_code) == (None, None)
    assert await outcome(world.call("session.qr", ANA)) == Kind.NOT_READY


async def test_a_new_code_takes_the_place_of_the_one_before(autojump_clock: MockClock, world: World) -> None:
    world.network.on_open = show_qr
    await world.create()
    await world.until("ana", "qrcode")
    await show_qr(world.link())
    await world.until_true(lambda: len(world.events("session.qr")) == 1)
    world.link().tell(Qr("qr 2", 4_000_000_000_000))
    await world.until_true(lambda: len(world.events("session.qr")) == 2)
    assert (await world.call("session.qr", ANA)).code == "qr 2"
    assert world.states() == [("connecting", None), ("qrcode", None)]


async def test_new_settings_are_used_by_the_next_link(autojump_clock: MockClock, world: World) -> None:
    await world.ready()
    await world.call("session.update", SessionUpdateParams(name="ana", settings={"seed": 7}, owner="loja"))
    assert (world.seat().settings, world.seat().owner) == ({"seed": 7}, "loja")
    await do(world, "restart")
    await world.until("ana", "ready")
    assert world.link().context.settings == {"seed": 7}
    assert world.link().context.identity == NUMBER
    assert trio.current_time() < 1
