"""The audit log: what is noted of whom, and who may read it."""

import os
import pwd

import pytest
from trio.testing import MockClock

from pombal.model.audit import masked, target_of
from pombal.model.caller import Caller, Role
from pombal.model.errors import Kind
from pombal.model.params import PairCodeParams, SessionUpdateParams, TokenCreateParams
from pombal.model.removal_changes import PruneAudit
from pombal.service.auditing import Auditing
from tests.fakes.rooms import ADMIN, World, outcome
from tests.service.world import ANA, BIA, ask, injected, ready

MARIA = Caller("maria's token", Role.ADMIN, "maria", token_id="01M4QK3T9ZC8V6W2J5N7R1XBDE")


async def noted(world: World, **wanted: object) -> list[tuple[str, str]]:
    page = await ask(world, "audit.list", **wanted)
    return [(entry["method"], entry["outcome"]) for entry in page["results"]]


async def test_what_changes_is_noted_with_who_and_how_it_ended(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    await ask(world, "session.stop", MARIA, name="ana")
    assert await outcome(ask(world, "session.stop", BIA, name="ana")) == Kind.NOT_FOUND
    newest, second, *_ = (await ask(world, "audit.list"))["results"]
    assert (newest["method"], newest["outcome"], newest["caller"]["owner"]) == ("session.stop", "not_found", "bia")
    assert (second["method"], second["outcome"], second["target"]) == ("session.stop", "ok", {"name": "ana"})
    assert second["caller"] == {
        "name": "maria's token", "role": "admin", "owner": "maria", "uid": None, "pid": None, "user": None,
        "token_id": "01M4QK3T9ZC8V6W2J5N7R1XBDE",
    }  # fmt: skip


async def test_reading_and_traffic_are_not_noted(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    before = await noted(world)
    await injected(world, "oi")
    await world.send()
    await ask(world, "session.list")
    await ask(world, "message.list")
    assert await noted(world) == before == [("session.create", "ok")]


async def test_a_token_never_stands_in_it(autojump_clock: MockClock, world: World) -> None:
    made = await ask(world, "token.create", owner="maria", role="admin")
    (entry,) = (await ask(world, "audit.list"))["results"]
    assert entry["target"] == {"owner": "maria", "role": "admin"}
    assert made["token"] not in str(world.connection.execute("SELECT * FROM audit").fetchall())


async def test_filters_and_pages(autojump_clock: MockClock, world: World) -> None:
    await ready(world)
    await ask(world, "session.stop", MARIA, name="ana")
    await ask(world, "token.create", owner="x")
    await outcome(ask(world, "session.start", BIA, name="ana"))
    assert await noted(world, method="session.") == [
        ("session.start", "not_found"), ("session.stop", "ok"), ("session.create", "ok"),
    ]  # fmt: skip
    assert await noted(world, method="session.stop") == [("session.stop", "ok")]
    assert await noted(world, owner="maria") == [("session.stop", "ok")]
    assert await noted(world, outcome="not_found") == [("session.start", "not_found")]
    assert await noted(world, session="ana", outcome="ok", limit=1) == [("session.stop", "ok")]
    assert await noted(world, uid=7) == await noted(world, since="2999-01-01") == []
    page = await ask(world, "audit.list", limit=3)
    rest = await ask(world, "audit.list", limit=3, cursor=page["next"])
    assert [entry["id"] for entry in [*page["results"], *rest["results"]]] == [4, 3, 2, 1]
    assert rest["next"] is None
    for cursor in ({}, {"cursor": page["next"]}):
        assert (await ask(world, "audit.list", limit=1, method="session.", count=True, **cursor))["count"] == 3


async def test_only_admins_read_it(autojump_clock: MockClock, world: World) -> None:
    assert await outcome(ask(world, "audit.list", ANA)) == Kind.FORBIDDEN
    assert await outcome(ask(world, "audit.list", ADMIN)) == {"results": [], "next": None}


async def test_the_old_goes_in_slices(autojump_clock: MockClock, world: World) -> None:
    for number in range(3):
        await ask(world, "token.create", owner=f"o{number}")
    now = world.clock()
    assert await world.recorder.commit(PruneAudit(at=now, before_ms=now.wall_ms + 1, limit=2)) == 2
    assert await world.recorder.commit(PruneAudit(at=now, before_ms=now.wall_ms + 1, limit=2)) == 1
    assert await noted(world) == []


async def test_a_process_is_noted_with_the_name_behind_its_uid(world: World) -> None:
    caller = Caller("uid", Role.ADMIN, uid=os.getuid(), pid=os.getpid())
    async with Auditing(world.deps).of("token.create", TokenCreateParams(owner="maria"), caller):
        pass
    (entry,) = (await ask(world, "audit.list", uid=os.getuid()))["results"]
    assert (entry["caller"]["user"], entry["caller"]["pid"]) == (pwd.getpwuid(os.getuid()).pw_name, os.getpid())


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+55 (11) 98765-4321", "5511*******21"),
        ("123456789012345@lid", "1234*********45@lid"),
        ("1234567", "1****67"),
        ("", ""),
    ],
)
def test_numbers_are_masked(number: str, shown: str) -> None:
    assert masked(number) == shown


def test_values_of_settings_are_left_out() -> None:
    secret = SessionUpdateParams(name="ana", settings={"proxy": "socks5://user:secret@host"}, owner="maria")
    assert target_of(secret) == {"name": "ana", "owner": "maria", "changed": ["owner", "settings"]}
    assert target_of(PairCodeParams(name="ana", phone_number="5511987654321"))["phone_number"] == "5511*******21"
