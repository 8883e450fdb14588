"""A user sees and touches only their own sessions; another's are not there."""

from typing import Any

import pytest
from trio.testing import MockClock

from pombal.model.caller import Caller, Role
from pombal.model.errors import Kind
from pombal.model.events import Event
from pombal.model.params import SessionCreateParams
from tests.fakes.rooms import ADMIN, World, outcome
from tests.service.world import ANA, BIA, ask, injected, ready

NAMED: dict[str, dict[str, Any]] = {
    "session.get": {},
    "session.start": {},
    "session.stop": {},
    "session.restart": {},
    "session.logout": {},
    "session.delete": {},
    "session.qr": {},
    "session.metrics": {},
    "session.update": {"device_name": "x"},
    "session.pair_code": {"phone_number": "5511999999999"},
    "simulator.scan": {},
    "simulator.inject": {"from": "5511922220000"},
    "simulator.fault": {"kind": "crash"},
}
OF_SESSION: dict[str, dict[str, Any]] = {
    "message.list": {},
    "message.high_latency": {},
    "message.get": {"message_id": "m1"},
    "message.cancel": {"message_id": "m1"},
    "message.resend": {"message_id": "m1"},
    "message.mark_read": {"message_ids": ["m1"]},
    "contact.check": {"numbers": ["5511999999999"]},
    "latency.stats": {},
}


async def test_anothers_session_is_not_there(autojump_clock: MockClock, world: World) -> None:
    session_id = await ready(world)
    await world.send(message_id="m1")
    told = len(world.events())
    for name in ("ana", session_id):
        for method, raw in NAMED.items():
            assert await outcome(ask(world, method, BIA, name=name, **raw)) == Kind.NOT_FOUND, method
        for method, raw in OF_SESSION.items():
            assert await outcome(ask(world, method, BIA, session=name, **raw)) == Kind.NOT_FOUND, method
    assert await outcome(ask(world, "message.get", BIA, id=1)) == Kind.NOT_FOUND
    assert [event["type"] for event in world.events()[told:] if event["type"].startswith("session")] == []


async def test_ones_own_is(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    await world.send(message_id="m1")
    await world.until_status("m1", "read")
    for method in ("session.get", "session.metrics", "session.start"):
        assert await ask(world, method, ANA, name="ana")
    assert (await ask(world, "message.get", ANA, session="ana", message_id="m1"))["status"] == "read"
    assert (await ask(world, "message.get", ANA, id=1))["message_id"] == "m1"
    assert (await ask(world, "latency.stats", ANA, session="ana"))["total_messages"] == 1


async def test_lists_hold_ones_own_alone(autojump_clock: MockClock, world: World) -> None:
    await ready(world, "ana", "ana")
    await ready(world, "bia", "bia")
    await injected(world, session="ana")
    await injected(world, session="bia")

    async def sessions(method: str, caller: Caller, field: str, **raw: Any) -> set[str]:
        return {found[field] for found in (await ask(world, method, caller, **raw))["results"]}

    for caller, expected in ((ANA, {"ana"}), (BIA, {"bia"}), (ADMIN, {"ana", "bia"})):
        assert await sessions("session.list", caller, "name") == expected
        assert await sessions("message.list", caller, "session") == expected
        assert await sessions("message.high_latency", caller, "session", threshold_ms=0) == expected
        assert await sessions("events.list", caller, "session") == expected
        assert await sessions("events.list", caller, "session", after=0) == expected
        assert (await ask(world, "latency.stats", caller))["total_messages"] == len(expected)
    assert await sessions("session.list", BIA, "name", owner="ana") == {"bia"}
    assert await sessions("events.list", BIA, "session", after=0, sessions=["ana"]) == set()


@pytest.mark.parametrize("after", [0, None])
async def test_events_are_ones_own_alone(autojump_clock: MockClock, world: World, after: int | None) -> None:
    """Those of sessions that are created later, too."""
    await ready(world, "ana", "ana")
    async with world.service.subscribe(
        after=after, sessions=None, types=None, log_id=None, transport="test", caller=BIA
    ) as subscription:
        await ready(world, "bia", "bia")
        await injected(world, session="ana")
        last = world.hub.last_seq
        await injected(world, session="bia")
        seen = list[Event]()
        while subscription.cursor <= last:
            seen += await subscription.next_batch()
    assert {event.session for event in seen if event.type != "cursor"} == {"bia"}
    assert seen[0].type == "session.created"


async def test_a_user_owns_what_they_create(autojump_clock: MockClock, world: World) -> None:
    shown = await ask(world, "session.create", BIA, name="loja")
    assert shown["owner"] == "bia"
    assert await outcome(ask(world, "session.create", BIA, name="outra", owner="ana")) == Kind.FORBIDDEN
    assert await outcome(ask(world, "session.update", BIA, name="loja", owner="ana")) == Kind.FORBIDDEN
    assert (await ask(world, "session.update", BIA, name="loja", owner="bia", device_name="x"))["owner"] == "bia"
    assert await outcome(ask(world, "session.create", BIA, name="loja")) == Kind.ALREADY_EXISTS


async def test_the_daemon_is_no_users_business(autojump_clock: MockClock, world: World) -> None:
    for method in ("daemon.status", "daemon.actors", "daemon.reload"):
        assert await outcome(ask(world, method, ANA)) == Kind.FORBIDDEN


async def test_an_admin_without_an_owner_gets_the_default(autojump_clock: MockClock, world: World) -> None:
    created = await world.service.call("session.create", SessionCreateParams(name="x"), Caller("root", Role.ADMIN))
    assert created.model_dump()["owner"] == "operator"
