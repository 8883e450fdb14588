import sys
from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pombal.actors.mailbox import Mailbox
from pombal.actors.tree import ActorInfo
from pombal.model.errors import Kind, PombalError


@pytest.fixture
def mailbox() -> Mailbox[str]:
    return Mailbox("session one", capacity=2)


async def shout(mailbox: Mailbox[str]) -> None:
    async for envelope in mailbox:
        with envelope.handling():
            if envelope.command == "hang":
                await trio.sleep_forever()
            if envelope.command == "die":
                raise ValueError("boom")
            if envelope.command == "refuse":
                raise PombalError(Kind.NOT_READY, "not now")
            await trio.sleep(1)
            envelope.answer(envelope.command.upper())


async def refused_as(kind: Kind, mailbox: Mailbox[str], command: str, timeout_s: float = 5.0) -> str:
    with pytest.raises(PombalError) as caught:
        await mailbox.ask(command, timeout_s)
    assert caught.value.kind == kind
    return caught.value.message


async def test_commands_are_answered_in_order(
    autojump_clock: MockClock, nursery: trio.Nursery, mailbox: Mailbox[str]
) -> None:
    nursery.start_soon(shout, mailbox)
    answers: list[str] = []

    async def ask(command: str) -> None:
        answers.append(await mailbox.ask(command, 5.0))

    async with trio.open_nursery() as askers:
        for command in ("a", "b"):
            askers.start_soon(ask, command)
            await wait_all_tasks_blocked()
    assert answers == ["A", "B"]
    assert await mailbox.ask("c", 5.0) == "C"


async def test_an_actors_refusal_is_the_answer_and_it_lives_on(
    autojump_clock: MockClock, nursery: trio.Nursery, mailbox: Mailbox[str]
) -> None:
    nursery.start_soon(shout, mailbox)
    assert await refused_as(Kind.NOT_READY, mailbox, "refuse") == "not now"
    assert await mailbox.ask("a", 5.0) == "A"


async def test_what_waits_outlives_a_crash_and_the_one_it_was_at_is_not_replayed(
    autojump_clock: MockClock, nursery: trio.Nursery, mailbox: Mailbox[str]
) -> None:
    seen: list[str] = []

    async def actor() -> None:
        async for envelope in mailbox:
            with envelope.handling():
                seen.append(envelope.command)
                await trio.sleep(0.1)
                if envelope.command == "die":
                    raise ValueError("boom")
                envelope.answer(envelope.command.upper())

    async def restarting() -> None:
        with pytest.raises(ValueError, match="boom"):
            await actor()
        await trio.sleep(1)
        await actor()

    async def ask_waiting() -> None:
        assert await mailbox.ask("waits", 5.0) == "WAITS"

    async with trio.open_nursery() as askers:
        askers.start_soon(refused_as, Kind.CRASHED, mailbox, "die")
        await wait_all_tasks_blocked()
        askers.start_soon(ask_waiting)
        nursery.start_soon(restarting)
    assert seen == ["die", "waits"]


async def test_an_actor_that_is_cancelled_at_a_command_leaves_it_answered(
    nursery: trio.Nursery, mailbox: Mailbox[str]
) -> None:
    async def actor() -> None:
        with trio.CancelScope() as scope:
            async for envelope in mailbox:
                with envelope.handling():
                    scope.cancel()
                    await trio.sleep_forever()

    nursery.start_soon(actor)
    assert "not tried again" in await refused_as(Kind.CRASHED, mailbox, "stop")


async def test_without_an_answer_it_counts_as_crashed(nursery: trio.Nursery, mailbox: Mailbox[str]) -> None:
    async def forgetful() -> None:
        async for envelope in mailbox:
            with envelope.handling():
                pass

    nursery.start_soon(forgetful)
    await refused_as(Kind.CRASHED, mailbox, "a")
    nursery.cancel_scope.cancel()


async def test_the_deadline_passes_while_waiting(autojump_clock: MockClock, mailbox: Mailbox[str]) -> None:
    message = await refused_as(Kind.UNAVAILABLE, mailbox, "a", timeout_s=2.5)
    assert message == "session one did not answer within 2.5 s"
    assert (mailbox.depth, trio.current_time()) == (0, 2.5)


async def test_the_deadline_passes_while_running_and_the_actor_goes_on(
    autojump_clock: MockClock, nursery: trio.Nursery, mailbox: Mailbox[str]
) -> None:
    nursery.start_soon(shout, mailbox)
    await refused_as(Kind.UNAVAILABLE, mailbox, "hang", timeout_s=3.0)
    assert await mailbox.ask("a", 5.0) == "A"


async def test_a_full_mailbox_refuses_at_once(autojump_clock: MockClock, mailbox: Mailbox[str]) -> None:
    async with trio.open_nursery() as askers:
        for command in ("a", "b"):
            askers.start_soon(refused_as, Kind.UNAVAILABLE, mailbox, command)
        await wait_all_tasks_blocked()
        assert "2 commands wait" in await refused_as(Kind.UNAVAILABLE, mailbox, "c")
        assert trio.current_time() == 0


async def test_what_was_told_gives_up_its_place_when_it_has_expired(
    autojump_clock: MockClock, nursery: trio.Nursery, mailbox: Mailbox[str]
) -> None:
    for command in ("a", "b"):
        mailbox.tell(command, timeout_s=2.0)
    with pytest.raises(PombalError, match="2 commands wait"):
        mailbox.tell("c", timeout_s=2.0)
    await trio.sleep(2)
    nursery.start_soon(shout, mailbox)
    assert await mailbox.ask("d", 5.0) == "D"


async def test_a_cancelled_caller_leaves_nothing_behind(
    autojump_clock: MockClock, nursery: trio.Nursery, mailbox: Mailbox[str]
) -> None:
    with trio.move_on_after(1):
        await mailbox.ask("gone", 5.0)
    assert mailbox.depth == 0
    nursery.start_soon(shout, mailbox)
    assert await mailbox.ask("a", 5.0) == "A"
    with trio.move_on_after(0.5):
        await mailbox.ask("gone while running", 5.0)
    assert await mailbox.ask("b", 5.0) == "B"


@pytest.mark.parametrize("close_first", [True, False])
async def test_a_closed_mailbox_answers_shutting_down(mailbox: Mailbox[str], close_first: bool) -> None:
    async with trio.open_nursery() as askers:
        if close_first:
            mailbox.close()
        askers.start_soon(refused_as, Kind.SHUTTING_DOWN, mailbox, "a")
        await wait_all_tasks_blocked()
        mailbox.close()
    with trio.fail_after(60):
        await shout(mailbox)  # the actor's loop ends


async def test_closing_wakes_the_actor_and_lets_it_finish_what_it_is_at(
    autojump_clock: MockClock, mailbox: Mailbox[str]
) -> None:
    async def ask() -> None:
        assert await mailbox.ask("a", 5.0) == "A"

    async with trio.open_nursery() as tasks:
        tasks.start_soon(shout, mailbox)
        tasks.start_soon(ask)
        await wait_all_tasks_blocked()
        mailbox.close()


async def test_an_actor_cancelled_while_it_waits_loses_no_command(
    autojump_clock: MockClock, nursery: trio.Nursery, mailbox: Mailbox[str]
) -> None:
    async with trio.open_nursery() as first:
        first.start_soon(shout, mailbox)
        await wait_all_tasks_blocked()
        nursery.start_soon(refused_as, Kind.UNAVAILABLE, mailbox, "hang", 60.0)
        first.cancel_scope.cancel()
    assert mailbox.depth == 1


def test_an_idle_mailbox_and_its_entry_are_small() -> None:
    mailbox = Mailbox[str]("session one", 64)
    info = ActorInfo("one", "session", mailbox)
    size: Callable[[object], int] = sys.getsizeof
    assert size(mailbox) + size(mailbox._waiting) + size(info) < 400
    assert not hasattr(mailbox, "__dict__")
    assert not hasattr(info, "__dict__")
